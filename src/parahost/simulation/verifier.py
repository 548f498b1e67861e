"""Verdicts on signatures, shared by the nodes of one process.

Each verdict is computed with real cryptography, once: a verdict is a function of its arguments.

A node that is a process has ``crypto.remembering`` for that, which attackers cannot fill: it keeps
right verdicts alone, under hashes, and serves several threads. Here a wrong signature too is judged
once for all nodes, and a question costs a fifth of what it does there: 20 validators ask 3,000 a
block.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from parahost.ports import Verifier
from parahost.primitives.transcript import Transcript

MAX_VERDICTS = 200_000

_Key = TypeVar("_Key")


class SharedVerifier:
    """``ports.Verifier`` that remembers what another one said."""

    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier
        self._verdicts: dict[tuple[object, ...], bool] = {}

    def sr25519(self, public: bytes, message: bytes, signature: bytes) -> bool:
        return self._once(
            (public, message, signature),
            lambda: self._verifier.sr25519(public, message, signature),
        )

    def ed25519(self, public: bytes, message: bytes, signature: bytes) -> bool:
        return self._once(
            (public, message, signature, "ed25519"),
            lambda: self._verifier.ed25519(public, message, signature),
        )

    def ecdsa(self, account: bytes, message: bytes, signature: bytes) -> bool:
        return self._once(
            (account, message, signature, "ecdsa"),
            lambda: self._verifier.ecdsa(account, message, signature),
        )

    def vrf(
        self,
        public: bytes,
        transcript: Transcript,
        pre_output: bytes,
        proof: bytes,
        extra: Transcript | None = None,
    ) -> bool:
        return self._once(
            (public, transcript, pre_output, proof, extra),
            lambda: self._verifier.vrf(public, transcript, pre_output, proof, extra),
        )

    def _once(self, key: tuple[object, ...], compute: Callable[[], bool]) -> bool:
        verdict = self._verdicts.get(key)
        if verdict is None:
            if len(self._verdicts) >= MAX_VERDICTS:
                self._verdicts.clear()
            verdict = self._verdicts[key] = compute()
        return verdict
