"""What goes into the approval machine, and what comes out of it: plain values.

Inputs are what happens to a node. Effects are what the node is to do, in their order and before
the next input; four of them have an answer, which is an input again.
"""

from __future__ import annotations

from collections.abc import Mapping

from parahost.approval.criteria import OwnAssignment
from parahost.node.messages.validity import (
    CheckVerdict,
    DistributeAssignment,
    DistributeCheck,
    ImportAssignment,
    ImportCheck,
)
from parahost.node.validity.checked_block import CheckedBlock
from parahost.primitives.approval import Approval, Assignment, RelayVrfStory
from parahost.primitives.basic import BlockNumber, Hash, ValidatorIndex
from parahost.primitives.runtime_api import IncludedCandidate, SessionInfo
from parahost.primitives.values import dataclass
from parahost.runtime.parachains.approvals import CheckState
from parahost.runtime.parachains.windows import CandidateKey

CandidatePlace = tuple[Hash, int]
"""A block, and which of its candidates."""

# Inputs


@dataclass(frozen=True, slots=True)
class OwnAssignmentsDrawn:
    """The answer to :class:`DrawAssignments`: by candidate of the block."""

    block: Hash
    drawn: Mapping[int, OwnAssignment]


@dataclass(frozen=True, slots=True)
class OwnAssignmentCertified:
    """The answer to :class:`CertifyAssignment`."""

    place: CandidatePlace
    assignment: Assignment


@dataclass(frozen=True, slots=True)
class CandidateChecked:
    """The answer to :class:`BeginCheck`."""

    key: CandidateKey
    verdict: CheckVerdict


@dataclass(frozen=True, slots=True)
class OwnApprovalSigned:
    """The answer to :class:`SignApproval`; ``None`` when this node has said otherwise, or has lost
    the key."""

    key: CandidateKey
    approval: Approval | None


@dataclass(frozen=True, slots=True)
class ChecksNoted:
    """What the chain says at a block of the checks of candidates of its fork. ``vouched``: those
    that a supermajority has called valid in a dispute."""

    block: Hash
    noted: Mapping[CandidateKey, CheckState]
    vouched: frozenset[CandidateKey] = frozenset()


@dataclass(frozen=True, slots=True)
class BlocksRecorded:
    """The best block is ``best``, and the states of the heads record the candidates of blocks of
    these numbers: what is not accepted, or disputed, or in its acceptance period."""

    best: BlockNumber
    recorded: frozenset[BlockNumber]


@dataclass(frozen=True, slots=True)
class CandidatesFinal:
    """The block is final, and so are those below it."""

    block: Hash
    number: BlockNumber


@dataclass(frozen=True, slots=True)
class CandidatesSettled:
    """The final chain takes no checks of these candidates any more."""

    keys: frozenset[CandidateKey]


ApprovalInput = (
    CheckedBlock
    | OwnAssignmentsDrawn
    | OwnAssignmentCertified
    | ImportAssignment
    | ImportCheck
    | CandidateChecked
    | OwnApprovalSigned
    | ChecksNoted
    | BlocksRecorded
    | CandidatesFinal
    | CandidatesSettled
)


# Effects


@dataclass(frozen=True, slots=True)
class Draw:
    """Candidates of a block for which a validator draws from one story: by core, which of the
    block's candidates it is."""

    me: ValidatorIndex
    session: SessionInfo
    story: RelayVrfStory
    candidates: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class DrawAssignments:
    """Draw this node's own assignments, and answer :class:`OwnAssignmentsDrawn`."""

    block: Hash
    draws: tuple[Draw, ...]


@dataclass(frozen=True, slots=True)
class CertifyAssignment:
    """Make the proof of an own assignment, and answer :class:`OwnAssignmentCertified`."""

    place: CandidatePlace
    me: ValidatorIndex
    session: SessionInfo
    story: RelayVrfStory
    own: OwnAssignment


@dataclass(frozen=True, slots=True)
class BeginCheck:
    """Check a candidate that the block has included, and answer :class:`CandidateChecked`."""

    key: CandidateKey
    block: Hash
    candidate: IncludedCandidate


@dataclass(frozen=True, slots=True)
class SignApproval:
    """Sign that the candidate is valid, and answer :class:`OwnApprovalSigned`."""

    key: CandidateKey
    me: ValidatorIndex
    session: SessionInfo


@dataclass(frozen=True, slots=True)
class DisputeCandidate:
    """This node has found the candidate invalid: tell the dispute coordinator."""

    key: CandidateKey
    candidate: IncludedCandidate


@dataclass(frozen=True, slots=True)
class TellApproved:
    """In this node's view a candidate has the checks that it needs. ``waited``: in tranches;
    ``by_third``: they are more than a third of all validators."""

    place: CandidatePlace
    key: CandidateKey
    checks: int
    waited: int
    late: int
    by_third: bool


@dataclass(frozen=True, slots=True)
class TellLate:
    """So many checkers of a candidate more do not deliver in time."""

    place: CandidatePlace
    key: CandidateKey
    late: int


@dataclass(frozen=True, slots=True)
class ForgetBlock:
    """The chain has let go of the block's candidates, and this node has approved them: nothing is
    said of them any more."""

    block: Hash


@dataclass(frozen=True, slots=True)
class ForgetCandidate:
    """No block that counts has the candidate any more: what is under way for it may end."""

    key: CandidateKey


ApprovalEffect = (
    DrawAssignments
    | CertifyAssignment
    | DistributeAssignment
    | BeginCheck
    | SignApproval
    | DistributeCheck
    | DisputeCandidate
    | TellApproved
    | TellLate
    | ForgetBlock
    | ForgetCandidate
)
