"""The host functions of Substrate's ``sp_io`` that a validation function may call (D32).

These are the ones that Polkadot's own execution workers provide: allocator, logging, hashing,
crypto, trie, misc. Whatever else a blob imports (storage, which Cumulus replaces inside the blob;
off-chain workers; key stores) traps when it is called. Nothing here depends on the machine, the
time or the host's settings.
"""

from __future__ import annotations

from importlib import import_module

from parahost.validation.host_functions import allocation, crypto, hashing, logs, misc, trie
from parahost.validation.host_functions.context import HostContext, HostFunction

HOST_FUNCTIONS: dict[str, HostFunction] = {
    function.name: function
    for room in (allocation, crypto, hashing, logs, misc, trie)
    for function in room.FUNCTIONS
}
"""By the name under which a blob imports them from ``env``."""

_IMPORTED_WHEN_CALLED = (
    "Crypto.Hash.keccak",
    "coincurve",
    "parahost.crypto.ecdsa",
    "parahost.crypto.ed25519",
    "parahost.crypto.hashing",
    "parahost.crypto.sr25519",
    "parahost.primitives.scale",
    "parahost.trie",
    "parahost.validation.runtime_version",
    "zstandard",
)


def preload() -> None:
    """Import what host functions import when they are called, for a process that will soon be
    unable to open a file."""
    for name in _IMPORTED_WHEN_CALLED:
        import_module(name)


__all__ = ["HOST_FUNCTIONS", "HostContext", "HostFunction", "preload"]
