"""Which votes a fork lacks, in which order, and how many a block takes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parahost.node.validity.disputes import fork as fork_module
from parahost.node.validity.disputes.fork import ForkView, votes_for_fork
from parahost.node.validity.disputes.record import Dispute, DisputeRow
from parahost.primitives.basic import U32, U64, BlockNumber, SessionIndex, ValidatorIndex
from parahost.primitives.candidates import CandidateReceipt
from parahost.primitives.disputes import DisputeOutcome, DisputeState, SignedDisputeStatement
from parahost.primitives.scale import BitVec
from parahost.runtime.parachains.dispute_votes import Votes
from parahost.runtime.parachains.inherent_weight import (
    DISPUTE,
    DISPUTE_VOTE,
    MAX_DISPUTES_WEIGHT,
    disputes_weight,
)
from parahost.runtime.parachains.validity import MAX_DISPUTED
from parahost.runtime.parachains.windows import CandidateKey
from parahost.runtime.weights import Weight

from .world import (
    SESSION,
    VALIDATORS,
    approves,
    backs,
    denies,
    key_of,
    receipt,
    session_info,
    vouches,
)

ONE = receipt(1)


def dispute(
    made: CandidateReceipt, *statements: SignedDisputeStatement, begun_ms: int = 0
) -> Dispute:
    found = Dispute(key_of(made), DisputeRow(U64(begun_ms), made, None, None))
    for each in statements:
        found.add(each)
    return found


def on_chain(
    valid: Iterable[int] = (),
    invalid: Iterable[int] = (),
    *,
    backers: Iterable[int] = (),
    outcome: DisputeOutcome | None = None,
    closed: bool = False,
) -> DisputeState:
    return DisputeState(
        BitVec.with_ones(VALIDATORS, valid),
        BitVec.with_ones(VALIDATORS, invalid),
        BitVec.with_ones(VALIDATORS, backers),
        BlockNumber(U32(1)),
        None,
        outcome=outcome,
        is_closed=closed,
    )


def view(
    disputes: dict[CandidateKey, DisputeState] | None = None,
    included: dict[CandidateKey, Votes] | None = None,
    may_begin: Callable[[SessionIndex, ValidatorIndex], bool] = lambda _session, _validator: True,
) -> ForkView:
    return ForkView({SESSION: session_info()}, disputes or {}, included or {}, may_begin)


def voters(*indices: int) -> frozenset[ValidatorIndex]:
    return frozenset(ValidatorIndex(U32(each)) for each in indices)


BACKED = Votes(valid=voters(0, 1), backers=voters(0, 1))
SUPERMAJORITY = [denies(ONE, each) for each in range(2, 7)]


@pytest.mark.parametrize(
    ("statements", "fork", "brought"),
    [
        ([backs(ONE, 0), approves(ONE, 3)], view(included={key_of(ONE): BACKED}), None),
        ([backs(ONE, 0), denies(ONE, 2)], view(), None),
        ([backs(ONE, 0), denies(ONE, 2)], view(included={key_of(ONE): BACKED}), [(2, "no")]),
        (
            [backs(ONE, 0), denies(ONE, 2), approves(ONE, 3)],
            view({key_of(ONE): on_chain(valid=[0], invalid=[2], backers=[0])}),
            [(3, "yes")],
        ),
        (
            [backs(ONE, 0), denies(ONE, 2)],
            view({key_of(ONE): on_chain(valid=[0], invalid=[2])}),
            [(0, "yes")],
        ),
        (
            [backs(ONE, 0), denies(ONE, 0), denies(ONE, 2)],
            view({key_of(ONE): on_chain(valid=[0], invalid=[2], backers=[0])}),
            [(0, "no")],
        ),
        (
            [backs(ONE, 0), *SUPERMAJORITY],
            view(),
            [(2, "no"), (3, "no"), (4, "no"), (5, "no"), (6, "no"), (0, "yes")],
        ),
        (SUPERMAJORITY, view(), None),
        (
            [*SUPERMAJORITY],
            view({key_of(ONE): on_chain(invalid=[2], outcome=DisputeOutcome.INVALID, closed=True)}),
            None,
        ),
        (
            [denies(ONE, 2), denies(ONE, 3)],
            view({key_of(ONE): on_chain(invalid=[2], closed=True)}),
            None,
        ),
        (
            [denies(ONE, 2), denies(ONE, 3)],
            view({key_of(ONE): on_chain(invalid=[2], closed=True)}, {key_of(ONE): BACKED}),
            [(3, "no")],
        ),
        (
            [denies(ONE, 2)],
            view(included={key_of(ONE): BACKED}, may_begin=lambda _, who: who != 2),
            None,
        ),
        (
            [denies(ONE, 2)],
            ForkView({}, {}, {key_of(ONE): BACKED}, lambda _session, _validator: True),
            None,
        ),
    ],
    ids=[
        "nobody disputes it",
        "elsewhere, and unconcluded",
        "begins here, its backing is known",
        "a check that is missing",
        "a backer that is known for a vote only",
        "a backer that takes back what it has said",
        "elsewhere, and concluded: all at once",
        "elsewhere, and nobody is known to contradict",
        "closed",
        "closed without an outcome, elsewhere",
        "closed without an outcome, and included since",
        "nobody may answer for it",
        "its session is not judged here",
    ],
)
def test_what_a_fork_lacks(
    statements: Sequence[SignedDisputeStatement],
    fork: ForkView,
    brought: list[tuple[int, str]] | None,
) -> None:
    found = votes_for_fork([dispute(ONE, *statements)], fork)
    said = [
        (validator, "no" if statement == denies(ONE, 2)[0] else "yes")
        for each in found
        for statement, validator, _ in each.statements
    ]
    assert said == (brought or [])


def test_what_concludes_comes_first_then_what_goes_on_then_what_begins_then_what_is_late() -> None:
    late, begins, goes_on, concludes, older = (receipt(each) for each in range(11, 16))
    disputes = [
        dispute(late, denies(late, 3)),
        dispute(begins, denies(begins, 3)),
        dispute(goes_on, denies(goes_on, 3), begun_ms=5),
        dispute(concludes, backs(concludes, 0), *(denies(concludes, v) for v in range(2, 7))),
        dispute(older, denies(older, 3), begun_ms=4),
    ]
    fork = view(
        {
            key_of(late): on_chain(invalid=[2], outcome=DisputeOutcome.INVALID),
            key_of(goes_on): on_chain(invalid=[2]),
            key_of(older): on_chain(invalid=[2]),
        },
        {key_of(begins): BACKED},
    )
    order = [each.candidate_hash for each in votes_for_fork(disputes, fork)]
    assert order == [each.hash() for each in (concludes, older, goes_on, begins, late)]


def room_for(*votes: int) -> Weight:
    return sum((DISPUTE + DISPUTE_VOTE * each for each in votes), start=Weight())


def test_what_does_not_fit_comes_later_and_a_conclusion_from_elsewhere_only_as_a_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole, parted = receipt(11), receipt(12)
    disputes = [
        dispute(whole, backs(whole, 0), *(denies(whole, each) for each in range(2, 7))),
        dispute(parted, *(denies(parted, each) for each in range(3))),
    ]
    fork = view({key_of(parted): on_chain()})
    for room, sizes in (
        (room_for(6, 3), [6, 3]),
        (room_for(6, 2), [6, 2]),
        (room_for(6), [6]),
        (room_for(5), [3]),
        (room_for(2), [2]),
        (DISPUTE, []),
    ):
        monkeypatch.setattr(fork_module, "MAX_DISPUTES_WEIGHT", room)
        assert [len(each.statements) for each in votes_for_fork(disputes, fork)] == sizes


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 7), min_size=1, max_size=80))
def test_what_is_brought_fits_into_a_block_however_much_there_is(sizes: list[int]) -> None:
    disputes, chain = [], {}
    for number, size in enumerate(sizes):
        made = receipt(100 + number)
        said = [denies(ONE, each) for each in range(size)]  # nobody looks at signatures here
        disputes.append(dispute(made, *said, vouches(ONE, 6), begun_ms=number))
        chain[key_of(made)] = on_chain()
    found = votes_for_fork(disputes, view(chain))
    assert len(found) == min(len(sizes), MAX_DISPUTED)
    assert sum(map(disputes_weight, found), start=Weight()).is_within(MAX_DISPUTES_WEIGHT)
