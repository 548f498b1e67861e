"""Secondary checks, disputes and chain selection (A53-A65, D20-D27)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from parahost.node.messages.base import Message, Request
from parahost.node.messages.network import NetworkBridgeEvent
from parahost.node.validity.checked_block import CheckedBlock
from parahost.primitives.approval import Approval, Assignment, SecondaryChecks, Tranche
from parahost.primitives.basic import (
    BlockNumber,
    CandidateHash,
    Hash,
    SessionIndex,
    ValidatorIndex,
)
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


# To the Dispute Coordinator


@dataclass(slots=True)
class IssueVote(Message):
    """A check of ours has found a candidate of that session invalid: vote so, which disputes it
    (D23). Nothing is said against what this node has said before, be it in an earlier life."""

    session: SessionIndex
    receipt: CandidateReceipt


# To Approval Distribution


@dataclass(slots=True)
class DistributeChecksOf(Message):
    """From now on the checks of a block's candidates may be spoken of. Its parent was told before,
    unless it is final."""

    block: CheckedBlock


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
