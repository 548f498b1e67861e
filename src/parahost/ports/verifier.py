"""Checking signatures, as the node sees it.

The verdicts are pure; the port is there so that the nodes of one simulation may share them.
"""

from __future__ import annotations

from typing import Protocol

from parahost.primitives.transcript import Transcript


class Verifier(Protocol):
    """Verdicts on signatures. Garbage of any length is ``False`` or ``None``, never an error."""

    def sr25519(self, public: bytes, message: bytes, signature: bytes) -> bool:
        """With the context ``substrate``."""
        ...

    def ed25519(self, public: bytes, message: bytes, signature: bytes) -> bool: ...

    def ecdsa(self, account: bytes, message: bytes, signature: bytes) -> bool:
        """Over blake2-256 of the message. ``account``: the blake2-256 hash of the public key."""
        ...

    def vrf(
        self,
        public: bytes,
        transcript: Transcript,
        pre_output: bytes,
        proof: bytes,
        extra: Transcript | None = None,
    ) -> bool: ...
