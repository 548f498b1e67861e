"""Whose a slot is: what the importer of a block checks, and the runtime of a foreign fork's."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import Final

from parahost.crypto.vrf import make_bytes, vrf_inout
from parahost.primitives.basic import Slot
from parahost.primitives.hashing import blake2_256
from parahost.primitives.memoize import memoize
from parahost.primitives.transcript import Transcript

SCORE_CONTEXT: Final = b"substrate-babe-vrf"
SCORE_BYTES: Final = 16


@memoize(64)
def vrf_score(public: bytes, transcript: Transcript, pre_output: bytes) -> int:
    """The number in ``[0, 2**128)`` that a VRF has drawn; below the threshold it wins."""
    inout = vrf_inout(public, transcript, pre_output)
    return int.from_bytes(make_bytes(inout, SCORE_CONTEXT, SCORE_BYTES), "little")


@lru_cache(maxsize=1024)
def threshold(c: tuple[int, int], weight: int, total: int) -> int:
    """The score below which a slot is won: ``2**128 * (1 - (1-c)**part)``, ``part`` being the
    author's weight in all. Substrate takes the power in double precision and then counts exactly;
    so do we, to the same bit."""
    if c[1] == 0 or total == 0:
        return 0
    chance = 1.0 - (1.0 - c[0] / c[1]) ** (weight / total)
    return int(Fraction(chance) * (1 << 128))


def author_in_turn(slot: Slot, randomness: bytes, authorities: int) -> int:
    """The index of the authority to whom the slot falls in turn, when nobody has won it."""
    drawn = blake2_256(randomness + slot.to_bytes(8, "little"))
    return int.from_bytes(drawn, "big") % authorities
