"""Evidence of what validators did wrong, as small as a proof can be (A109).

A statement is proven by the candidate's hash and a signature, so that no report holds a receipt.
Whoever has the session's validators can check a report by itself.
"""

from __future__ import annotations

from typing import Annotated

from parahost.primitives.basic import CandidateHash
from parahost.primitives.consensus import BabeEquivocationProof, GrandpaEquivocationProof
from parahost.primitives.limits import MAX_VALIDATORS
from parahost.primitives.scale import MaxLen, variant
from parahost.primitives.statements import (
    CompactSeconded,
    Invalid,
    SignedCompactStatement,
    SigningContext,
)
from parahost.primitives.values import dataclass


@variant(0)
@dataclass(frozen=True, slots=True)
class CandidateValidityDisagreement:
    """Validators disagree on this candidate's validity: all that they say of it."""

    context: SigningContext
    candidate: CandidateHash
    statements: Annotated[tuple[SignedCompactStatement, ...], MaxLen(3 * MAX_VALIDATORS)]


@variant(1)
@dataclass(frozen=True, slots=True)
class SelfContradiction:
    """One validator says two things of one candidate (A77)."""

    context: SigningContext
    first: SignedCompactStatement
    second: SignedCompactStatement


@variant(2)
@dataclass(frozen=True, slots=True)
class DoubleVote:
    """One validator seconded two candidates on one relay parent (A77)."""

    context: SigningContext
    first: SignedCompactStatement
    second: SignedCompactStatement


Contradiction = SelfContradiction | DoubleVote
"""What one validator's own two statements prove."""

MisbehaviorReport = (
    CandidateValidityDisagreement
    | SelfContradiction
    | DoubleVote
    | BabeEquivocationProof
    | GrandpaEquivocationProof
)


def contradiction(
    context: SigningContext, first: SignedCompactStatement, second: SignedCompactStatement
) -> Contradiction | None:
    """What two statements prove if one validator has signed both; ``None`` when they agree.

    It may second one candidate per relay parent, and say one thing of each: ``Valid`` beside
    ``Seconded`` is forbidden as well (A77). Two signatures of one statement are no contradiction.
    """
    if first.validator_index != second.validator_index:
        return None
    one, other = first.statement, second.statement
    if one.candidate_hash() == other.candidate_hash():
        return None if type(one) is type(other) else SelfContradiction(context, first, second)
    if isinstance(one, CompactSeconded) and isinstance(other, CompactSeconded):
        return DoubleVote(context, first, second)
    return None


def proves_anything(report: MisbehaviorReport) -> bool:
    """Whether what a report shows is an offence at all, apart from its signatures: two votes that
    are equal are one vote."""
    match report:
        case SelfContradiction(context, first, second) | DoubleVote(context, first, second):
            return type(contradiction(context, first, second)) is type(report)
        case CandidateValidityDisagreement(_, candidate, statements):
            against = {isinstance(signed.statement, Invalid) for signed in statements}
            about = {signed.statement.candidate_hash() for signed in statements}
            return against == {True, False} and about == {candidate}
        case BabeEquivocationProof():
            return report.first_header.hash() != report.second_header.hash()
        case GrandpaEquivocationProof():
            same_stage = type(report.first) is type(report.second)
            return same_stage and report.first != report.second
