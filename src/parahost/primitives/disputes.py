"""Dispute statements as they travel in blocks (A57-A60; the Polkadot encodings)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from parahost.primitives.basic import (
    CandidateHash,
    Hash,
    SessionIndex,
    ValidatorIndex,
    ValidatorSignature,
)
from parahost.primitives.limits import MAX_CORES, MAX_VALIDATORS
from parahost.primitives.scale import MaxLen, variant

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


@dataclass(frozen=True, slots=True)
class DisputeStatementSet:
    """All statements that one block brings on one candidate."""

    candidate_hash: CandidateHash
    session: SessionIndex
    statements: Annotated[
        tuple[tuple[DisputeStatement, ValidatorIndex, ValidatorSignature], ...],
        MaxLen(MAX_DISPUTE_STATEMENTS),
    ]
