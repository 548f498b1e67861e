"""What an author brings of a candidate's checks."""

from __future__ import annotations

from collections.abc import Iterator

from parahost.node.validity.chain_checks import as_much_as_fits, checks_for_chain
from parahost.node.validity.checking import Checking, TrancheTime
from parahost.primitives.approval import Approval, Assignment, SecondaryChecks, Tranche
from parahost.primitives.basic import U32, U64, BlockNumber, Slot, ValidatorIndex
from parahost.runtime.parachains.approval_weight import MAX_CHECKS_WEIGHT, checks_weight
from parahost.runtime.parachains.approvals import AssignedChecker, CheckState
from tests.node.validity.world import (
    CERT,
    NO_SHOW_SLOTS,
    PER_SLOT,
    SLOT_MS,
    approval,
    candidate,
    session,
    validator,
)

A = candidate("a", slot=100)


def slot(number: int) -> Slot:
    return Slot(U64(number))


def checking(**tranches: int) -> Checking:
    """Validators that have announced themselves, by number, with their tranches."""
    found = Checking(A, session(), TrancheTime(slot(100), SLOT_MS, PER_SLOT), None)
    for name, tranche in tranches.items():
        who = validator(int(name.removeprefix("v")))
        found.announce(who, Tranche(U32(tranche)), 0)
        found.proofs[who] = Assignment(who, CERT)
    return found


def approvals(*who: int) -> dict[ValidatorIndex, Approval | None]:
    return {validator(each): approval(each) for each in who}


def noted(assigned: dict[int, int], *approved: int) -> CheckState:
    """By validator: since when."""
    return CheckState(
        tuple(
            AssignedChecker(validator(who), Tranche(U32(0)), U32(since))
            for who, since in assigned.items()
        ),
        tuple(map(validator, approved)),
    )


def who(checks: SecondaryChecks | None) -> tuple[list[int], list[int]]:
    assert checks is not None
    assert (checks.session, checks.candidate_hash) == A.key()
    return (
        [each.validator_index for each in checks.assignments],
        [each.validator_index for each in checks.approvals],
    )


def test_what_the_chain_lacks_is_brought_ascending_by_validator() -> None:
    known = checking(v3=0, v1=0, v2=0)
    brought = checks_for_chain(known, approvals(3, 1), noted({}), slot(101))
    assert who(brought) == ([1, 2, 3], [1, 3])
    brought = checks_for_chain(known, approvals(3, 1), noted({1: 12}, 1), slot(101))
    assert who(brought) == ([2, 3], [3])
    brought = checks_for_chain(known, approvals(3, 1), noted({1: 12, 2: 12, 3: 12}, 1), slot(101))
    assert who(brought) == ([], [3])
    assert checks_for_chain(known, approvals(1), noted({1: 1, 2: 1, 3: 1}, 1), slot(101)) is None


def test_who_is_in_a_tranche_that_nobody_waits_for_is_not_brought() -> None:
    """Two of tranche 0 are enough, silent or not; liars may announce themselves in later ones."""
    for approved in ((1, 2, 3, 4), (1, 3)):
        known = checking(v1=0, v2=0, v3=1, v4=2)
        brought = checks_for_chain(known, approvals(*approved), noted({}), slot(101))
        assert who(brought) == ([1, 2], [each for each in (1, 2) if each in approved])
    few = checking(v1=0, v3=1, v4=2)
    assert who(checks_for_chain(few, approvals(3, 4), noted({}), slot(101))) == ([1, 3], [3])


def test_who_covers_somebody_is_brought_when_that_one_is_late_on_the_chain() -> None:
    known = checking(v1=0, v2=0, v3=1)
    late = NO_SHOW_SLOTS * PER_SLOT
    state = noted({1: 0, 2: 0}, 1)
    before = checks_for_chain(known, approvals(1, 3), state, slot(100 + NO_SHOW_SLOTS - 1))
    assert before is None, f"it has until tranche {late}"
    covered = checks_for_chain(known, approvals(1, 3), state, slot(101 + NO_SHOW_SLOTS))
    assert who(covered) == ([3], [3])


def test_where_so_many_approve_that_no_tranche_matters_they_are_brought_and_no_silent_one() -> None:
    """More than a third of ten, whoever of tranche 0 keeps silent."""
    known = checking(v1=0, v2=0, v3=0, v4=1, v5=1)
    brought = checks_for_chain(known, approvals(2, 3, 4, 5), noted({}), slot(101))
    assert who(brought) == ([2, 3, 4, 5], [2, 3, 4, 5])


def test_the_silent_are_brought_too() -> None:
    """The chain is to see that others must cover them."""
    assert who(checks_for_chain(checking(v1=0), {}, noted({}), slot(101))) == ([1], [])


def test_a_tranche_whose_time_has_not_come_waits_and_its_check_with_it() -> None:
    known = checking(v1=0, v2=PER_SLOT + 1)
    assert who(checks_for_chain(known, approvals(1, 2), noted({}), slot(101))) == ([1], [1])
    assert who(checks_for_chain(known, approvals(1, 2), noted({}), slot(102))) == ([1, 2], [1, 2])


def test_a_check_of_which_only_the_chain_has_the_signature_is_not_brought() -> None:
    """Another fork has it; whoever has made it brings it here."""
    found: dict[ValidatorIndex, Approval | None] = {validator(1): None}
    assert who(checks_for_chain(checking(v1=0), found, noted({}), slot(101))) == ([1], [])


def test_what_time_alone_completes_is_named() -> None:
    """Two are needed. Validator 3 is late when its time is over, and 4 has covered it."""
    known = checking(v1=0, v2=0, v3=0, v4=1)
    late = 12 + NO_SHOW_SLOTS * PER_SLOT
    state = CheckState(
        (
            *noted({1: 12, 2: 12, 3: 12}).assigned,
            AssignedChecker(validator(4), Tranche(U32(1)), U32(24)),
        ),
        tuple(map(validator, (1, 2, 4))),
    )
    found = approvals(1, 2, 4)
    assert checks_for_chain(known, found, state, slot(100 + late // PER_SLOT - 1)) is None
    assert who(checks_for_chain(known, found, state, slot(100 + late // PER_SLOT))) == ([], [])


# A block's room


def lacking(block: int, count: int, name: str) -> tuple[BlockNumber, SecondaryChecks]:
    """What so many checkers say of a candidate that the block has included."""
    one = candidate(name, number=block)
    assignments = tuple(Assignment(validator(each), CERT) for each in range(count))
    said = tuple(approval(each) for each in range(count))
    return one.included_in, SecondaryChecks(*one.key(), assignments, said)


def test_the_oldest_come_first_and_of_one_block_those_that_need_least() -> None:
    given = [lacking(1, 3, "a"), lacking(1, 1, "b"), lacking(2, 1, "c"), lacking(2, 0, "d")]
    a, b, c, d = (checks for _, checks in given)
    assert as_much_as_fits(given) == (b, a, d, c)


def test_no_more_is_given_than_a_block_takes_and_no_more_looked_at() -> None:
    """With 30 checkers each, some 22 candidates."""
    looked_at = 0

    def endless() -> Iterator[tuple[BlockNumber, SecondaryChecks]]:
        nonlocal looked_at
        while True:
            looked_at += 1
            yield lacking(looked_at, 30, f"candidate {looked_at}")

    given = as_much_as_fits(endless())
    weights = [checks_weight(each).ref_time for each in given]
    assert sum(weights[:-1]) <= MAX_CHECKS_WEIGHT.ref_time < sum(weights)
    assert looked_at <= len(given) + 1


def test_where_more_is_included_than_fits_the_oldest_are_accepted_and_the_room_is_used() -> None:
    """Eighty candidates a block, of ten checks each: what is behind waits, and nothing for ever."""
    waiting: list[tuple[BlockNumber, SecondaryChecks]] = []
    accepted: list[int] = []
    for block in range(1, 13):
        if block <= 6:
            waiting += [lacking(block, 10, f"{block} {each}") for each in range(80)]
        given = as_much_as_fits(waiting)
        brought = given if len(given) == len(waiting) else given[:-1]
        keys = {(each.session, each.candidate_hash) for each in brought}
        done = [w for w in waiting if (w[1].session, w[1].candidate_hash) in keys]
        accepted += [number for number, _ in done]
        waiting = [w for w in waiting if w not in done]
        assert not waiting or 60 <= len(done) < 80
    assert accepted == sorted(accepted) and len(accepted) == 6 * 80 and not waiting
