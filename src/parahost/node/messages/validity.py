"""Secondary checks, disputes and chain selection (A53-A65, D20-D27)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from parahost.node.messages.base import Message, Request
from parahost.primitives.basic import CandidateHash, Hash, SessionIndex, ValidatorIndex
from parahost.primitives.candidates import CandidateReceipt

# To Candidate Checking


class CheckVerdict(Enum):
    """What a check has found. Only the first two are said to others: every machine that has the
    data finds the same (D34)."""

    VALID = "valid"
    INVALID = "invalid"
    UNAVAILABLE = "unavailable"
    """Nobody who could be reached had enough of its data."""
    UNDECIDED = "undecided"
    """What it is judged by is not known here, or this machine failed."""


@dataclass(frozen=True, slots=True)
class CheckOutcome:
    """A verdict, and why."""

    verdict: CheckVerdict
    reason: str


@dataclass(eq=False, slots=True)
class CheckCandidate(Request[CheckOutcome]):
    """Recover a candidate's data, hold them against the erasure root, and execute (D22).

    ``session`` is that in which it was backed, and ``backers`` are the validators of it who are
    asked for the data as a whole. ``known_at`` is a block whose state knows the session and the
    candidate's code. Those who ask at the same time share one check; a verdict stays known.
    """

    receipt: CandidateReceipt
    session: SessionIndex
    backers: tuple[ValidatorIndex, ...]
    known_at: Hash


# To Chain Selection


@dataclass(slots=True)
class DisputeMoved(Message):
    """What this node holds of a disputed candidate has changed.

    ``towards_invalid``: it has itself voted against it, or more than f validators have, and no
    supermajority has called it valid. Told again after a start, and ``False`` when the dispute is
    over or forgotten.
    """

    session: SessionIndex
    candidate: CandidateHash
    towards_invalid: bool
