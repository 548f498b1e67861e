"""What an author brings of a candidate's checks."""

from __future__ import annotations

from parahost.node.validity.chain_checks import checks_for_chain
from parahost.node.validity.checking import Checking, TrancheTime
from parahost.primitives.approval import Approval, Assignment, SecondaryChecks, Tranche
from parahost.primitives.basic import U32, U64, Slot, ValidatorIndex
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
    known = checking(v3=0, v1=0, v2=1)
    brought = checks_for_chain(known, approvals(3, 1), noted({}), slot(101))
    assert who(brought) == ([1, 2, 3], [1, 3])
    brought = checks_for_chain(known, approvals(3, 1), noted({1: 12}, 1), slot(101))
    assert who(brought) == ([2, 3], [3])
    brought = checks_for_chain(known, approvals(3, 1), noted({1: 12, 2: 12, 3: 12}, 1), slot(101))
    assert who(brought) == ([], [3])
    assert checks_for_chain(known, approvals(1), noted({1: 1, 2: 1, 3: 1}, 1), slot(101)) is None


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
