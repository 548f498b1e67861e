"""The verifier that computes each verdict."""

from __future__ import annotations

from parahost.crypto import ecdsa, ed25519, sr25519, vrf
from parahost.primitives.transcript import Transcript


class DirectVerifier:
    """``ports.Verifier``, with nothing kept between calls."""

    def sr25519(self, public: bytes, message: bytes, signature: bytes) -> bool:
        return sr25519.verify(public, message, signature)

    def ed25519(self, public: bytes, message: bytes, signature: bytes) -> bool:
        return ed25519.verify(public, message, signature)

    def ecdsa(self, account: bytes, message: bytes, signature: bytes) -> bool:
        return ecdsa.verify(account, message, signature)

    def vrf(
        self,
        public: bytes,
        transcript: Transcript,
        pre_output: bytes,
        proof: bytes,
        extra: Transcript | None = None,
    ) -> bool:
        return vrf.vrf_verify(public, transcript, pre_output, proof, extra) is not None
