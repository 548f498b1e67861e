"""What goes into the disputes' machine, and what comes out of it: plain values.

Effects are done in their order, before the next input. Two of them have an answer, which is an
input again and may come later: :class:`SignDisputeVote` and :class:`CheckDisputed`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from parahost.node.validity.disputes.record import DisputeRow
from parahost.primitives.basic import SessionIndex, ValidatorId, ValidatorIndex
from parahost.primitives.candidates import CandidateReceipt
from parahost.primitives.disputes import (
    DisputeOutcome,
    DisputeStatementSet,
    SignedDisputeStatement,
)
from parahost.primitives.runtime_api import SessionInfo
from parahost.runtime.parachains.windows import CandidateKey


class VotesVerdict(Enum):
    """What statements on a candidate that a peer has brought are worth."""

    NEW = "they say something new"
    KNOWN = "all of that is known"
    MISNAMED = "the candidate has another hash"
    UNKNOWN_SESSION = "the session is not, or no longer, known"
    ONE_SIDED = "nobody in them contradicts anybody"
    REPEATED = "one validator says one thing twice"
    NO_VALIDATOR = "the session has no such validator"
    BAD_FORM = "they are in a form that nobody signs of this candidate"
    BAD_SIGNATURE = "a statement is not signed by its validator"
    NOT_ASKED = "no fork wants to know who holds its data"
    TOO_MANY = "those who say so have a part in as many unconfirmed disputes as may be"

    @property
    def is_taken(self) -> bool:
        """Whether this node has, by now, all that was brought."""
        return self in (VotesVerdict.NEW, VotesVerdict.KNOWN)


# Inputs


@dataclass(frozen=True, slots=True)
class SessionJudged:
    """A session whose candidates can be disputed, and who of its validators this node is."""

    info: SessionInfo
    own: ValidatorIndex | None


@dataclass(frozen=True, slots=True)
class SessionsOver:
    """Of sessions before that one nothing is judged any more, on any fork."""

    first: SessionIndex


@dataclass(frozen=True, slots=True)
class VotesBrought:
    """A peer brings statements on a candidate. Answered by :class:`AnswerVotes`."""

    receipt: CandidateReceipt
    statements: DisputeStatementSet


@dataclass(frozen=True, slots=True)
class VotesInBlock:
    """A block of some fork has statements on a candidate; the chain has verified them."""

    key: CandidateKey
    statements: tuple[SignedDisputeStatement, ...]


@dataclass(frozen=True, slots=True)
class ChecksHeard:
    """Checks of a disputed candidate that no block need have; their signatures are verified."""

    key: CandidateKey
    statements: tuple[SignedDisputeStatement, ...]


@dataclass(frozen=True, slots=True)
class TestimonyGiven:
    """A block of some fork says more of the candidate than was known: it has backed or included
    it."""

    key: CandidateKey


@dataclass(frozen=True, slots=True)
class AvailableElsewhere:
    """The candidate of another fork is available to those who dispute it here: that is as good as
    included."""

    key: CandidateKey


@dataclass(frozen=True, slots=True)
class TakenUp:
    """A fork of ours disputes the candidate, and nobody has a supermajority there."""

    key: CandidateKey


@dataclass(frozen=True, slots=True)
class CheckFailed:
    """This node has found a candidate invalid, in a check that nobody has asked it for here."""

    session: SessionIndex
    receipt: CandidateReceipt


@dataclass(frozen=True, slots=True)
class Checked:
    """The answer to :class:`CheckDisputed`. ``None``: nothing was found, for lack of data or by a
    fault of this machine."""

    key: CandidateKey
    valid: bool | None


@dataclass(frozen=True, slots=True)
class OwnDisputeVote:
    """The answer to :class:`SignDisputeVote`; ``None`` when something else was promised."""

    key: CandidateKey
    vote: SignedDisputeStatement | None


DisputeInput = (
    SessionJudged
    | SessionsOver
    | VotesBrought
    | VotesInBlock
    | ChecksHeard
    | TestimonyGiven
    | AvailableElsewhere
    | TakenUp
    | CheckFailed
    | Checked
    | OwnDisputeVote
)


# Effects


@dataclass(frozen=True, slots=True)
class Save:
    """Write, durably and at once: the disputes' rows, and statements. It is the first effect, so
    that nothing is said that would be forgotten."""

    rows: Mapping[CandidateKey, DisputeRow]
    statements: tuple[tuple[CandidateKey, SignedDisputeStatement], ...]


@dataclass(frozen=True, slots=True)
class Forget:
    """Delete all of the sessions before that one."""

    first: SessionIndex


@dataclass(frozen=True, slots=True)
class AnswerVotes:
    """The verdict on what was brought."""

    verdict: VotesVerdict


@dataclass(frozen=True, slots=True)
class CheckDisputed:
    """Recover and execute the candidate, and answer :class:`Checked`."""

    key: CandidateKey
    receipt: CandidateReceipt


@dataclass(frozen=True, slots=True)
class SignDisputeVote:
    """Sign the vote with that key, and answer :class:`OwnDisputeVote`."""

    key: CandidateKey
    validator: ValidatorIndex
    public: ValidatorId
    valid: bool


@dataclass(frozen=True, slots=True)
class Distribute:
    """Bring this node's statement, and one that contradicts it, to all validators."""

    receipt: CandidateReceipt
    statements: DisputeStatementSet


class DisputeStep(Enum):
    """How far a dispute has come."""

    BEGUN = "begun"
    CONFIRMED = "confirmed"
    """More than f validators have a part in it."""
    CONCLUDED = "concluded"


@dataclass(frozen=True, slots=True)
class TellStep:
    """A dispute has come that far; ``outcome`` when it is concluded."""

    key: CandidateKey
    step: DisputeStep
    outcome: DisputeOutcome | None = None


@dataclass(frozen=True, slots=True)
class TellVote:
    """A validator's vote is new."""

    key: CandidateKey
    validator: ValidatorIndex
    valid: bool


@dataclass(frozen=True, slots=True)
class TellBothWays:
    """A validator has called the candidate valid and invalid. The two statements are the proof, and
    blocks bring them."""

    key: CandidateKey
    validator: ValidatorIndex


@dataclass(frozen=True, slots=True)
class TellLeaning:
    """Whether the candidate is, by what this node holds, invalid or on its way there: for who
    chooses forks. It is told when it changes, and after a start."""

    key: CandidateKey
    towards_invalid: bool


@dataclass(frozen=True, slots=True)
class TellVoiceless:
    """This node has promised the contrary of what it finds, and keeps silent."""

    key: CandidateKey


DisputeEffect = (
    Save
    | Forget
    | AnswerVotes
    | CheckDisputed
    | SignDisputeVote
    | Distribute
    | TellStep
    | TellVote
    | TellBothWays
    | TellLeaning
    | TellVoiceless
)
