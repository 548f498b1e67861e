"""Winning a slot: by VRF (primary), or in turn (secondary)."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

from parahost.consensus.babe.epochs import Epoch
from parahost.crypto.vrf import make_bytes, vrf_inout
from parahost.ports import KeyStore, KeyType
from parahost.primitives.basic import Slot
from parahost.primitives.hashing import blake2_256
from parahost.primitives.once import once
from parahost.primitives.transcript import Transcript
from parahost.runtime import babe

_SCORE_CONTEXT = b"substrate-babe-vrf"
_SCORE_BYTES = 16


def slot_transcript(slot: Slot, epoch: Epoch) -> Transcript:
    """What an author's VRF signs for a slot."""
    return babe.slot_transcript(slot, epoch.index, epoch.randomness)


@once(64)
def vrf_score(public: bytes, transcript: Transcript, pre_output: bytes) -> int:
    """The number in ``[0, 2**128)`` that a VRF has drawn; below the threshold it wins."""
    inout = vrf_inout(public, transcript, pre_output)
    return int.from_bytes(make_bytes(inout, _SCORE_CONTEXT, _SCORE_BYTES), "little")


def own_score(public: bytes, transcript: Transcript, keys: KeyStore) -> int:
    """As :func:`vrf_score`, for a key that we hold, and before anything is proved."""
    drawn = keys.vrf_output(KeyType.BABE, public, transcript, _SCORE_CONTEXT, _SCORE_BYTES)
    return int.from_bytes(drawn, "little")


def primary_threshold(epoch: Epoch, authority_index: int) -> int:
    """The score below which this authority wins a slot: ``2**128 * (1 - (1-c)**weight)``, the
    weight being its part of all."""
    weights = tuple(weight for _, weight in epoch.authorities)
    return threshold(epoch.parameters.c, weights[authority_index], sum(weights))


@lru_cache(maxsize=1024)
def threshold(c: tuple[int, int], weight: int, total: int) -> int:
    """As :func:`primary_threshold`. Substrate takes the power in double precision and then
    counts exactly; so do we, to the same bit."""
    if c[1] == 0 or total == 0:
        return 0
    chance = 1.0 - (1.0 - c[0] / c[1]) ** (weight / total)
    return int(Fraction(chance) * (1 << 128))


def secondary_author(slot: Slot, epoch: Epoch) -> int:
    """The index of the authority to whom the slot falls in turn."""
    drawn = blake2_256(epoch.randomness + slot.to_bytes(8, "little"))
    return int.from_bytes(drawn, "big") % len(epoch.authorities)
