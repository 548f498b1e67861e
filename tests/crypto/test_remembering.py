"""A verifier that remembers what was right says what one says that remembers nothing."""

from __future__ import annotations

from itertools import product

import pytest

from parahost.crypto import ed25519, sr25519, vrf
from parahost.crypto.remembering import RememberingVerifier
from parahost.crypto.verifier import DirectVerifier
from parahost.primitives.transcript import Transcript

KEY, VOTER = sr25519.Keypair.from_uri("//one"), ed25519.Keypair.from_uri("//one")


class Counting(DirectVerifier):
    """Notes down what it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def sr25519(self, public: bytes, message: bytes, signature: bytes) -> bool:
        self.asked.append("sr25519")
        return super().sr25519(public, message, signature)

    def ed25519(self, public: bytes, message: bytes, signature: bytes) -> bool:
        self.asked.append("ed25519")
        return super().ed25519(public, message, signature)

    def vrf(
        self,
        public: bytes,
        transcript: Transcript,
        pre_output: bytes,
        proof: bytes,
        extra: Transcript | None = None,
    ) -> bool:
        self.asked.append("vrf")
        return super().vrf(public, transcript, pre_output, proof, extra)


def test_what_was_right_is_not_verified_again_and_what_was_wrong_is() -> None:
    counting = Counting()
    remembering = RememberingVerifier(counting)
    right, wrong = sr25519.sign(KEY, b"said"), bytes(64)
    for _ in range(3):
        assert remembering.sr25519(KEY.public, b"said", right)
    assert counting.asked == ["sr25519"]
    for _ in range(3):
        assert not remembering.sr25519(KEY.public, b"said", wrong)
    assert len(counting.asked) == 4 and len(remembering) == 1


def test_nothing_else_passes_for_what_was_right() -> None:
    """Another key, message, signature, kind, or another border between them."""
    remembering, direct = RememberingVerifier(DirectVerifier()), DirectVerifier()
    signature = sr25519.sign(KEY, b"said")
    assert remembering.sr25519(KEY.public, b"said", signature)
    assert not remembering.sr25519(VOTER.public, b"said", signature)
    assert not remembering.sr25519(KEY.public, b"sai", b"d" + signature)
    assert not remembering.sr25519(KEY.public, b"saie", signature)
    assert not remembering.ed25519(KEY.public, b"said", signature)
    assert not remembering.ecdsa(KEY.public, b"said", signature)
    extra, other = Transcript(b"extra"), Transcript(b"").append(b"extra", b"")
    made = vrf.vrf_sign(KEY, Transcript(b"drawn"), extra)
    assert remembering.vrf(KEY.public, Transcript(b"drawn"), made.pre_output, made.proof, extra)
    transcripts = (Transcript(b"drawn"), Transcript(b"drawn").append(b"", b""), extra)
    for transcript, bound in product(transcripts, (None, extra, other)):
        asked = (KEY.public, transcript, made.pre_output, made.proof, bound)
        assert remembering.vrf(*asked) is direct.vrf(*asked)


def test_so_much_is_remembered_and_what_was_asked_for_longest_ago_is_forgotten_first() -> None:
    counting = Counting()
    remembering = RememberingVerifier(counting, remembered=2)
    signed = {said: ed25519.sign(VOTER, said) for said in (b"one", b"two", b"three")}

    def ask(said: bytes) -> None:
        assert remembering.ed25519(VOTER.public, said, signed[said])

    for said in (b"one", b"two", b"one", b"three"):
        ask(said)
    assert len(remembering) == 2 and len(counting.asked) == 3
    ask(b"one")
    assert len(counting.asked) == 3
    ask(b"two")
    assert len(counting.asked) == 4


@pytest.mark.parametrize("public", [b"", bytes(32), b"no key"])
def test_garbage_is_wrong_and_no_error(public: bytes) -> None:
    remembering = RememberingVerifier(DirectVerifier())
    assert not remembering.sr25519(public, b"", b"")
    assert not remembering.ed25519(public, b"", b"")
    assert not remembering.vrf(public, Transcript(b""), b"", b"")
    assert len(remembering) == 0
