"""The parameters of checks, disputes and penalties, and what their values may be (D22-D26).

They are a configuration of their own: the guide's ``HostConfiguration`` keeps its fields.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Final, NewType

from parahost.primitives.approval import ApprovalParameters
from parahost.primitives.basic import U32, BlockNumber
from parahost.primitives.configuration import A_DAY, Bounds, OutOfBounds
from parahost.primitives.limits import MAX_VALIDATORS

Perbill = NewType("Perbill", U32)
"""A part of a whole, in parts of :data:`PARTS_PER_BILLION`."""
PARTS_PER_BILLION: Final = 10**9


def part_of(part: Perbill, amount: int) -> int:
    """That part of an amount, rounded down."""
    return amount * part // PARTS_PER_BILLION


@dataclass(frozen=True, slots=True)
class Penalties:
    """Which part of its stake a validator loses for what (D26)."""

    backed_invalid: Perbill
    """It has backed a candidate that is invalid."""
    voted_for_invalid: Perbill
    """It has checked such a candidate, or voted on it, and called it valid."""
    voted_against_valid: Perbill
    double_vote: Perbill
    """It has said two things that exclude each other: of candidates, as an author, as a voter on
    finality."""
    disputed_unavailable: Perbill
    """It has disputed a candidate of another fork whose data nobody has."""
    distraction: Perbill
    """It has called valid what did not get a supermajority either way (A63)."""
    not_voted: Perbill
    """It has not voted in a dispute that found a supermajority (A64)."""


@dataclass(frozen=True, slots=True)
class ValidityConfiguration:
    """Parameters that governance may change, at session boundaries. Periods are in relay chain
    blocks, which follow the one with which they begin."""

    approval: ApprovalParameters
    dispute_period: BlockNumber
    """So long a dispute may be without a supermajority, before those who vouched pay (A63)."""
    late_vote_period: BlockNumber
    """So long a concluded dispute stays open for votes (A57)."""
    remote_availability_period: BlockNumber
    """So long the validators have to say that they hold a remotely disputed candidate (A60)."""
    penalties: Penalties
    reward: Perbill
    """Of what a dispute takes from those in the wrong, this part goes to those in the right."""


_PART: Final = "it is a part of a stake"
_WAKE: Final = "checkers and the chain look at each tranche"

VALIDITY_BOUNDS: Final[Mapping[str, Bounds]] = {
    "needed_approvals": Bounds(0, MAX_VALIDATORS, "there are no more validators"),
    "relay_vrf_modulo_samples": Bounds(1, 100, "each validator draws so often for each block"),
    "n_delay_tranches": Bounds(1, 1000, _WAKE),
    "zeroth_delay_tranche_width": Bounds(0, 1000, _WAKE),
    "tranches_per_slot": Bounds(1, 100, _WAKE),
    "no_show_slots": Bounds(1, 100, "a check takes some seconds"),
    "dispute_period": Bounds(1, A_DAY, "an open dispute keeps its candidate"),
    "late_vote_period": Bounds(1, A_DAY, "an open dispute keeps its candidate"),
    "remote_availability_period": Bounds(1, A_DAY, "the code of the candidate is kept so long"),
    "backed_invalid": Bounds(0, PARTS_PER_BILLION, _PART),
    "voted_for_invalid": Bounds(0, PARTS_PER_BILLION, _PART),
    "voted_against_valid": Bounds(0, PARTS_PER_BILLION, _PART),
    "double_vote": Bounds(0, PARTS_PER_BILLION, _PART),
    "disputed_unavailable": Bounds(0, PARTS_PER_BILLION, _PART),
    "distraction": Bounds(0, PARTS_PER_BILLION, _PART),
    "not_voted": Bounds(0, PARTS_PER_BILLION, _PART),
    "reward": Bounds(0, PARTS_PER_BILLION, "it is a part of what is taken"),
}
"""What each value may be."""


def validity_breach(config: ValidityConfiguration) -> OutOfBounds | None:
    """The first value that is out of its bounds."""
    for name, value in _values(config):
        bounds = VALIDITY_BOUNDS[name]
        if not bounds.least <= value <= bounds.greatest:
            return OutOfBounds(name, value, bounds)
    return None


def _values(config: ValidityConfiguration) -> Iterator[tuple[str, int]]:
    for part in (config.approval, config.penalties, config):
        for field in fields(part):
            value = getattr(part, field.name)
            if isinstance(value, int):
                yield field.name, value
