"""``sp_io::trie``: roots of tries, as pointers to 32 bytes, and proofs of their entries; each with
BLAKE2b-256 and with Keccak-256. Version 1 knows state version 0 only, version 2 is told which.

As in Substrate, bytes behind a SCALE argument are not looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, TypeVar

from parahost.validation.errors import GuestTrap
from parahost.validation.host_functions.context import HostContext, HostFunction

INSTRUCTIONS_PER_NODE = 100_000
"""What an entry of a trie, or a node of a proof, counts for: 25 µs."""
INSTRUCTIONS_PER_KEY_BYTE = 1_000
"""What a byte of a key counts for besides. Keys that are prefixes of one another cost that much:
each step down is a node, and all longer keys pass it."""

_T = TypeVar("_T")


def _root(hash_name: str) -> Callable[..., int]:
    def root(context: HostContext, entries: int, version: int = 0) -> int:
        """``entries`` is a span of ``Vec<(Vec<u8>, Vec<u8>)>``; of equal keys the last holds."""
        from parahost.crypto import hashing
        from parahost.trie import StateVersion, Trie

        pairs = _read(tuple[tuple[bytes, bytes], ...], context, entries)
        context.charge(sum(len(key) for key, _ in pairs) * INSTRUCTIONS_PER_KEY_BYTE)
        changes: dict[bytes, bytes | None] = dict(pairs)
        empty = Trie(StateVersion(_known(version)), hasher=getattr(hashing, hash_name))
        return context.give(empty.insert_many(changes).root)

    return root


def _ordered_root(hash_name: str) -> Callable[..., int]:
    def ordered_root(context: HostContext, values: int, version: int = 0) -> int:
        """``values`` is a span of ``Vec<Vec<u8>>``."""
        from parahost import trie
        from parahost.crypto import hashing

        items = _read(tuple[bytes, ...], context, values)
        state_version = trie.StateVersion(_known(version))
        return context.give(trie.ordered_root(items, state_version, getattr(hashing, hash_name)))

    return ordered_root


def _verify_proof(hash_name: str) -> Callable[..., int]:
    def verify_proof(
        context: HostContext, root: int, proof: int, key: int, value: int, version: int = 0
    ) -> int:
        """``root`` points to 32 bytes, ``proof`` is a span of ``Vec<Vec<u8>>``, ``key`` and
        ``value`` are spans. Gives 1 when the proof shows that entry, else 0."""
        from parahost.crypto import hashing
        from parahost.trie import CompactProofError, StateVersion, verify_entry

        expected, nodes = context.memory.read(root, 32), _read(tuple[bytes, ...], context, proof)
        entry = context.memory.read_span(key), context.memory.read_span(value)
        state_version = StateVersion(_known(version))
        try:
            verify_entry(expected, nodes, *entry, state_version, getattr(hashing, hash_name))
        except CompactProofError:
            return 0
        return 1

    return verify_proof


def _read(kind: type[_T], context: HostContext, span: int) -> _T:
    """A list, once its items are counted: reading them takes time too."""
    from parahost.primitives import scale

    data = context.memory.read_span(span)
    try:
        count, _ = scale.decode_prefix(Annotated[int, scale.Compact(32)], data)
        context.charge(min(count, len(data)) * INSTRUCTIONS_PER_NODE)
        value: _T = scale.decode_prefix(kind, data)[0]
    except scale.ScaleDecodeError as error:
        raise GuestTrap(f"malformed list for a trie: {error}") from None
    return value


def _known(version: int) -> int:
    if version not in (0, 1):
        raise GuestTrap(f"there is no state version {version}")
    return version


_FUNCTIONS = (
    ("root", "l", _root),
    ("ordered_root", "l", _ordered_root),
    ("verify_proof", "illl", _verify_proof),
)
FUNCTIONS = [
    HostFunction(f"ext_trie_{hash_name}_{name}_version_{version}", parameters, "i", body(hash_name))
    for hash_name in ("blake2_256", "keccak_256")
    for name, arguments, body in _FUNCTIONS
    for version, parameters in enumerate((arguments, f"{arguments}i"), 1)
]
