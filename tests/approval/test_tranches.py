"""Whose checks are needed by now: gathering, no-shows, those who cover them, completeness."""

from __future__ import annotations

from collections.abc import Collection

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parahost.approval.tranches import (
    Assigned,
    Enough,
    Everybody,
    Required,
    Waiting,
    are_enough,
    have_delivered,
    required_by_rounds,
    required_tranches,
)
from parahost.primitives.approval import Tranche
from parahost.primitives.basic import U32, ValidatorIndex

NO_SHOW = 10
CHECKERS = 50


def validator(index: int) -> ValidatorIndex:
    return ValidatorIndex(U32(index))


def assigned(*tranches_and_times: tuple[int, int]) -> list[Assigned]:
    """Validators 0, 1, ... with their tranches and since when they are known."""
    return [
        Assigned(Tranche(U32(tranche)), validator(index), since)
        for index, (tranche, since) in enumerate(tranches_and_times)
    ]


def required(
    known: list[Assigned], *approved: int, now: int, needed: int = 3, checkers: int = CHECKERS
) -> Required:
    have = {validator(index) for index in approved}
    return required_tranches(
        known, have, now=now, no_show=NO_SHOW, needed=needed, checkers=checkers
    )


def is_approved(
    found: Required,
    known: list[Assigned],
    approved: Collection[ValidatorIndex],
    *,
    validators: int,
    checkers: int,
) -> bool:
    """As :mod:`parahost.approval.completeness` has it."""
    enough = are_enough(approved, validators=validators, checkers=checkers)
    return enough or have_delivered(found, known, approved)


def complete(known: list[Assigned], *approved: int, now: int, needed: int = 3) -> bool:
    have = {validator(index) for index in approved}
    found = required(known, *approved, now=now, needed=needed)
    return is_approved(found, known, have, validators=CHECKERS, checkers=CHECKERS)


@pytest.mark.guide("A54")
def test_whole_tranches_join_until_there_are_enough() -> None:
    known = assigned((0, 0), (1, 1), (1, 1), (1, 1), (2, 2))
    assert required(known, now=0) == Waiting(None, 0, 10)
    assert required(known, now=1) == Enough(Tranche(U32(1)), 0, 10, 1)
    assert required(known, now=5) == Enough(Tranche(U32(1)), 0, 10, 1), "tranche 2 is not needed"
    assert not complete(known, 0, 1, 2, now=5), "of a tranche that joined, everybody has to deliver"
    assert complete(known, 0, 1, 2, 3, now=5)


@pytest.mark.guide("A54")
def test_nobody_is_needed_for_what_needs_no_checks() -> None:
    assert required([], now=0, needed=0) == Enough(Tranche(U32(0)), 0, None, 0)
    assert complete([], now=0, needed=0)
    assert required([], now=7) == Waiting(None, 0, None)
    assert not complete([], now=7)


@pytest.mark.guide("A55")
def test_a_no_show_brings_one_further_tranche() -> None:
    known = assigned((0, 0), (0, 0), (0, 0), (4, 14), (4, 14))
    before = known[:3]
    assert required(before, 0, 1, now=9) == Enough(Tranche(U32(0)), 0, 10, 0)
    late = required(before, 0, 1, now=10)
    assert late == Waiting(Tranche(U32(1)), NO_SHOW, None), (
        "whoever is in tranche 0 or 1, and later"
    )
    assert required(before, 0, 1, now=14) == Waiting(Tranche(U32(5)), NO_SHOW, None)
    covered = required(known, 0, 1, now=14)
    assert covered == Enough(Tranche(U32(4)), 1, 24, NO_SHOW + 4), "two came, they cover one"
    assert not complete(known, 0, 1, now=14)
    assert not complete(known, 0, 1, now=20)
    assert complete(known, 0, 1, 3, 4, now=20)


@pytest.mark.guide("A55")
def test_a_tranche_covers_one_no_show_however_many_it_has() -> None:
    known = assigned((0, 0), (0, 0), (0, 0), (3, 13), (3, 13), (3, 13))
    assert required(known, 0, now=14) == Waiting(Tranche(U32(5)), NO_SHOW, 23)


@pytest.mark.guide("A55")
def test_who_announced_itself_early_covers_from_when_it_is_needed() -> None:
    """Its time to deliver begins with the round that it came for."""
    known = assigned((0, 0), (0, 0), (0, 0), (3, 3))
    assert required(known, 0, 1, now=14) == Enough(Tranche(U32(3)), 1, 2 * NO_SHOW, NO_SHOW + 3)


def test_a_third_is_not_more_than_a_third() -> None:
    """All of them may be dishonest."""
    have = [validator(index) for index in range(3)]
    assert not are_enough(have, validators=9, checkers=9)
    assert are_enough(have, validators=8, checkers=8)


@pytest.mark.guide("A55")
def test_who_delivers_late_has_delivered() -> None:
    known = assigned((0, 0), (0, 0), (0, 0))
    assert not complete(known, 0, 1, now=12)
    assert complete(known, 0, 1, 2, now=12)


@pytest.mark.guide("A55")
def test_no_shows_among_those_who_cover_are_covered_in_turn() -> None:
    known = assigned((0, 0), (0, 0), (0, 0), (1, 11), (3, 23))
    assert required(known[:4], 0, 1, now=20) == Enough(Tranche(U32(1)), 1, 21, NO_SHOW + 1)
    assert required(known[:4], 0, 1, now=21) == Waiting(Tranche(U32(2)), 2 * NO_SHOW, None)
    assert required(known, 0, 1, now=23) == Enough(Tranche(U32(3)), 2, 33, 2 * NO_SHOW + 3)
    assert not complete(known, 0, 1, now=23)
    assert complete(known, 0, 1, 4, now=23)


@pytest.mark.guide("A55")
def test_when_nobody_delivers_everybody_is_asked() -> None:
    known = assigned(*[(0, 0)] * 6)
    assert required(known, now=10, needed=6, checkers=8) == Everybody()
    have = {validator(0), validator(1)}
    assert not is_approved(Everybody(), known, have, validators=8, checkers=8)
    have |= {validator(7)}
    assert is_approved(Everybody(), known, have, validators=8, checkers=8), "one of them is honest"


@pytest.mark.guide("A54")
def test_all_who_may_check_are_enough() -> None:
    """A small network, where nearly everybody has backed."""
    known = assigned((0, 0))
    found = required(known, 0, now=0, needed=1, checkers=1)
    assert is_approved(found, known, {validator(0)}, validators=9, checkers=1)


@pytest.mark.guide("A54", "A62")
def test_what_a_supermajority_vouches_for_waits_for_no_silent_checker() -> None:
    """Of seven validators four have backed; two of the three who are left deliver nothing."""
    known = assigned((0, 0), (1, 0), (2, 0))
    found = required(known, 0, now=40, needed=2, checkers=3)
    assert not isinstance(found, Enough)
    assert is_approved(found, known, {validator(0)}, validators=7, checkers=3)
    assert not is_approved(found, known, set(), validators=7, checkers=3)


known_lists = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 60)), max_size=14)
approvals = st.sets(st.integers(0, 13))


@given(known_lists, approvals, st.integers(0, 80), st.integers(0, 6))
def test_more_approvals_never_take_acceptance_back(
    places: list[tuple[int, int]], approved: set[int], now: int, needed: int
) -> None:
    known = assigned(*places)
    have = sorted(index for index in approved if index < len(known))
    if complete(known, *have, now=now, needed=needed):
        for extra in range(len(known)):
            assert complete(known, *{*have, extra}, now=now, needed=needed)


@given(known_lists, st.integers(0, 80), st.integers(1, 6))
def test_when_all_deliver_in_time_only_whole_tranches_count(
    places: list[tuple[int, int]], now: int, needed: int
) -> None:
    """Without no-shows the answer can be read off the list."""
    known = assigned(*places)
    found = required(known, *range(len(known)), now=now, needed=needed)
    ordered = sorted(tranche for tranche, _ in places if tranche <= now)
    if len(ordered) >= needed:
        last = ordered[needed - 1]
        assert found == Enough(Tranche(U32(last)), 0, None, last)
    else:
        assert found == Waiting(None, 0, None)


@given(known_lists, approvals, st.integers(0, 80), st.integers(0, 6), st.integers(0, 14))
def test_what_is_seen_in_one_step_is_what_the_rounds_come_to(
    places: list[tuple[int, int]], approved: set[int], now: int, needed: int, checkers: int
) -> None:
    known = assigned(*places)
    have = {validator(index) for index in approved}
    ordered = sorted(known, key=lambda each: each.tranche)
    plain = required_by_rounds(ordered, have, now, NO_SHOW, needed, checkers)
    assert required(known, *approved, now=now, needed=needed, checkers=checkers) == plain


@given(known_lists, approvals, st.integers(0, 80), st.integers(0, 6))
def test_there_is_always_something_to_wait_for(
    places: list[tuple[int, int]], approved: set[int], now: int, needed: int
) -> None:
    """An unapproved candidate has a time to look again, or somebody is to come: no wake-up is
    lost."""
    known = assigned(*places)
    have = {validator(index) for index in approved if index < len(known)}
    found = required(known, *(int(v) for v in have), now=now, needed=needed)
    if isinstance(found, Enough) and not is_approved(
        found, known, have, validators=CHECKERS, checkers=CHECKERS
    ):
        assert found.next_no_show is not None and found.next_no_show > now
