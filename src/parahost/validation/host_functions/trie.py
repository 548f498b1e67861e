"""``sp_io::trie``: roots of tries with BLAKE2b-256, as pointers to 32 bytes.

Not provided: the Keccak variants, and ``verify_proof``, which takes trie-db's own compact proofs.
"""

from __future__ import annotations

from typing import TypeVar

from parahost.validation.errors import GuestTrap
from parahost.validation.host_functions.context import HostContext, HostFunction

_T = TypeVar("_T")

MAX_KEY_LENGTH = 96
"""Longer keys trap: the trie is walked recursively, and where Python's stack ends must not decide
what a function returns. A list's keys have at most 5 bytes."""


def _root(context: HostContext, entries: int, version: int = 0) -> int:
    """``entries`` is a span of SCALE ``Vec<(Vec<u8>, Vec<u8>)>``; of equal keys the last holds."""
    from parahost.trie import StateVersion, Trie

    pairs = _decode(tuple[tuple[bytes, bytes], ...], context.memory.read_span(entries))
    if any(len(key) > MAX_KEY_LENGTH for key, _ in pairs):
        raise GuestTrap(f"a trie key exceeds {MAX_KEY_LENGTH} bytes")
    changes: dict[bytes, bytes | None] = dict(pairs)
    return context.give(Trie(StateVersion(_version(version))).insert_many(changes).root)


def _ordered_root(context: HostContext, values: int, version: int = 0) -> int:
    """``values`` is a span of SCALE ``Vec<Vec<u8>>``."""
    from parahost.trie import StateVersion, ordered_root

    items = _decode(tuple[bytes, ...], context.memory.read_span(values))
    return context.give(ordered_root(items, StateVersion(_version(version))))


def _decode(kind: type[_T], data: bytes) -> _T:
    from parahost.primitives import scale

    try:
        value: _T = scale.decode(kind, data)
    except scale.ScaleDecodeError as error:
        raise GuestTrap(f"malformed list for a trie: {error}") from None
    return value


def _version(version: int) -> int:
    if version not in (0, 1):
        raise GuestTrap(f"there is no state version {version}")
    return version


FUNCTIONS = [
    HostFunction("ext_trie_blake2_256_root_version_1", "l", "i", _root),
    HostFunction("ext_trie_blake2_256_root_version_2", "li", "i", _root),
    HostFunction("ext_trie_blake2_256_ordered_root_version_1", "l", "i", _ordered_root),
    HostFunction("ext_trie_blake2_256_ordered_root_version_2", "li", "i", _ordered_root),
]
