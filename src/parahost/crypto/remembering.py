"""A verifier that does not verify the same twice.

What is gossiped is verified when it comes, then by the author who puts it into a block, and by
whoever executes that block. So what was right is remembered: the verdict is a function of the
arguments, and nobody can tell whether it was computed. What is wrong is not: whoever sends it could
crowd out what is right. The nodes of a simulation share one memory of all verdicts, which need not
bear that and is faster: ``simulation.verifier``.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from threading import Lock
from typing import Final

from parahost.ports.verifier import Verifier
from parahost.primitives.transcript import Transcript

RIGHT_REMEMBERED: Final = 65_536
"""Right signatures and proofs: those of 100 candidates' checks, 30 each, in ten blocks. One takes
some 150 bytes."""


class RememberingVerifier:
    """``ports.Verifier``, and what another one found right lately. It may be asked from several
    threads: blocks are executed in them."""

    def __init__(self, verifier: Verifier, remembered: int = RIGHT_REMEMBERED) -> None:
        self._verifier = verifier
        self._remembered = remembered
        self._right: dict[bytes, None] = {}
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._right)

    def sr25519(self, public: bytes, message: bytes, signature: bytes) -> bool:
        name = _name(b"sr25519", public, message, signature)
        return self._once(name, lambda: self._verifier.sr25519(public, message, signature))

    def ed25519(self, public: bytes, message: bytes, signature: bytes) -> bool:
        name = _name(b"ed25519", public, message, signature)
        return self._once(name, lambda: self._verifier.ed25519(public, message, signature))

    def ecdsa(self, account: bytes, message: bytes, signature: bytes) -> bool:
        name = _name(b"ecdsa", account, message, signature)
        return self._once(name, lambda: self._verifier.ecdsa(account, message, signature))

    def vrf(
        self,
        public: bytes,
        transcript: Transcript,
        pre_output: bytes,
        proof: bytes,
        extra: Transcript | None = None,
    ) -> bool:
        more = () if extra is None else _parts(extra)
        name = _name(b"vrf", public, pre_output, proof, _name(*_parts(transcript)), _name(*more))
        return self._once(
            name, lambda: self._verifier.vrf(public, transcript, pre_output, proof, extra)
        )

    def _once(self, name: bytes, verify: Callable[[], bool]) -> bool:
        with self._lock:
            if name in self._right:
                del self._right[name]
                self._right[name] = None  # it is the last to be forgotten
                return True
        right = verify()
        if right:
            with self._lock:
                self._right[name] = None
                if len(self._right) > self._remembered:
                    del self._right[next(iter(self._right))]
        return right


def _name(*parts: bytes) -> bytes:
    """Of these parts and no others: each is told with its length."""
    name = blake2b(digest_size=32)
    for part in parts:
        name.update(len(part).to_bytes(8, "little"))
        name.update(part)
    return name.digest()


def _parts(transcript: Transcript) -> tuple[bytes, ...]:
    return (transcript.label, *(part for item in transcript.items for part in item))
