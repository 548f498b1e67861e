"""Remote disputes: of a candidate that another fork has included, unconcluded (A59-A61, D24)."""

from __future__ import annotations

from typing import Annotated

from parahost.primitives.basic import (
    CandidateHash,
    CoreIndex,
    SessionIndex,
    ValidationCode,
    ValidatorIndex,
    ValidatorSignature,
)
from parahost.primitives.candidates import CandidateReceipt
from parahost.primitives.disputes import MAX_DISPUTE_STATEMENTS, SignedDisputeStatement
from parahost.primitives.header import Header
from parahost.primitives.limits import MAX_CODE_BYTES, MAX_VALIDATORS
from parahost.primitives.scale import MaxLen
from parahost.primitives.values import dataclass


@dataclass(frozen=True, slots=True)
class RemoteDispute:
    """All that validators of this fork need to judge the candidate."""

    receipt: CandidateReceipt
    session: SessionIndex
    """In which the other fork has included it."""
    core: CoreIndex
    """On which it was there."""
    including_header: Header
    """Of the block that included it there, with its seal: its author's VRF draws the checkers, on
    all forks the same ones (A61)."""
    code: Annotated[ValidationCode, MaxLen(MAX_CODE_BYTES)] | None
    """The code that judges it; ``None`` when this fork has it."""
    statements: Annotated[tuple[SignedDisputeStatement, ...], MaxLen(MAX_DISPUTE_STATEMENTS)]
    """Its backing, and at least one vote against it; checks and votes besides."""


@dataclass(frozen=True, slots=True)
class AvailabilityVotes:
    """Validators of its session say that they hold their chunks of a remotely disputed candidate;
    ascending by validator."""

    session: SessionIndex
    candidate_hash: CandidateHash
    votes: Annotated[tuple[tuple[ValidatorIndex, ValidatorSignature], ...], MaxLen(MAX_VALIDATORS)]


def availability_payload(candidate: CandidateHash, session: SessionIndex) -> bytes:
    """What a validator signs who holds its chunk of a remotely disputed candidate."""
    return b"AVLB" + candidate + session.to_bytes(4, "little")
