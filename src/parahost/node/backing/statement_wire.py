"""Statements on the wire: what is cheap to judge stands before what is dear to read.

A ``Seconded`` travels as the plain receipt, which is short and which its author has signed, and the
commitments as bytes that the receipt names by their hash. Whoever gets it judges leaf, author and
signature first. Only then does it look at the commitments. So nobody but a validator of the group
can make others read megabytes, and that not more often than it may second.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated

from parahost.node.gossip import MAX_BATCH, in_batches
from parahost.primitives.basic import CandidateHash, Hash, ValidatorIndex, ValidatorSignature
from parahost.primitives.candidates import CandidateCommitments, CandidateReceipt
from parahost.primitives.hashing import blake2_256
from parahost.primitives.limits import MAX_COMMITMENTS_BYTES
from parahost.primitives.scale import (
    MaxLen,
    ScaleDecodeError,
    decode,
    decode_once,
    encode,
    variant,
)
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
class ContradictionProof:
    """Two statements by which one validator contradicts itself at that relay parent (A109)."""

    relay_parent: Hash
    first: SignedCompactStatement
    second: SignedCompactStatement


StatementGossip = Statements | ContradictionProof
StatementMessage = StatementOnWire | ContradictionProof


def messages(relay_parent: Hash, said: Iterable[StatementMessage]) -> Iterator[bytes]:
    """The messages that bring these statements, in their order, and these proofs."""
    said = tuple(said)
    for batch in in_batches(one for one in said if isinstance(one, StatementOnWire)):
        yield encode(Statements(relay_parent, batch), StatementGossip)
    for proof in said:
        if isinstance(proof, ContradictionProof):
            yield encode(proof, StatementGossip)


def read(payload: bytes) -> tuple[Hash, tuple[StatementMessage, ...]]:
    """A message's relay parent, and what is said there.

    :raises ScaleDecodeError: when it is none.
    """
    gossip: StatementGossip = decode(StatementGossip, payload)
    said = (gossip,) if isinstance(gossip, ContradictionProof) else gossip.statements
    return gossip.relay_parent, said
