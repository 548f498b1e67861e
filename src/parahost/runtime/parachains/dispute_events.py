"""What the chain tells of disputes."""

from __future__ import annotations

from dataclasses import dataclass

from parahost.primitives.basic import BlockNumber, CandidateHash, SessionIndex
from parahost.primitives.disputes import DisputeOutcome
from parahost.runtime.module import RuntimeEvent, event


@event(0)
@dataclass(frozen=True, slots=True)
class DisputeInitiated(RuntimeEvent):
    """A candidate is disputed; ``local``: this fork has included it."""

    session: SessionIndex
    candidate_hash: CandidateHash
    local: bool


@event(1)
@dataclass(frozen=True, slots=True)
class DisputeConcluded(RuntimeEvent):
    """A supermajority has found the candidate to be that."""

    session: SessionIndex
    candidate_hash: CandidateHash
    outcome: DisputeOutcome


@event(2)
@dataclass(frozen=True, slots=True)
class DisputeTimedOut(RuntimeEvent):
    """There was no supermajority in time: those who vouched for the candidate pay (A63)."""

    session: SessionIndex
    candidate_hash: CandidateHash


@event(3)
@dataclass(frozen=True, slots=True)
class Frozen(RuntimeEvent):
    """This fork has included an invalid candidate, and includes none any more. Block ``to`` is the
    last without it."""

    to: BlockNumber
