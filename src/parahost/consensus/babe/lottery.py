"""Winning a slot: by VRF (primary), or in turn (secondary)."""

from __future__ import annotations

from parahost.consensus.babe.epochs import Epoch
from parahost.ports import KeyStore, KeyType
from parahost.primitives.basic import Slot
from parahost.primitives.transcript import Transcript
from parahost.runtime import babe
from parahost.runtime.slot_lottery import (
    SCORE_BYTES,
    SCORE_CONTEXT,
    author_in_turn,
    threshold,
    vrf_score,
)

__all__ = ["own_score", "primary_threshold", "secondary_author", "slot_transcript", "vrf_score"]


def slot_transcript(slot: Slot, epoch: Epoch) -> Transcript:
    """What an author's VRF signs for a slot."""
    return babe.slot_transcript(slot, epoch.index, epoch.randomness)


def own_score(public: bytes, transcript: Transcript, keys: KeyStore) -> int:
    """As :func:`vrf_score`, for a key that we hold, and before anything is proved."""
    drawn = keys.vrf_output(KeyType.BABE, public, transcript, SCORE_CONTEXT, SCORE_BYTES)
    return int.from_bytes(drawn, "little")


def primary_threshold(epoch: Epoch, authority_index: int) -> int:
    """The score below which this authority wins a slot; its weight is its part of all."""
    weights = tuple(weight for _, weight in epoch.authorities)
    return threshold(epoch.parameters.c, weights[authority_index], sum(weights))


def secondary_author(slot: Slot, epoch: Epoch) -> int:
    """The index of the authority to whom the slot falls in turn."""
    return author_in_turn(slot, epoch.randomness, len(epoch.authorities))
