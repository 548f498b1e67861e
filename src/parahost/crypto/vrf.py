"""schnorrkel's VRF on ristretto255 (D30), as BABE and the approval of candidates use it.

The transcript is hashed, with the public key, to a point whose logarithm nobody knows (the
*input*); the secret scalar times that point is the *pre-output*, of which there is only one. The
proof is Chaum-Pedersen's: pre-output over input and public key over generator have the same
logarithm. Substrate computes the challenge in Kusama's order, the public key after the commitments.

A pre-output or a public key that is the identity is refused, where schnorrkel would take it: only
the secret key zero has those.
"""

from __future__ import annotations

from dataclasses import dataclass

from parahost.crypto import ristretto
from parahost.crypto.merlin import MerlinTranscript
from parahost.crypto.sr25519 import Keypair
from parahost.ports.keystore import VrfSignature
from parahost.primitives.memoize import memoize
from parahost.primitives.transcript import Transcript

_NO_EXTRA = Transcript(b"VRF")
KNOWN = 4096
"""So many inputs and outputs are remembered. What a pre-output draws is looked at just before its
proof is, and gossip, blocks and the nodes of one process bring the same ones again."""


@dataclass(frozen=True, slots=True)
class VrfInOut:
    """An input and the pre-output that belongs to it; 32 bytes each."""

    input: bytes
    pre_output: bytes


def vrf_evaluate(keypair: Keypair, transcript: Transcript) -> VrfInOut:
    """What :func:`vrf_sign` would sign, without the proof: enough to learn whether one has won."""
    point = _input(keypair.public, transcript)
    pre_output = ristretto.multiply(keypair.scalar, point)
    assert pre_output is not None, "neither a secret scalar nor a hashed point is zero"
    return VrfInOut(point, pre_output)


def vrf_sign(
    keypair: Keypair, transcript: Transcript, extra: Transcript | None = None
) -> VrfSignature:
    """Evaluate the VRF and prove it; ``extra`` is bound into the proof only. The same arguments
    give the same signature."""
    inout = vrf_evaluate(keypair, transcript)
    proof = MerlinTranscript.of(extra or _NO_EXTRA)
    proof.append(b"proto-name", b"DLEQProof")
    proof.append(b"vrf:h", inout.input)
    forked = proof.copy()
    forked.append(b"vrf:pk", keypair.public)
    witness = keypair.witness(forked, b"proving\x00")
    on_base = ristretto.multiply_base(witness)
    on_input = ristretto.multiply(witness, inout.input)
    assert on_base is not None, "a witness is zero once in 2**252"
    assert on_input is not None
    challenge = _challenge(proof, on_base, on_input, keypair.public, inout.pre_output)
    response = (witness - challenge * keypair.scalar) % ristretto.ORDER
    return VrfSignature(
        inout.pre_output, ristretto.scalar_bytes(challenge) + ristretto.scalar_bytes(response)
    )


def vrf_verify(
    public: bytes,
    transcript: Transcript,
    pre_output: bytes,
    proof: bytes,
    extra: Transcript | None = None,
) -> VrfInOut | None:
    """The evaluation that the proof shows to be right; ``None`` when it shows none. Never raises
    for what bytes say."""
    challenge = ristretto.scalar_from_canonical(proof[:32])
    response = ristretto.scalar_from_canonical(proof[32:])
    if challenge is None or response is None:
        return None
    point = _input(public, transcript)
    on_base = _combine(challenge, public, response, None)
    on_input = _combine(challenge, pre_output, response, point)
    if on_base is None or on_input is None:
        return None
    claim = MerlinTranscript.of(extra or _NO_EXTRA)
    claim.append(b"proto-name", b"DLEQProof")
    claim.append(b"vrf:h", point)
    if challenge != _challenge(claim, on_base, on_input, public, pre_output):
        return None
    return VrfInOut(point, pre_output)


def vrf_inout(public: bytes, transcript: Transcript, pre_output: bytes) -> VrfInOut:
    """The input of a transcript with a pre-output that :func:`vrf_verify` has accepted for it,
    here or elsewhere; for :func:`make_bytes` without proving again."""
    return VrfInOut(_input(public, transcript), pre_output)


@memoize(KNOWN)
def make_bytes(inout: VrfInOut, context: bytes, length: int) -> bytes:
    """The VRF's output: that many uniform bytes, others for each context."""
    transcript = MerlinTranscript(b"VRFResult")
    transcript.append(b"", context)
    transcript.append(b"vrf-in", inout.input)
    transcript.append(b"vrf-out", inout.pre_output)
    return transcript.challenge(b"", length)


@memoize(KNOWN)
def _input(public: bytes, transcript: Transcript) -> bytes:
    """The transcript as a point, of its own for each public key (schnorrkel's non-malleable
    hash)."""
    hashed = MerlinTranscript.of(transcript)
    hashed.append(b"vrf-nm-pk", public)
    return ristretto.point_from_uniform(hashed.challenge(b"VRFHash", 64))


def _challenge(
    proof: MerlinTranscript, on_base: bytes, on_input: bytes, public: bytes, pre_output: bytes
) -> int:
    proof.append(b"vrf:R=g^r", on_base)
    proof.append(b"vrf:h^r", on_input)
    proof.append(b"vrf:pk", public)
    proof.append(b"vrf:h^sk", pre_output)
    return ristretto.scalar_from_wide(proof.challenge(b"prove", 64))


def _combine(a: int, left: bytes, b: int, right: bytes | None) -> bytes | None:
    """``a * left + b * right``, where ``None`` is the generator; ``None`` when a part is the
    identity or no point."""
    first = ristretto.multiply(a, left)
    second = ristretto.multiply_base(b) if right is None else ristretto.multiply(b, right)
    return ristretto.add(first, second) if first and second else None
