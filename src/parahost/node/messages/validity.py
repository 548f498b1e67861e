"""Secondary checks, disputes and chain selection (A53-A65, D20-D27)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from parahost.node.messages.base import Message, Reply, Request
from parahost.node.messages.network import NetworkBridgeEvent
from parahost.node.validity.checked_block import CheckedBlock
from parahost.node.validity.disputes.effects import VotesBrought, VotesVerdict
from parahost.node.validity.disputes.wire import TakeHolder
from parahost.primitives.approval import Approval, Assignment, SecondaryChecks, Tranche
from parahost.primitives.basic import (
    BlockNumber,
    CandidateHash,
    Hash,
    PeerId,
    SessionIndex,
    ValidatorIndex,
    ValidatorSignature,
)
from parahost.primitives.candidates import CandidateReceipt
from parahost.primitives.disputes import DisputeStatementSet
from parahost.primitives.remote_disputes import AvailabilityVotes

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
    ``is_disputed``: it is checked before what waits and is not.
    """

    receipt: CandidateReceipt
    session: SessionIndex
    backers: tuple[ValidatorIndex, ...]
    known_at: Hash
    is_disputed: bool = False


# To Chain Selection


@dataclass(slots=True)
class ApprovalsMoved(Message):
    """Candidates have their checks in this node's view, or blocks are known to it, that had not or
    were not: :class:`ApprovedAncestor` may say more than before."""


@dataclass(slots=True)
class DisputeMoved(Message):
    """A dispute has begun, come further or turned.

    ``towards_invalid``: this node has itself voted against the candidate, or more than f validators
    have, and no supermajority has called it valid. Told again after a start, and ``False`` when the
    dispute is over or forgotten.
    """

    session: SessionIndex
    candidate: CandidateHash
    towards_invalid: bool


# To Approval Voting


@dataclass(slots=True)
class ImportAssignment(Message):
    """A validator has announced that it checks the ``index``-th candidate of a block, and its proof
    shows that it was drawn for that tranche."""

    block: Hash
    index: int
    assignment: Assignment
    tranche: Tranche


@dataclass(slots=True)
class ImportCheck(Message):
    """A validator that has announced it has checked the candidate; the signature is its own."""

    block: Hash
    index: int
    approval: Approval


@dataclass(eq=False, slots=True)
class ApprovedAncestor(Request[tuple[Hash, BlockNumber]]):
    """The highest block from ``base`` up to ``target`` such that in this node's view all candidates
    that were included after ``base`` have their checks (D27): ``base`` itself when nothing is known
    of its child."""

    base: tuple[Hash, BlockNumber]
    target: tuple[Hash, BlockNumber]


@dataclass(eq=False, slots=True)
class ChecksForChain(Request[tuple[SecondaryChecks, ...]]):
    """What this node knows of the checks of candidates that the fork up to ``leaf`` lacks, those of
    the oldest candidates first. Dropped when it is no active leaf."""

    leaf: Hash


@dataclass(eq=False, slots=True)
class ApprovalsOf(Request[tuple[Approval, ...]]):
    """The checks of a candidate that this node has heard of, with its own: who has checked it has
    said that it is valid, be that in a block or not (D23)."""

    session: SessionIndex
    candidate: CandidateHash


# To the Dispute Coordinator


@dataclass(slots=True)
class IssueVote(Message):
    """A check of ours has found a candidate of that session invalid: vote so, which disputes it
    (D23). Nothing is said against what this node has said before, be it in an earlier life."""

    session: SessionIndex
    receipt: CandidateReceipt


@dataclass(eq=False, slots=True)
class ImportVotes(Request[tuple[VotesVerdict, ...]]):
    """Statements that peers have brought. Answered with a verdict on each of ``brought`` once all
    that is new is on disk."""

    brought: tuple[VotesBrought, ...]


@dataclass(frozen=True, slots=True)
class ChainDisputes:
    """What a child of a block can take: votes that its fork lacks, the most urgent first; and who
    holds the data of what is disputed from other forks."""

    disputes: tuple[DisputeStatementSet, ...] = ()
    availability: tuple[AvailabilityVotes, ...] = ()


@dataclass(eq=False, slots=True)
class DisputesForChain(Request[ChainDisputes]):
    """For who makes a child of that block (D25). Dropped when the block is no active leaf."""

    relay_parent: Hash


@dataclass(frozen=True, slots=True)
class BlockCandidates:
    """A block, and what it has included."""

    block: Hash
    candidates: tuple[CandidateHash, ...]


@dataclass(eq=False, slots=True)
class UndisputedChain(Request[Hash]):
    """The last of ``blocks``, which follow one another from a child of ``base`` on, up to which
    nobody disputes what is included, unless a supermajority has vouched for it; ``base`` when that
    is none of them (D27)."""

    base: Hash
    blocks: tuple[BlockCandidates, ...]


@dataclass(eq=False, slots=True)
class BarredCandidates(Request[frozenset[CandidateHash]]):
    """Which of these candidates nobody should back or include: those found invalid, and those that
    are disputed by more than may be liars, or though a fork has included them."""

    candidates: tuple[CandidateHash, ...]


@dataclass(eq=False, slots=True)
class ImportHolders(Request[tuple[VotesVerdict, ...]]):
    """Validators say that they hold their chunks of what is disputed from another fork (A60).
    Answered with a verdict on each once what is new is on disk."""

    holders: tuple[TakeHolder, ...]


# To Dispute Distribution


@dataclass(slots=True)
class DistributeVotes(Message):
    """Bring these statements to all validators of their session, and of this one, until each has
    them."""

    receipt: CandidateReceipt
    statements: DisputeStatementSet


@dataclass(slots=True)
class DistributeHolder(Message):
    """Bring to all validators that this node, that validator, holds its chunk of the candidate."""

    session: SessionIndex
    candidate: CandidateHash
    validator: ValidatorIndex
    signature: ValidatorSignature


@dataclass(slots=True)
class DisputeRequested(Message):
    """A peer asks us to take what it says of a dispute."""

    peer: PeerId
    payload: bytes
    reply: Reply[bytes | None]


# To Approval Distribution


@dataclass(slots=True)
class DistributeChecksOf(Message):
    """From now on the checks of a block's candidates may be spoken of. Who works on it works on the
    block ``below`` too, the next on the way down of which this was told before; if there is one."""

    block: CheckedBlock
    below: Hash | None


@dataclass(slots=True)
class ForgetChecksOf(Message):
    """Nothing is said of the checks of a block's candidates any more, though it is not final."""

    block: Hash


@dataclass(slots=True)
class DistributeAssignment(Message):
    """Announce that this node checks a candidate."""

    block: Hash
    index: int
    assignment: Assignment


@dataclass(slots=True)
class DistributeCheck(Message):
    """Tell that this node has checked a candidate whose check it has announced."""

    block: Hash
    index: int
    approval: Approval


@dataclass(slots=True)
class ApprovalNetwork(Message):
    """An event of the protocol ``appr``."""

    event: NetworkBridgeEvent
