"""Disputes: votes as they are signed and travel in blocks, and how far one has come (A57-A60).

The forms of votes are Polkadot's.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, Final

from parahost.primitives.approval import approval_payload
from parahost.primitives.basic import (
    U128,
    BlockNumber,
    CandidateHash,
    Hash,
    SessionIndex,
    ValidatorIndex,
    ValidatorSignature,
)
from parahost.primitives.limits import MAX_CORES, MAX_VALIDATORS
from parahost.primitives.scale import BitVec, MaxLen, variant
from parahost.primitives.statements import (
    CompactSeconded,
    SigningContext,
    Valid,
    statement_payload,
)

MAX_DISPUTE_STATEMENTS = 4 * MAX_VALIDATORS
"""On one candidate, in one block: a validator may have backed, approved, and voted either way."""


@variant(0)
@dataclass(frozen=True, slots=True)
class ExplicitVote:
    """A vote given for the dispute itself."""


@variant(1)
@dataclass(frozen=True, slots=True)
class BackingSeconded:
    """A ``Seconded`` statement at that relay parent."""

    relay_parent: Hash


@variant(2)
@dataclass(frozen=True, slots=True)
class BackingValid:
    """A ``Valid`` statement at that relay parent."""

    relay_parent: Hash


@variant(3)
@dataclass(frozen=True, slots=True)
class ApprovalChecking:
    """An approval of this candidate alone."""


@variant(4)
@dataclass(frozen=True, slots=True)
class ApprovalCheckingMultipleCandidates:
    """An approval of several candidates by one signature."""

    candidates: Annotated[tuple[CandidateHash, ...], MaxLen(MAX_CORES)]


@variant(0)
@dataclass(frozen=True, slots=True)
class VoteValid:
    kind: (
        ExplicitVote
        | BackingSeconded
        | BackingValid
        | ApprovalChecking
        | ApprovalCheckingMultipleCandidates
    )


@variant(0)
@dataclass(frozen=True, slots=True)
class ExplicitInvalidVote:
    """A vote given for the dispute itself; an enum of its own on the wire."""


@variant(1)
@dataclass(frozen=True, slots=True)
class VoteInvalid:
    kind: ExplicitInvalidVote


DisputeStatement = VoteValid | VoteInvalid


SignedDisputeStatement = tuple[DisputeStatement, ValidatorIndex, ValidatorSignature]


@dataclass(frozen=True, slots=True)
class DisputeStatementSet:
    """All statements that one block brings on one candidate."""

    candidate_hash: CandidateHash
    session: SessionIndex
    statements: Annotated[tuple[SignedDisputeStatement, ...], MaxLen(MAX_DISPUTE_STATEMENTS)]


def dispute_payload(candidate: CandidateHash, session: SessionIndex, *, valid: bool) -> bytes:
    """What a validator signs as its vote in a dispute (D11)."""
    return b"DISP" + bytes([valid]) + candidate + session.to_bytes(4, "little")


def vote_payload(
    statement: DisputeStatement, candidate: CandidateHash, session: SessionIndex
) -> bytes | None:
    """What a validator has signed that makes the statement: an explicit vote, or one of what it
    says of candidates in any case. ``None`` for a form that nobody signs here (D11)."""
    match statement.kind:
        case ExplicitVote():
            return dispute_payload(candidate, session, valid=True)
        case ExplicitInvalidVote():
            return dispute_payload(candidate, session, valid=False)
        case BackingSeconded(relay_parent):
            context = SigningContext(session, relay_parent)
            return statement_payload(CompactSeconded, candidate, context)
        case BackingValid(relay_parent):
            return statement_payload(Valid, candidate, SigningContext(session, relay_parent))
        case ApprovalChecking():
            return approval_payload(candidate, session)
        case ApprovalCheckingMultipleCandidates():
            return None


# How far a dispute has come


class DisputeOutcome(IntEnum):
    """What a supermajority has said."""

    INVALID = 0
    VALID = 1


NOTHING: Final = U128(0)


@dataclass(frozen=True, slots=True)
class DisputeState:
    """A dispute on one fork. The votes have one bit per validator of the session."""

    validators_for: BitVec
    """Who has called the candidate valid: by backing, checking or voting."""
    validators_against: BitVec
    backers: BitVec
    """Who of the former has backed it."""
    start: BlockNumber
    opened_by: ValidatorIndex | None
    """Who answers for it until it is concluded; ``None`` when it came with its conclusion."""
    outcome: DisputeOutcome | None = None
    concluded_at: BlockNumber | None = None
    closes_at: BlockNumber | None = None
    """The last block that takes late votes."""
    lost: U128 = NOTHING
    """What it has cost those in the wrong, by now."""
    is_closed: bool = False


# What the header says

PARACHAINS_ENGINE: Final = b"PARA"


@dataclass(frozen=True, slots=True)
class Revert:
    """In a header's digest: this fork has included an invalid candidate. Go back to the last
    ancestor without it, and never include it again (A57)."""

    to: BlockNumber
    to_hash: Hash
    candidate: CandidateHash
