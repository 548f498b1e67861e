"""Statements on the wire: what is cheap to judge stands before what is dear to read.

A ``Seconded`` travels as the plain receipt, which is short and which its author has signed, and the
commitments as bytes that the receipt names by their hash. Whoever gets it judges head, author and
signature first. Only then does it look at the commitments. So nobody but a validator of the group
can make others read megabytes, and that not more often than it may second.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated

from parahost.node.protocols import BATCH_BYTES
from parahost.primitives.basic import CandidateHash, Hash, ValidatorIndex, ValidatorSignature
from parahost.primitives.candidates import CandidateCommitments, CandidateReceipt
from parahost.primitives.hashing import blake2_256
from parahost.primitives.limits import MAX_COMMITMENTS_BYTES
from parahost.primitives.scale import MaxLen, ScaleDecodeError, decode_once, encode, variant
from parahost.primitives.statements import (
    Invalid,
    Seconded,
    SignedCompactStatement,
    SignedStatement,
    SigningContext,
    Statement,
    Valid,
    statement_payload,
)
from parahost.primitives.values import dataclass

MAX_BATCH = 64
"""Statements in one message."""


@variant(1)
@dataclass(frozen=True, slots=True)
class SecondedOnWire:
    """A ``Seconded``; ``commitments`` are the SCALE form of those that the receipt names."""

    receipt: CandidateReceipt
    commitments: Annotated[bytes, MaxLen(MAX_COMMITMENTS_BYTES)]

    def candidate_hash(self) -> CandidateHash:
        return self.receipt.hash()


@dataclass(frozen=True, slots=True)
class StatementOnWire:
    """A signed statement, of which only the short parts have been read."""

    statement: SecondedOnWire | Valid | Invalid
    validator_index: ValidatorIndex
    signature: ValidatorSignature

    @classmethod
    def of(cls, signed: SignedStatement) -> StatementOnWire:
        """:raises ScaleEncodeError: when the commitments are larger than admission lets them be."""
        said = signed.statement
        if isinstance(said, Seconded):
            commitments = encode(said.candidate.commitments)
            on_wire: SecondedOnWire | Valid | Invalid = SecondedOnWire(
                said.candidate.to_plain(), commitments
            )
        else:
            on_wire = said
        return cls(on_wire, signed.validator_index, signed.signature)

    @property
    def kind(self) -> type[Statement]:
        return Seconded if isinstance(self.statement, SecondedOnWire) else type(self.statement)

    def payload(self, context: SigningContext) -> bytes:
        """What the author signs."""
        return statement_payload(self.kind, self.statement.candidate_hash(), context)

    def read(self) -> SignedStatement | None:
        """The statement in full; ``None`` when the commitments are not those of the receipt."""
        said = self.statement
        if not isinstance(said, SecondedOnWire):
            return SignedStatement(said, self.validator_index, self.signature)
        if blake2_256(said.commitments) != said.receipt.commitments_hash:
            return None
        try:
            commitments: CandidateCommitments = decode_once(CandidateCommitments, said.commitments)
        except ScaleDecodeError:
            return None
        seconded = Seconded(said.receipt.with_commitments(commitments))
        return SignedStatement(seconded, self.validator_index, self.signature)


@variant(0)
@dataclass(frozen=True, slots=True)
class Statements:
    """Statements at one relay parent, each after the ``Seconded`` that it depends on."""

    relay_parent: Hash
    statements: Annotated[tuple[StatementOnWire, ...], MaxLen(MAX_BATCH)]


@variant(1)
@dataclass(frozen=True, slots=True)
class Proof:
    """Two statements by which one validator contradicts itself at that relay parent (A109)."""

    relay_parent: Hash
    first: SignedCompactStatement
    second: SignedCompactStatement


StatementGossip = Statements | Proof


def messages(relay_parent: Hash, statements: Iterable[StatementOnWire]) -> Iterator[bytes]:
    """The payloads that bring these statements, in their order."""
    batch: list[StatementOnWire] = []
    size = 0
    for statement in statements:
        batch.append(statement)
        size += len(encode(statement))
        if len(batch) == MAX_BATCH or size > BATCH_BYTES:
            yield encode(Statements(relay_parent, tuple(batch)), StatementGossip)
            batch, size = [], 0
    if batch:
        yield encode(Statements(relay_parent, tuple(batch)), StatementGossip)
