"""What is known of a disputed candidate, and of one that nobody disputes yet.

Of one validator three statements say all: that it has backed the candidate, that it calls it valid
otherwise, and that it calls it invalid.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Annotated, Final

from parahost.primitives.availability import byzantine_threshold
from parahost.primitives.basic import (
    U64,
    BlockNumber,
    CandidateHash,
    CoreIndex,
    Hash,
    ValidatorIndex,
)
from parahost.primitives.candidates import CandidateReceipt
from parahost.primitives.disputes import (
    MAX_DISPUTE_STATEMENTS,
    BackingSeconded,
    BackingValid,
    DisputeOutcome,
    DisputeStatement,
    SignedDisputeStatement,
    VoteInvalid,
)
from parahost.primitives.scale import MaxLen
from parahost.runtime.parachains.dispute_votes import Votes
from parahost.runtime.parachains.windows import CandidateKey

MAX_INCLUSIONS: Final = 16
"""Forks that have included one candidate, as far as they are remembered: the last ones."""


class VoteForm(IntEnum):
    """Which of the three a statement is."""

    BACKING = 0
    VALID = 1
    INVALID = 2


def form_of(statement: DisputeStatement) -> VoteForm:
    if isinstance(statement, VoteInvalid):
        return VoteForm.INVALID
    is_backing = isinstance(statement.kind, BackingSeconded | BackingValid)
    return VoteForm.BACKING if is_backing else VoteForm.VALID


StatementKey = tuple[ValidatorIndex, VoteForm]


def statement_key(signed: SignedDisputeStatement) -> StatementKey:
    """Of two statements with the same key, one is enough."""
    statement, validator, _ = signed
    return validator, form_of(statement)


# Before anybody disputes it


@dataclass(frozen=True, slots=True)
class IncludedAt:
    """A block that has included the candidate, on some fork."""

    block: Hash
    number: BlockNumber
    core: CoreIndex


@dataclass(frozen=True, slots=True)
class Testimony:
    """What blocks say of a candidate: its backing, its checks, and where it is included."""

    receipt: CandidateReceipt
    statements: Annotated[tuple[SignedDisputeStatement, ...], MaxLen(MAX_DISPUTE_STATEMENTS)] = ()
    included_in: Annotated[tuple[IncludedAt, ...], MaxLen(MAX_INCLUSIONS)] = ()

    def with_statements(self, more: Iterable[SignedDisputeStatement]) -> Testimony:
        """With those that say something new."""
        known = {statement_key(signed) for signed in self.statements}
        fresh = {statement_key(signed): signed for signed in more}
        news = tuple(signed for key, signed in fresh.items() if key not in known)
        return replace(self, statements=(*self.statements, *news)) if news else self

    def with_inclusion(self, inclusion: IncludedAt) -> Testimony:
        if inclusion in self.included_in:
            return self
        return replace(self, included_in=(*self.included_in, inclusion)[-MAX_INCLUSIONS:])


# A dispute


@dataclass(frozen=True, slots=True)
class DisputeRow:
    """A dispute in its stored form, but for its statements. ``begun_ms``: when this node heard of
    it, since the Unix epoch."""

    begun_ms: U64
    receipt: CandidateReceipt | None
    """``None`` as long as only its hash has been heard of."""
    decided: bool | None
    """What this node votes; on disk before it is signed."""
    outcome: DisputeOutcome | None


@dataclass(slots=True)
class Dispute:
    """What is known of one, and what this node does about it."""

    key: CandidateKey
    row: DisputeRow
    statements: dict[StatementKey, SignedDisputeStatement] = field(default_factory=dict)
    votes: Votes = field(default_factory=Votes)
    is_included: bool = False
    """On a fork that this node knows, or as good as: available where it is disputed."""
    is_taken_up: bool = False
    """A fork that this node knows disputes it."""

    @property
    def candidate(self) -> CandidateHash:
        return self.key[1]

    @property
    def receipt(self) -> CandidateReceipt | None:
        return self.row.receipt

    @property
    def outcome(self) -> DisputeOutcome | None:
        return self.row.outcome

    def add(self, signed: SignedDisputeStatement) -> bool:
        """Whether it says something new."""
        key = statement_key(signed)
        if key in self.statements:
            return False
        self.statements[key] = signed
        self.votes = self.votes.including(signed[0], signed[1])
        return True

    def of(self, validator: ValidatorIndex) -> list[SignedDisputeStatement]:
        """What a validator has said."""
        found = (self.statements.get((validator, form)) for form in VoteForm)
        return [signed for signed in found if signed is not None]

    def against(self) -> Iterator[SignedDisputeStatement]:
        """The votes against it, in the order in which they came."""
        return (s for (_, form), s in self.statements.items() if form is VoteForm.INVALID)

    def in_favour(self) -> Iterator[SignedDisputeStatement]:
        """The other statements, in the order in which they came."""
        return (s for (_, form), s in self.statements.items() if form is not VoteForm.INVALID)

    def is_disputed(self) -> bool:
        """Whether anybody has voted against it."""
        return bool(self.votes.invalid)


def is_confirmed(votes: Votes, validators: int) -> bool:
    """Whether somebody honest has a part in a dispute, of so many validators."""
    return len(votes.valid | votes.invalid) > byzantine_threshold(validators)
