"""The approval machine over forks and lives: finality, restarts, and what comes of both."""

from __future__ import annotations

from dataclasses import replace

import pytest

from parahost.node.messages.validity import CheckVerdict
from parahost.node.validity.approval_effects import (
    BeginCheck,
    CandidatesFinal,
    CandidatesSettled,
    ChecksNoted,
    DisputeCandidate,
    ForgetCandidate,
    OwnAssignmentsDrawn,
    SignApproval,
    TellLate,
)
from parahost.node.validity.checked_block import CheckedBlock
from parahost.primitives.approval import Tranche
from parahost.primitives.basic import U32, BlockNumber, Hash, SessionIndex
from parahost.runtime.parachains.approvals import AssignedChecker, CheckState
from tests.node.validity.world import (
    BASE,
    GENESIS,
    HEARING_S,
    NO_SHOW_S,
    ONE,
    SLOT_MS,
    TRANCHE_S,
    A,
    Node,
    approval,
    candidate,
    checked,
    drawn,
    ref,
    start_of,
    validator,
)

# Finality


def test_a_vote_on_finality_stops_below_what_is_not_approved() -> None:
    b, c = candidate("b", slot=101), candidate("c", slot=102)
    two = checked("two", 2, ONE.hash, b)
    empty = checked("empty", 3, two.hash)
    four = checked("four", 4, empty.hash, c)
    node = Node()
    for block in (ONE, two, empty, four):
        node.hears(block)
    machine = node.machine
    assert machine.approved_ancestor(BASE, ref(four)) == BASE

    def approve(block: CheckedBlock) -> None:
        for who in range(1, 5):
            node.hears_assignment(block, who)
            node.hears_check(block, who)

    approve(two)
    assert machine.approved_ancestor(BASE, ref(four)) == BASE
    assert machine.approved_ancestor(ref(ONE), ref(four)) == ref(empty)
    approve(ONE)
    assert machine.approved_ancestor(BASE, ref(four)) == ref(empty)
    assert machine.approved_ancestor(BASE, ref(two)) == ref(two)
    approve(four)
    assert machine.approved_ancestor(BASE, ref(four)) == ref(four)
    assert machine.approved_ancestor(ref(four), ref(four)) == ref(four)
    unknown = (Hash(A.receipt.hash()), BlockNumber(U32(9)))
    assert machine.approved_ancestor(BASE, unknown) == BASE
    fork = checked("fork", 2, ONE.hash)
    node.hears(fork)
    assert machine.approved_ancestor(ref(two), ref(fork)) == ref(two)


def test_what_another_fork_has_included_holds_no_vote_on_this_one() -> None:
    """Candidates that are disputed from elsewhere are checked here, and are none of this fork."""
    block = checked("one", 1, GENESIS, remote=[A])
    node = Node(me=5, draws={0: 0})
    node.hears(block)
    assert node.machine.approved_ancestor(BASE, ref(block)) == ref(block)
    assert node.checks == [A.key()]


def test_forks_that_lost_are_forgotten_and_unsettled_candidates_are_not() -> None:
    b = candidate("b", slot=101)
    lost = checked("lost", 1, GENESIS, candidate("lost"))
    child_of_lost = checked("child of lost", 2, lost.hash, candidate("lost too"))
    two = checked("two", 2, ONE.hash, b)
    node = Node()
    for block in (ONE, lost, child_of_lost, two):
        node.hears(block)
    node.hears(CandidatesFinal(*ref(ONE)))
    forgotten = {effect.key for effect in node.all(ForgetCandidate)}
    assert forgotten == {lost.candidates[0].key(), child_of_lost.candidates[0].key()}
    assert node.machine.unsettled() == (A.key(),)
    assert [it.record for it, _ in node.machine.on_fork(two.hash)] == [A, b]
    node.hears(CandidatesFinal(*ref(two)))
    assert node.machine.unsettled() == (A.key(), b.key())
    node.hears(CandidatesSettled(frozenset([A.key()])))
    assert node.machine.unsettled() == (b.key(),)
    node.hears(CandidatesSettled(frozenset([b.key()])))
    assert not node.checkings()
    assert node.machine.next_due() is None
    assert not node.machine.follows(two.hash)


def test_a_candidate_that_a_lost_fork_had_too_goes_on_as_it_was() -> None:
    """Its check is under way for the fork that is lost; what it finds counts on the other."""
    here, there = (checked(name, 1, GENESIS, candidate("a")) for name in ("here", "there"))
    node = Node(me=5, draws={0: 0})
    node.hears(here, there)
    node.hears(CandidatesFinal(*ref(there)))
    assert not node.all(ForgetCandidate)
    assert list(node.checkings()) == [(there.hash, 0)]
    node.finds(A.key())
    assert node.told() == [(there.hash, 0)]
    assert len(node.all(BeginCheck)) == 1


@pytest.mark.parametrize("verdict", list(CheckVerdict))
def test_who_has_backed_it_on_the_fork_that_stays_has_nothing_to_tell_of_its_check(
    verdict: CheckVerdict,
) -> None:
    """It was a checker on the fork that is lost alone."""
    here = checked("here", 1, GENESIS, candidate("a", backers=(0,)))
    there = checked("there", 1, GENESIS, candidate("a", backers=(0, 5)))
    node = Node(me=5, draws={0: 0})
    node.hears(here, there)
    assert node.announced() == [(here.hash, 0)]
    node.hears(CandidatesFinal(*ref(there)))
    node.finds(A.key(), verdict)
    assert not node.all(SignApproval)
    assert node.told() == []
    assert len(node.all(DisputeCandidate)) == (verdict is CheckVerdict.INVALID)


def test_what_finality_has_left_ends_whatever_comes_of_its_check() -> None:
    node = Node(me=5, draws={0: 0})
    other = checked("other", 1, GENESIS)
    node.hears(ONE, other)
    assert node.checks == [A.key()]
    node.hears(CandidatesFinal(*ref(other)))
    assert [effect.key for effect in node.all(ForgetCandidate)] == [A.key()]
    node.finds(A.key())
    node.hears(OwnAssignmentsDrawn(ONE.hash, {0: drawn(tranche=0)}))
    assert not node.all(SignApproval)
    assert node.machine.next_due() is None


def test_an_unsettled_candidate_outlives_the_blocks_around_it() -> None:
    """Of final blocks those without one are forgotten: no path leads back to it."""
    node, parent = Node(), ONE.hash
    node.hears(ONE, CandidatesFinal(*ref(ONE)))
    for number in range(2, 7):
        block = checked(f"block {number}", number, parent)
        node.hears(block, CandidatesFinal(*ref(block)))
        parent = block.hash
    assert node.machine.unsettled() == (A.key(),)
    assert [it.record for it, _ in node.machine.on_fork(parent)] == [A]


def test_what_is_settled_on_one_fork_is_not_on_another() -> None:
    """The same candidate above finality: only what is final is settled."""
    again = checked("again", 2, ONE.hash, candidate("a", slot=101))
    node = Node()
    node.hears(ONE)
    node.hears(again)
    node.hears(CandidatesFinal(*ref(ONE)))
    node.hears(CandidatesSettled(frozenset([A.key()])))
    assert list(node.checkings()) == [(again.hash, 0)]


# After a restart, and out of touch


def noted(assigned: dict[int, int], approved: list[int]) -> CheckState:
    return CheckState(
        tuple(AssignedChecker(validator(v), Tranche(U32(0)), U32(s)) for v, s in assigned.items()),
        tuple(map(validator, approved)),
    )


def test_checks_that_the_chain_has_noted_count() -> None:
    node = Node()
    node.hears(ONE)
    node.hears(ChecksNoted(ONE.hash, {A.key(): noted({1: 0, 2: 0}, [1, 2])}))
    node.waits(start_of() + HEARING_S)
    assert node.approved() == [A.key()]


def test_who_disputes_a_candidate_hears_of_its_checks_that_are_signed() -> None:
    """Of those that only the chain has the signatures are in its blocks."""
    node = Node()
    node.hears(ONE)
    for who in (1, 2):
        node.hears_assignment(ONE, who)
    node.hears_check(ONE, 1)
    node.hears(ChecksNoted(ONE.hash, {A.key(): noted({1: 0, 2: 0}, [1, 2])}))
    (approval,) = node.machine.approvals(A.key())
    assert approval.validator_index == 1
    assert node.machine.approvals((SessionIndex(U32(99)), A.key()[1])) == ()


def test_that_the_chain_accepts_a_candidate_approves_it_nowhere() -> None:
    """Its authors may have left out who does not deliver."""
    node = Node()
    node.hears(ONE)
    for who in (1, 2, 3):
        node.hears_assignment(ONE, who)
    accepted = replace(noted({1: 0, 2: 0}, [1, 2]), accepted_in=BlockNumber(U32(2)))
    node.hears(ChecksNoted(ONE.hash, {A.key(): accepted}))
    assert node.approved() == []


def test_what_a_supermajority_vouches_for_in_a_dispute_is_approved() -> None:
    """Those who dispute it do not deliver: without this they would hold up finality for ever."""
    node = Node()
    node.hears(ONE)
    for who in (1, 2, 3):
        node.hears_assignment(ONE, who)
    accepted = replace(noted({1: 0, 2: 0}, [1]), accepted_in=BlockNumber(U32(2)))
    node.hears(ChecksNoted(ONE.hash, {A.key(): accepted}, frozenset([A.key()])))
    assert node.approved() == [A.key()]


def test_who_comes_late_hears_others_first() -> None:
    """After a start everybody's time has come; but it is not the first to know of the block."""
    node = Node(me=5, draws={0: 3}, now=start_of(150))
    node.hears(ONE)
    node.waits(start_of(151) - 0.01)
    assert node.announced() == []
    node.waits(start_of(151))
    assert node.announced() == [(ONE.hash, 0)]


@pytest.mark.guide("A54")
def test_of_a_block_that_comes_late_liars_are_believed_no_sooner_than_others_speak() -> None:
    """Its author has held it back: so whoever would find out hears others for a slot first."""
    late, speaks = start_of(103), start_of(104)
    honest, other = Node(me=7, draws={0: 0}, now=late), Node(now=late)
    for node in (honest, other):
        node.hears(ONE)
        for liar, tranche in ((1, 0), (2, 3)):
            node.hears_assignment(ONE, liar, tranche)
            node.hears_check(ONE, liar)
        node.waits(speaks)
        assert node.approved() == []
    assert honest.announced() == [(ONE.hash, 0)]
    honest.finds(A.key(), CheckVerdict.INVALID)
    other.waits(speaks + SLOT_MS / 2000 - 0.1)
    other.hears_assignment(ONE, 7)
    for node in (honest, other):
        node.waits(speaks + NO_SHOW_S - 0.01)
        assert node.approved() == []


def test_of_a_block_that_is_met_late_what_is_known_counts_when_others_have_spoken() -> None:
    node = Node(now=start_of(103))
    node.hears(ONE)
    for who in (1, 2):
        node.hears_assignment(ONE, who)
        node.hears_check(ONE, who)
    spoken = start_of(104) + SLOT_MS / 2000
    node.waits(spoken - 0.01)
    assert node.approved() == []
    node.waits(spoken)
    assert node.approved() == [A.key()]


@pytest.mark.parametrize("chain_first", [True, False])
def test_a_restart_gives_a_silent_checker_no_more_time(chain_first: bool) -> None:
    """Peers tell again who checks; the chain knows since when, whichever is heard first."""
    node = Node(me=5, draws={0: 4}, now=start_of(101))
    node.hears(ONE)
    told = ChecksNoted(ONE.hash, {A.key(): noted({1: 1, 2: 1}, [2])})
    for by_chain in (chain_first, not chain_first):
        if by_chain:
            node.hears(told)
        else:
            for who in (1, 2):
                node.hears_assignment(ONE, who)
    late = start_of() + NO_SHOW_S + TRANCHE_S
    node.waits(late - 0.01)
    assert not node.all(TellLate)
    node.waits(late)
    assert [told.late for told in node.all(TellLate)] == [1]
    node.waits(start_of() + NO_SHOW_S + 4 * TRANCHE_S)
    assert node.announced() == [(ONE.hash, 0)]


def test_who_hears_its_own_announcement_of_an_earlier_life_delivers() -> None:
    """From peers, and before its draw has come anew."""
    node = Node(me=5, now=start_of(150))
    node.hears(ONE)
    node.hears_assignment(ONE, 5)
    assert node.checks == [A.key()]
    node.hears(OwnAssignmentsDrawn(ONE.hash, {0: drawn(tranche=0)}))
    node.finds(A.key())
    assert node.told() == [(ONE.hash, 0)]
    assert len(node.all(BeginCheck)) == 1


def test_whose_time_passed_while_it_was_away_joins_if_it_is_needed() -> None:
    """It hears others for a slot first; those who are known then do not suffice."""
    node = Node(me=5, draws={0: 3}, now=start_of(104))
    node.hears(ONE)
    node.hears_assignment(ONE, 1)
    node.waits(start_of(105) - 0.01)
    assert node.announced() == []
    node.waits(start_of(105))
    assert node.announced() == [(ONE.hash, 0)]


def test_who_has_announced_in_an_earlier_life_delivers() -> None:
    node = Node(me=5, draws={0: 3}, now=start_of(101))
    node.hears(ONE, ChecksNoted(ONE.hash, {A.key(): noted({5: 3}, [])}))
    assert node.checks == [A.key()]
    node.finds(A.key())
    assert node.told() == [(ONE.hash, 0)]
    assert node.announced() == [(ONE.hash, 0)], "whoever has not heard it needs it before the check"


def test_what_was_approved_in_an_earlier_life_is_not_checked_again() -> None:
    node = Node(me=5, draws={0: 3}, now=start_of(101))
    node.hears(ONE, ChecksNoted(ONE.hash, {A.key(): noted({5: 3}, [5])}))
    assert node.checks == []
    assert node.told() == [(ONE.hash, 0)], "the same signature comes again"


def test_what_was_checked_in_an_earlier_life_is_not_checked_again() -> None:
    """Though neither the chain nor anybody else tells of it."""
    node = Node(me=5, draws={0: 0}, kept={A.key(): approval(5)})
    node.hears(ONE)
    assert node.checks == []
    assert node.announced() == node.told() == [(ONE.hash, 0)]
