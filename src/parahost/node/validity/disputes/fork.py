"""Which votes a fork lacks, the most urgent first, as many as a block takes (D25, A58). Pure.

A candidate that the fork has not included, and of which nobody has a supermajority, comes in
another way: by a transaction (A59).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum

from parahost.node.validity.disputes.record import Dispute, VoteForm
from parahost.primitives.basic import SessionIndex, ValidatorIndex
from parahost.primitives.disputes import (
    DisputeState,
    DisputeStatementSet,
    SignedDisputeStatement,
)
from parahost.primitives.runtime_api import SessionInfo
from parahost.runtime.parachains.dispute_votes import Votes
from parahost.runtime.parachains.inherent_weight import (
    DISPUTE,
    DISPUTE_VOTE,
    MAX_DISPUTES_WEIGHT,
)
from parahost.runtime.parachains.validity import MAX_DISPUTED
from parahost.runtime.parachains.windows import CandidateKey
from parahost.runtime.weights import Weight


@dataclass(frozen=True, slots=True)
class ForkView:
    """What a block's state says to its child."""

    sessions: Mapping[SessionIndex, SessionInfo]
    """Those whose candidates can be judged."""
    disputes: Mapping[CandidateKey, DisputeState]
    included: Mapping[CandidateKey, Votes]
    """The candidates that the fork has included and keeps, with backing and checks that it has."""
    may_begin: Callable[[SessionIndex, ValidatorIndex], bool]
    """Whether the fork lets that validator begin a dispute."""


class Urgency(IntEnum):
    """What comes first into a block."""

    CONCLUDES = 0
    """With these votes there is a supermajority."""
    GOES_ON = 1
    """The fork disputes it."""
    BEGINS = 2
    COMES_LATE = 3
    """The fork has concluded."""


@dataclass(frozen=True, slots=True)
class LackedVotes:
    """The votes on one candidate that a fork lacks."""

    dispute: Dispute
    urgency: Urgency
    statements: tuple[SignedDisputeStatement, ...]
    is_whole: bool
    """A part of them would be refused."""

    def some(self, count: int) -> DisputeStatementSet:
        session, candidate = self.dispute.key
        return DisputeStatementSet(candidate, session, self.statements[:count])


def votes_for_fork(disputes: Iterable[Dispute], fork: ForkView) -> tuple[DisputeStatementSet, ...]:
    """What a block's author may bring: what does not fit comes with the next block."""
    found = (lacking(each, fork) for each in disputes)
    ordered = sorted(
        (each for each in found if each is not None),
        key=lambda each: (each.urgency, each.dispute.row.begun_ms, each.dispute.key),
    )
    room, taken = MAX_DISPUTES_WEIGHT, []
    for each in ordered:
        fitting = _fitting(len(each.statements), room)
        if not fitting or (each.is_whole and fitting < len(each.statements)):
            continue
        taken.append(each.some(fitting))
        room -= DISPUTE + DISPUTE_VOTE * fitting
        if len(taken) == MAX_DISPUTED:
            break
    return tuple(taken)


def _fitting(statements: int, room: Weight) -> int:
    """How many of the statements on one candidate there is room for."""
    left = (room - DISPUTE).ref_time // DISPUTE_VOTE.ref_time
    return max(min(statements, left), 0)


def lacking(dispute: Dispute, fork: ForkView) -> LackedVotes | None:
    """The votes that the fork lacks, and would take; ``None`` when there are none."""
    info, state = fork.sessions.get(dispute.key[0]), fork.disputes.get(dispute.key)
    known = fork.included.get(dispute.key)
    if info is None or not dispute.is_disputed():
        return None
    if state is not None and state.is_closed and (state.outcome is not None or known is None):
        return None
    before = (known or Votes()) if state is None else Votes.of(state)
    votes, news = before, []
    for signed in _against_first(dispute):
        after = votes.including(signed[0], signed[1])
        if after != votes:
            votes = after
            news.append(signed)
    if not news or (state is None and not votes.valid):
        return None
    urgency = _urgency(state, votes, len(info.validators))
    if urgency is Urgency.BEGINS and (known is None or not _may_begin(dispute, fork)):
        return None
    is_whole = urgency is Urgency.CONCLUDES and state is None and known is None
    return LackedVotes(dispute, urgency, tuple(news), is_whole)


def _may_begin(dispute: Dispute, fork: ForkView) -> bool:
    """Whether one of those who dispute it may answer for it."""
    session, _ = dispute.key
    return any(fork.may_begin(session, validator) for validator in sorted(dispute.votes.invalid))


def _against_first(dispute: Dispute) -> list[SignedDisputeStatement]:
    """A dispute begins with a vote against; who has backed it is known as that at once."""
    order = (VoteForm.INVALID, VoteForm.BACKING, VoteForm.VALID)
    listed = dispute.statements.items()
    return [signed for form in order for (_, said), signed in listed if said is form]


def _urgency(state: DisputeState | None, votes: Votes, validators: int) -> Urgency:
    if state is not None and state.outcome is not None:
        return Urgency.COMES_LATE
    if votes.outcome(validators) is not None:
        return Urgency.CONCLUDES
    return Urgency.BEGINS if state is None else Urgency.GOES_ON
