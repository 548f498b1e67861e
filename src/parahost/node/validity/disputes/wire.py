"""What validators ask one another to take, in disputes: the request protocol ``req_dispute``.

It is a request and no gossip, for its answer says that the votes are on the other's disk: so a
sender knows whom to ask again, and who is asked too much says "later". And a dispute belongs to no
block on which both need to work.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, Final

from parahost.primitives.basic import (
    CandidateHash,
    SessionIndex,
    ValidatorIndex,
    ValidatorSignature,
)
from parahost.primitives.candidates import CandidateReceipt
from parahost.primitives.disputes import DisputeStatementSet, SignedDisputeStatement
from parahost.primitives.scale import MaxLen, variant

MAX_STATEMENTS: Final = 4
"""In one request. A validator brings what it says itself, and one that says the contrary."""


@variant(0)
@dataclass(frozen=True, slots=True)
class TakeVotes:
    """Votes on a candidate, for and against it."""

    receipt: CandidateReceipt
    candidate_hash: CandidateHash
    session: SessionIndex
    statements: Annotated[tuple[SignedDisputeStatement, ...], MaxLen(MAX_STATEMENTS)]

    def statement_set(self) -> DisputeStatementSet:
        return DisputeStatementSet(self.candidate_hash, self.session, self.statements)


@variant(1)
@dataclass(frozen=True, slots=True)
class TakeHolder:
    """A validator holds its chunk of a candidate that is disputed from another fork (A60)."""

    session: SessionIndex
    candidate_hash: CandidateHash
    validator: ValidatorIndex
    signature: ValidatorSignature


DisputeRequest = TakeVotes | TakeHolder


class DisputeAnswer(IntEnum):
    """What becomes of a request."""

    TAKEN = 0
    """It is on disk here."""
    LATER = 1
    """It may be taken when it is asked again."""
    REFUSED = 2
    """It never will be."""
