"""The statement table: what statements add up to."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parahost.node.backing.statement_table import (
    StatementSummary,
    StatementTable,
    Taken,
    contradictions,
)
from parahost.primitives.basic import U32, ParaId, ValidatorIndex
from parahost.primitives.candidates import CommittedCandidateReceipt
from parahost.primitives.misbehavior import (
    CandidateValidityDisagreement,
    DoubleVote,
    SelfContradiction,
)
from parahost.primitives.statements import (
    Explicit,
    Implicit,
    Invalid,
    Seconded,
    SignedStatement,
    SigningContext,
    Statement,
    Valid,
)
from tests.node.backing.world import (
    OCCUPIED_PARA,
    PARA,
    RELAY_PARENT,
    SESSION,
    candidate,
    invalid,
    seconded,
    valid,
)

Say = Callable[[int, CommittedCandidateReceipt], SignedStatement]

A, B, C = candidate(1), candidate(2), candidate(3)
SIGNING = SigningContext(SESSION, RELAY_PARENT)
FIVE = tuple(ValidatorIndex(U32(index)) for index in (4, 2, 0, 3, 1))


def table(*group: int) -> StatementTable:
    own = tuple(ValidatorIndex(U32(index)) for index in group)
    other = (ValidatorIndex(U32(5)), ValidatorIndex(U32(6)))
    groups = {PARA: own or FIVE, OCCUPIED_PARA: other}
    return StatementTable(SIGNING, lambda para: groups.get(para, ()))


def add_all(where: StatementTable, statements: Iterable[SignedStatement]) -> list[StatementSummary]:
    return [where.add(signed) for signed in statements]


@pytest.mark.guide("A76", "A113")
def test_a_majority_makes_a_candidate_backable_with_votes_in_the_groups_order() -> None:
    statements = [seconded(1, A), valid(2, A), valid(4, A)]
    first, second, third = add_all(table(), statements)

    assert first.backed is None and second.backed is None
    backed = third.backed
    assert backed is not None and backed.candidate == A
    assert list(backed.validator_indices) == [True, True, False, False, True]
    assert backed.validity_votes == (
        Explicit(statements[2].signature),
        Explicit(statements[1].signature),
        Implicit(statements[0].signature),
    )


@pytest.mark.guide("A76")
@pytest.mark.parametrize(("members", "needed"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3)])
def test_a_majority_is_more_than_half(members: int, needed: int) -> None:
    group = tuple(range(members))
    where = table(*group)
    imported = add_all(where, [seconded(0, A), *(valid(index, A) for index in group[1:])])
    assert [each.backed is not None for each in imported].index(True) == needed - 1
    assert sum(each.backed is not None for each in imported) == 1, "told more than once"


def test_later_votes_are_in_the_backing_that_is_asked_for_later() -> None:
    where = table(0, 1, 2)
    add_all(where, [seconded(0, A), valid(1, A), valid(2, A)])
    backed = where.backed(A.hash())
    assert backed is not None and len(backed.validity_votes) == 3
    assert where.backed(B.hash()) is None


def test_a_candidate_of_no_assigned_para_has_no_backing() -> None:
    where = table()
    assert where.add(seconded(0, candidate(1, para=ParaId(U32(999))))).taken is Taken.OUTSIDE_GROUP
    assert where.backable() == {}


def test_only_the_group_is_counted() -> None:
    where = table(0, 1)
    assert where.add(seconded(5, A)).taken is Taken.OUTSIDE_GROUP
    assert A.hash() not in where
    where.add(seconded(0, A))
    assert where.add(valid(6, A)).taken is Taken.OUTSIDE_GROUP
    assert where.backable() == {}


def test_nothing_is_taken_on_an_unknown_candidate() -> None:
    where = table()
    assert where.add(valid(0, A)).taken is Taken.UNKNOWN_CANDIDATE
    assert where.add(invalid(0, A)).taken is Taken.UNKNOWN_CANDIDATE


def test_the_same_again_changes_nothing() -> None:
    where = table(0, 1, 2)
    where.add(seconded(0, A))
    assert where.add(seconded(0, A)) == StatementSummary(Taken.KNOWN)
    where.add(valid(1, A))
    assert where.add(valid(1, A)) == StatementSummary(Taken.KNOWN)


@pytest.mark.guide("A77", "A109")
def test_a_double_vote_is_proven_by_both_statements() -> None:
    where = table()
    first, second = seconded(0, A), seconded(0, B)
    where.add(first)
    imported = where.add(second)
    assert imported.contradictions == (
        DoubleVote(SIGNING, first.to_compact(), second.to_compact()),
    )
    assert where.contradictors() == [0]


def test_a_third_candidate_of_one_validator_is_not_looked_at() -> None:
    where = table()
    add_all(where, [seconded(0, A), seconded(0, B)])
    assert where.add(seconded(0, C)).taken is Taken.EXCESS
    assert C.hash() not in where
    assert where.add(seconded(1, C)).taken is Taken.NEW


@pytest.mark.guide("A109")
@pytest.mark.parametrize(
    ("first", "second"),
    [(seconded, valid), (valid, invalid), (invalid, valid), (seconded, invalid)],
)
def test_a_self_contradiction_is_proven_by_both_statements(first, second) -> None:  # type: ignore[no-untyped-def]
    where = table()
    where.add(seconded(4, A))
    one, other = first(0, A), second(0, A)
    where.add(one)
    imported = where.add(other)
    proof = SelfContradiction(SIGNING, one.to_compact(), other.to_compact())
    assert imported.contradictions == (proof,)


def test_valid_on_several_candidates_is_no_contradiction() -> None:
    where = table()
    add_all(where, [seconded(0, A), seconded(1, B)])
    imported = add_all(where, [valid(2, A), valid(2, B), invalid(3, A), valid(3, B)])
    assert all(each.contradictions == () for each in imported)
    assert where.contradictors() == []


def test_who_contradicts_itself_counts_for_nothing() -> None:
    where = table(0, 1, 2)
    add_all(where, [seconded(0, A), seconded(0, B)])
    assert where.add(valid(1, A)).backed is None
    backed = where.add(valid(2, A)).backed
    assert backed is not None and list(backed.validator_indices) == [False, True, True]


@pytest.mark.guide("A109")
def test_a_disagreement_has_all_statements() -> None:
    where = table()
    statements = [seconded(1, A), valid(3, A), invalid(0, A)]
    imported = add_all(where, statements)
    assert imported[0].disagreement is None and imported[1].disagreement is None
    assert imported[2].disagreement == CandidateValidityDisagreement(
        SIGNING, A.hash(), tuple(statements[which].to_compact() for which in (2, 0, 1))
    )


@pytest.mark.guide("A109")
def test_a_disagreement_is_told_again_only_when_another_validator_joins() -> None:
    where = table()
    add_all(where, [seconded(0, A), invalid(1, A)])
    assert where.add(valid(1, A)).disagreement is None
    joined = where.add(valid(2, A)).disagreement
    assert joined is not None and len(joined.statements) == 4
    assert where.add(invalid(2, A)).disagreement is None


def test_one_validator_does_not_disagree_with_itself() -> None:
    where = table()
    imported = add_all(where, [seconded(0, A), invalid(0, A)])
    assert imported[1].disagreement is None


def test_contradictions_may_be_two_at_once() -> None:
    earlier = [seconded(0, A), valid(0, B)]
    found = list(contradictions(SIGNING, earlier, seconded(0, B)))
    assert [type(each) for each in found] == [DoubleVote, SelfContradiction]


# Whatever the order


def _statement(kind: type[Statement], author: int, which: int) -> SignedStatement:
    receipt = (A, B)[which]
    statement = Seconded(receipt) if kind is Seconded else kind(receipt.hash())  # type: ignore[arg-type]
    return SignedStatement(statement, author, bytes([author, which]) * 32)  # type: ignore[arg-type]


_STATEMENTS = st.lists(
    st.builds(
        _statement,
        st.sampled_from([Seconded, Valid, Invalid]),
        st.integers(0, 4),
        st.integers(0, 1),
    ),
    max_size=16,
)


@pytest.mark.guide("A76", "A109")
@given(_STATEMENTS, st.data())
def test_the_order_of_arrival_does_not_matter(
    statements: list[SignedStatement], data: st.DataObject
) -> None:
    """As long as a candidate is seconded before anything else is said of it, which Statement
    Distribution sees to."""
    introductions = [_statement(Seconded, 0, 0), _statement(Seconded, 1, 1)]
    orders = [introductions + data.draw(st.permutations(statements)) for _ in range(2)]
    outcomes = []
    for order in orders:
        where = table()
        imported = add_all(where, order)
        told = [each.disagreement for each in imported if each.disagreement is not None]
        last = {report.candidate: report for report in told}
        voices = {c: {s.validator_index for s in last[c].statements} for c in last}
        pairs = {
            (signed.validator_index, type(each))
            for signed, result in zip(order, imported, strict=True)
            for each in result.contradictions
        }
        backable = where.backable()
        outcomes.append((backable, where.contradictors(), voices, pairs))
    assert outcomes[0] == outcomes[1]


@given(_STATEMENTS)
def test_what_is_backable_has_a_majority_of_honest_votes(
    statements: list[SignedStatement],
) -> None:
    where = table()
    add_all(where, [_statement(Seconded, 0, 0), *statements])
    for backed in where.backable().values():
        supporters = [FIVE[bit] for bit in backed.validator_indices.ones()]
        assert len(supporters) == len(backed.validity_votes) > len(FIVE) / 2
        assert not set(supporters) & set(where.contradictors())


def test_votes_of_the_disabled_do_not_count() -> None:
    """The runtime drops them: three votes, one of them disabled, are no majority of five."""
    group = tuple(ValidatorIndex(U32(index)) for index in range(5))
    where = StatementTable(SIGNING, lambda para: group, disabled={group[1]})
    where.add(seconded(0, A))
    where.add(valid(1, A))
    assert where.add(valid(2, A)).backed is None
    assert where.add(valid(3, A)).backed is not None
