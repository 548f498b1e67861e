"""The statements on candidates of one relay parent, and what they add up to. Pure.

What the table says depends on the statements that are in it, not on the order of their arrival;
but a candidate is known only by a ``Seconded``, and nothing is taken on an unknown one. A validator
that has contradicted itself counts for nothing any more at this relay parent.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import field
from enum import Enum

from parahost.primitives.availability import is_backing_majority
from parahost.primitives.basic import CandidateHash, ParaId, ValidatorIndex
from parahost.primitives.candidates import CommittedCandidateReceipt
from parahost.primitives.misbehavior import (
    CandidateValidityDisagreement,
    Contradiction,
    contradiction,
)
from parahost.primitives.scale import BitVec
from parahost.primitives.statements import (
    BackedCandidate,
    Explicit,
    Implicit,
    Invalid,
    Seconded,
    SignedStatement,
    SigningContext,
    Statement,
    Valid,
    ValidityAttestation,
)
from parahost.primitives.values import dataclass

MAX_SECONDED = 2
"""How many candidates seconded by one validator are looked at: the second one is the proof that it
must not have seconded either."""

_KINDS: tuple[type[Statement], ...] = (Seconded, Valid, Invalid)


def contradictions(
    context: SigningContext, earlier: Iterable[SignedStatement], signed: SignedStatement
) -> Iterator[Contradiction]:
    """What a validator's statement contradicts among its earlier ones."""
    latest = signed.to_compact()
    for other in earlier:
        if (found := contradiction(context, other.to_compact(), latest)) is not None:
            yield found


class Taken(Enum):
    """What the table did with a statement."""

    NEW = "taken"
    KNOWN = "it was there"
    UNKNOWN_CANDIDATE = "nobody has seconded the candidate"
    OUTSIDE_GROUP = "its author is not assigned to the candidate's para"
    EXCESS = "its author has seconded too many candidates already"


@dataclass(frozen=True, slots=True)
class StatementSummary:
    """What follows from one more statement."""

    taken: Taken
    contradictions: tuple[Contradiction, ...] = ()
    disagreement: CandidateValidityDisagreement | None = None
    """When the statement brings one more validator into a disagreement: all there is on it."""
    backed: BackedCandidate | None = None
    """When the statement made its candidate backable."""


@dataclass(slots=True)
class _Candidate:
    receipt: CommittedCandidateReceipt
    group: tuple[ValidatorIndex, ...]
    statements: dict[ValidatorIndex, dict[type[Statement], SignedStatement]] = field(
        default_factory=dict
    )
    disagreeing: int = 0
    """How many validators were in the last disagreement that was given out."""
    was_backable: bool = False


class StatementTable:
    """``group_of`` tells the validators that are assigned to a para, in the group's order."""

    def __init__(
        self,
        context: SigningContext,
        group_of: Callable[[ParaId], tuple[ValidatorIndex, ...]],
        disabled: Collection[ValidatorIndex] = (),
    ) -> None:
        """:param disabled: who counts for nothing from the start, as the runtime takes it."""
        self._context = context
        self._group_of = group_of
        self._candidates: dict[CandidateHash, _Candidate] = {}
        self._by_validator: dict[ValidatorIndex, list[SignedStatement]] = {}
        self._contradictors: dict[ValidatorIndex, None] = dict.fromkeys(disabled)

    def __contains__(self, candidate: CandidateHash) -> bool:
        return candidate in self._candidates

    def contradictors(self) -> list[ValidatorIndex]:
        """Who counts for nothing, ascending."""
        return sorted(self._contradictors)

    def add(self, signed: SignedStatement) -> StatementSummary:
        """Take a statement whose signature is right."""
        about = signed.statement.candidate_hash()
        kind = type(signed.statement)
        author = signed.validator_index
        candidate = self._candidates.get(about) or self._introduced(signed.statement)
        if candidate is None:
            return StatementSummary(Taken.UNKNOWN_CANDIDATE)
        if author not in candidate.group:
            return StatementSummary(Taken.OUTSIDE_GROUP)
        said = candidate.statements.get(author, {})
        if kind in said:
            return StatementSummary(Taken.KNOWN)
        earlier = self._by_validator.setdefault(author, [])
        if kind is Seconded and _seconded(earlier) >= MAX_SECONDED:
            return StatementSummary(Taken.EXCESS)

        found = tuple(contradictions(self._context, earlier, signed))
        if found:
            self._contradictors[author] = None
        earlier.append(signed)
        self._candidates[about] = candidate
        candidate.statements.setdefault(author, said)[kind] = signed
        return StatementSummary(
            Taken.NEW, found, self._new_disagreement(candidate), self._new_backing(candidate)
        )

    def backed(self, candidate: CandidateHash) -> BackedCandidate | None:
        """The candidate with all votes for it, when they are a majority of its group."""
        known = self._candidates.get(candidate)
        return None if known is None else self._backing(known)

    def backable(self) -> dict[CandidateHash, BackedCandidate]:
        """All candidates with a majority, in the order in which they became known."""
        found = {about: self._backing(known) for about, known in self._candidates.items()}
        return {about: backed for about, backed in found.items() if backed is not None}

    # Routines

    def _introduced(self, statement: Statement) -> _Candidate | None:
        if not isinstance(statement, Seconded):
            return None
        receipt = statement.candidate
        return _Candidate(receipt, self._group_of(receipt.descriptor.para_id))

    def _new_backing(self, candidate: _Candidate) -> BackedCandidate | None:
        if candidate.was_backable:
            return None
        backed = self._backing(candidate)
        candidate.was_backable = backed is not None
        return backed

    def _backing(self, candidate: _Candidate) -> BackedCandidate | None:
        votes: dict[int, ValidityAttestation] = {}
        for position, validator in enumerate(candidate.group):
            said = candidate.statements.get(validator, {})
            if validator in self._contradictors:
                continue
            if Seconded in said:
                votes[position] = Implicit(said[Seconded].signature)
            elif Valid in said:
                votes[position] = Explicit(said[Valid].signature)
        if not is_backing_majority(len(votes), len(candidate.group)):
            return None
        bits = BitVec.with_ones(len(candidate.group), votes)
        return BackedCandidate(candidate.receipt, tuple(votes.values()), bits)

    def _new_disagreement(self, candidate: _Candidate) -> CandidateValidityDisagreement | None:
        """Two validators say different things of the candidate, and not all of it was told."""
        voices = len(candidate.statements)
        against = sum(Invalid in said for said in candidate.statements.values())
        in_favour = sum(bool(said.keys() - {Invalid}) for said in candidate.statements.values())
        if voices < 2 or not against or not in_favour or voices == candidate.disagreeing:
            return None
        candidate.disagreeing = voices
        statements = tuple(
            said[kind].to_compact()
            for _, said in sorted(candidate.statements.items())
            for kind in _KINDS
            if kind in said
        )
        about = candidate.receipt.hash()
        return CandidateValidityDisagreement(self._context, about, statements)


def _seconded(statements: list[SignedStatement]) -> int:
    return sum(isinstance(signed.statement, Seconded) for signed in statements)
