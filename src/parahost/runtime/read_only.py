"""The runtime's modules for those who only read a state."""

from __future__ import annotations

from parahost.primitives.transcript import Transcript
from parahost.runtime.errors import RuntimeBug
from parahost.runtime.executive import Runtime
from parahost.runtime.modules import Modules


class NoSignatures:
    """A verifier where no signature is to be checked."""

    def sr25519(self, public: bytes, message: bytes, signature: bytes) -> bool:
        raise RuntimeBug("reading a state checks no signature")

    def ed25519(self, public: bytes, message: bytes, signature: bytes) -> bool:
        raise RuntimeBug("reading a state checks no signature")

    def ecdsa(self, account: bytes, message: bytes, signature: bytes) -> bool:
        raise RuntimeBug("reading a state checks no signature")

    def vrf(
        self,
        public: bytes,
        transcript: Transcript,
        pre_output: bytes,
        proof: bytes,
        extra: Transcript | None = None,
    ) -> bool:
        raise RuntimeBug("reading a state checks no VRF proof")


MODULES: Modules = Runtime(NoSignatures()).modules
