"""Statements about candidates, and the backing that they add up to (A111, A113, D11)."""

from __future__ import annotations

from typing import Annotated

from parahost.primitives.basic import (
    CandidateHash,
    Hash,
    SessionIndex,
    ValidatorIndex,
    ValidatorSignature,
)
from parahost.primitives.candidates import CommittedCandidateReceipt
from parahost.primitives.limits import MAX_VALIDATORS
from parahost.primitives.scale import BitVec, MaxLen, variant
from parahost.primitives.values import dataclass


@variant(1)
@dataclass(frozen=True, slots=True)
class Seconded:
    """A new candidate is put forward; an implicit vote for its validity. A validator seconds at
    most one candidate per relay parent (A77)."""

    candidate: CommittedCandidateReceipt

    def candidate_hash(self) -> CandidateHash:
        return self.candidate.hash()


@variant(2)
@dataclass(frozen=True, slots=True)
class Valid:
    candidate: CandidateHash

    def candidate_hash(self) -> CandidateHash:
        return self.candidate


@variant(3)
@dataclass(frozen=True, slots=True)
class Invalid:
    candidate: CandidateHash

    def candidate_hash(self) -> CandidateHash:
        return self.candidate


Statement = Seconded | Valid | Invalid


@variant(1)
@dataclass(frozen=True, slots=True)
class CompactSeconded:
    """A ``Seconded`` with the candidate's hash in place of its receipt. The signature is the same,
    for a validator signs the hash."""

    candidate: CandidateHash

    def candidate_hash(self) -> CandidateHash:
        return self.candidate


CompactStatement = CompactSeconded | Valid | Invalid
"""What is signed of a statement: enough to prove who said what."""

_TAGS: dict[type, int] = {Seconded: 1, CompactSeconded: 1, Valid: 2, Invalid: 3}


@dataclass(frozen=True, slots=True)
class SigningContext:
    """What ties a signature to one place: the relay parent, and the session of its children."""

    session_index: SessionIndex
    parent_hash: Hash


def statement_payload(
    kind: type[Statement] | type[CompactSeconded],
    candidate: CandidateHash,
    context: SigningContext,
) -> bytes:
    """What a validator signs to state that (A111, D11): the candidate only by its hash."""
    return (
        b"BKNG"
        + bytes([_TAGS[kind]])
        + candidate
        + context.session_index.to_bytes(4, "little")
        + context.parent_hash
    )


@dataclass(frozen=True, slots=True)
class SignedStatement:
    """A statement with its author, as the index in the session's validators, and signature."""

    statement: Statement
    validator_index: ValidatorIndex
    signature: ValidatorSignature

    def payload(self, context: SigningContext) -> bytes:
        return statement_payload(type(self.statement), self.statement.candidate_hash(), context)

    def to_compact(self) -> SignedCompactStatement:
        """The same statement with the candidate by its hash."""
        said = self.statement
        if isinstance(said, Seconded):
            compact: CompactStatement = CompactSeconded(said.candidate_hash())
        else:
            compact = said
        return SignedCompactStatement(compact, self.validator_index, self.signature)


@dataclass(frozen=True, slots=True)
class SignedCompactStatement:
    """What proves that a validator made a statement, in a hundred bytes."""

    statement: CompactStatement
    validator_index: ValidatorIndex
    signature: ValidatorSignature

    def payload(self, context: SigningContext) -> bytes:
        return statement_payload(type(self.statement), self.statement.candidate_hash(), context)


@variant(1)
@dataclass(frozen=True, slots=True)
class Implicit:
    """The signature of a ``Seconded`` statement."""

    signature: ValidatorSignature


@variant(2)
@dataclass(frozen=True, slots=True)
class Explicit:
    """The signature of a ``Valid`` statement."""

    signature: ValidatorSignature


ValidityAttestation = Implicit | Explicit


@dataclass(frozen=True, slots=True)
class BackedCandidate:
    """A candidate with what proves its backing (A113). ``validator_indices`` has one bit for each
    member of the backing group, in the group's order; ``validity_votes`` belong to its ones."""

    candidate: CommittedCandidateReceipt
    validity_votes: Annotated[tuple[ValidityAttestation, ...], MaxLen(MAX_VALIDATORS)]
    validator_indices: Annotated[BitVec, MaxLen(MAX_VALIDATORS)]
