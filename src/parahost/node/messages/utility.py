"""Runtime API, Chain API, Candidate Validation, Provisioner, Misbehavior Arbitration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from parahost.node.messages.base import Message, Request
from parahost.ports.validation import ExecutionKind
from parahost.primitives.acceptance import AcceptanceCriteria
from parahost.primitives.availability import SignedAvailabilityBitfield
from parahost.primitives.basic import (
    BlockNumber,
    CandidateHash,
    Hash,
    SessionIndex,
    ValidationCode,
)
from parahost.primitives.candidates import (
    CandidateCommitments,
    CandidateDescriptor,
    PersistedValidationData,
    PoV,
)
from parahost.primitives.disputes import DisputeOutcome
from parahost.primitives.header import Extrinsic, Header
from parahost.primitives.inherent import ParachainsInherentData
from parahost.primitives.misbehavior import MisbehaviorReport
from parahost.primitives.statements import BackedCandidate
from parahost.runtime.parachains.dispute_votes import Votes
from parahost.runtime.parachains.validity import NoteChecks

T = TypeVar("T")

# To the Runtime API


@dataclass(eq=False, slots=True)
class RuntimeApiRequest(Request[T], Generic[T]):
    """Ask the runtime of a child of ``relay_parent`` (A115, D19): ``function`` is given the state
    and ``args``; most are in ``parahost.runtime.parachains.api``. Answers are kept unless
    ``keep`` says that the question will not come again. Dropped when the state is not known."""

    relay_parent: Hash
    function: Callable[..., T]
    args: tuple[Any, ...] = ()
    keep: bool = True


# To the Chain API


@dataclass(eq=False, slots=True)
class BlockHeader(Request[Header | None]):
    block: Hash


@dataclass(eq=False, slots=True)
class BlockExtrinsics(Request[tuple[Extrinsic, ...] | None]):
    """A block's extrinsics; ``None`` when they are gone with its fork."""

    block: Hash


@dataclass(eq=False, slots=True)
class FinalizedHash(Request[Hash | None]):
    """The hash of the final block of that number; ``None`` when it is not final yet."""

    number: BlockNumber


# To Candidate Validation


@dataclass(frozen=True, slots=True)
class CandidateValid:
    """The outputs, and what they were computed against."""

    commitments: CandidateCommitments
    validation_data: PersistedValidationData


@dataclass(frozen=True, slots=True)
class CandidateInvalid:
    reason: str


@dataclass(frozen=True, slots=True)
class CandidateUndecided:
    """Nothing is known of the candidate, and nothing may be signed (D14)."""

    reason: str


ValidationOutcome = CandidateValid | CandidateInvalid | CandidateUndecided


@dataclass(eq=False, slots=True)
class ValidateCandidate(Request[ValidationOutcome]):
    """Judge a candidate (A102, D14). With ``commitments_hash``, its outputs must be these; with
    ``criteria``, what the relay chain accepts by them. Without, it has accepted them already."""

    descriptor: CandidateDescriptor
    commitments_hash: bytes | None
    validation_data: PersistedValidationData
    code: ValidationCode
    criteria: AcceptanceCriteria | None
    pov: PoV
    kind: ExecutionKind


# To the Provisioner


@dataclass(slots=True)
class ProvisionBitfield(Message):
    relay_parent: Hash
    bitfield: SignedAvailabilityBitfield


@dataclass(slots=True)
class ProvisionBackable(Message):
    """The guide's ``BackableCandidate``."""

    relay_parent: Hash
    candidate: BackedCandidate


@dataclass(frozen=True, slots=True)
class BlockAuthorshipData:
    """What a block author finds ready: the inherent, what is known of the checks of candidates, and
    reports of misbehaviour for the chain."""

    inherent: ParachainsInherentData
    checks: NoteChecks
    misbehavior: tuple[MisbehaviorReport, ...]


@dataclass(eq=False, slots=True)
class RequestBlockAuthorshipData(Request[BlockAuthorshipData]):
    """What to put into a child of that block (A104). Inherent and checks are always acceptable to
    its runtime (D15). Dropped when that block is no active leaf."""

    relay_parent: Hash


@dataclass(slots=True)
class ProvisionMisbehavior(Message):
    """A report that block authors should bring to the chain."""

    report: MisbehaviorReport


# To Misbehavior Arbitration


@dataclass(slots=True)
class ReportMisbehavior(Message):
    report: MisbehaviorReport


@dataclass(slots=True)
class DisputeSettled(Message):
    """A supermajority has said what a disputed candidate is, and a fork takes no more votes on it:
    these are all."""

    session: SessionIndex
    candidate: CandidateHash
    outcome: DisputeOutcome
    votes: Votes
    validators: int
