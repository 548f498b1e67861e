"""``sp_io::trie``: roots of tries with BLAKE2b-256, as pointers to 32 bytes.

Not provided: the Keccak variants, and ``verify_proof``, which takes trie-db's own compact proofs.
"""

from __future__ import annotations

from parahost.validation.host_functions.context import HostFunction

FUNCTIONS: list[HostFunction] = []
