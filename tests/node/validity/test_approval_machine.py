"""Approval voting as a machine: approvals, own assignments and checks, no-shows, wake-ups."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parahost.node.messages.validity import CheckVerdict
from parahost.node.validity.approval_effects import (
    BeginCheck,
    DisputeCandidate,
    OwnAssignmentsDrawn,
    SignApproval,
    TellApproved,
    TellLate,
)
from tests.node.validity.world import (
    BASE,
    GENESIS,
    HEARING_S,
    NO_SHOW_S,
    ONE,
    TRANCHE_S,
    A,
    Node,
    candidate,
    checked,
    drawn,
    ref,
    session,
    start_of,
)

# Approval


@pytest.mark.guide("A54")
def test_a_candidate_is_approved_when_those_who_are_needed_have_checked() -> None:
    node = Node()
    node.hears(ONE)
    assert node.approved() == []
    for who in (1, 2):
        node.hears_assignment(ONE, who)
    node.hears_check(ONE, 1)
    node.waits(start_of() + HEARING_S)
    assert node.approved() == []
    node.hears_check(ONE, 2)
    (told,) = node.all(TellApproved)
    assert (told.key, told.checks, told.late, told.by_third) == (A.key(), 2, 0, False)


@pytest.mark.guide("A54")
def test_liars_are_not_believed_before_the_others_of_their_tranche_are_heard() -> None:
    """They announce themselves and approve at once. Who was drawn with them announces itself then
    too, and is waited for: it finds out."""
    node = Node()
    node.hears(ONE)
    for who in (1, 2):
        node.hears_assignment(ONE, who)
        node.hears_check(ONE, who)
    node.waits(start_of() + 0.3)
    node.hears_assignment(ONE, 3)
    node.waits(start_of() + NO_SHOW_S - 0.01)
    assert node.approved() == []
    node.hears_check(ONE, 3)
    assert node.approved() == [A.key()]


@pytest.mark.guide("A54")
def test_liars_who_announce_themselves_early_are_believed_no_sooner() -> None:
    """Honest checkers wait for the time of their tranche; and of a tranche that covers somebody,
    until it is needed."""
    for first, begins in (((1,), 3 * TRANCHE_S), ((1, 2), NO_SHOW_S + 3 * TRANCHE_S)):
        node = Node()
        node.hears(ONE)
        for who in first:
            node.hears_assignment(ONE, who)
        for liar in (5, 6):
            node.hears_assignment(ONE, liar, tranche=3)
            node.hears_check(ONE, liar)
        node.hears_check(ONE, 1)
        node.waits(start_of() + begins + 0.3)
        assert node.approved() == []
        node.hears_assignment(ONE, 7, tranche=3)
        node.waits(start_of() + begins + HEARING_S + 0.4)
        assert node.approved() == [], first
        node.hears_check(ONE, 7)
        assert node.approved() == [A.key()]


def test_when_nobody_else_is_heard_those_who_were_suffice_a_while_later() -> None:
    """Who is of a later tranche than counts puts it off no further."""
    node = Node()
    node.hears(ONE)
    node.waits(start_of() + 0.5)
    for who in (1, 2):
        node.hears_assignment(ONE, who)
        node.hears_check(ONE, who)
    node.waits(start_of() + 1.0)
    node.hears_assignment(ONE, 3, tranche=2)
    node.waits(start_of() + 0.5 + HEARING_S - 0.001)
    assert node.approved() == []
    node.waits(start_of() + 0.5 + HEARING_S)
    assert node.approved() == [A.key()]


def test_more_than_a_third_of_all_validators_are_enough_whoever_else_was_drawn() -> None:
    node = Node()
    node.hears(ONE)
    for who in range(1, 10):
        node.hears_assignment(ONE, who)
    for who in (1, 2, 3):
        node.hears_check(ONE, who)
    assert node.approved() == []
    node.hears_check(ONE, 4)
    (told,) = node.all(TellApproved)
    assert told.by_third


def test_nobody_is_needed_where_the_chain_asks_for_no_checks() -> None:
    node = Node(me=3, draws={0: 0})
    node.hears(checked("one", 1, GENESIS, A, info=session(needed=0)))
    assert node.approved() == [A.key()]
    assert not node.announced()
    assert node.machine.next_due() is None


def test_a_check_counts_wherever_its_maker_was_drawn_but_not_its_backers() -> None:
    """The same candidate on two forks: on one of them, validator 2 is among its backers. Four of
    ten validators are more than a third; there, it is only three."""
    here = checked("here", 1, GENESIS, candidate("a", backers=(0,)))
    there = checked("there", 1, GENESIS, candidate("a", backers=(0, 2), slot=101))
    node = Node()
    node.hears(here, there)
    for who in (1, 2, 4, 5):
        node.hears_assignment(here, who)
    for who in (1, 3):
        node.hears_assignment(there, who)
    for who in (1, 2, 4, 5):
        node.hears_check(here, who)
    assert [told.place for told in node.all(TellApproved)] == [(here.hash, 0)]
    node.hears_check(there, 3)
    assert [told.place for told in node.all(TellApproved)] == [(here.hash, 0), (there.hash, 0)]


@pytest.mark.parametrize("late", [False, True])
def test_a_check_that_is_told_of_one_fork_counts_on_the_other_early_or_late(late: bool) -> None:
    """Its maker was drawn on both, and told it on one; so on the other it was no no-show."""
    here, there = (checked(name, 1, GENESIS, candidate("a")) for name in ("here", "there"))
    node = Node()
    node.hears(here, there)
    for block in (here, there):
        for who in (1, 2):
            node.hears_assignment(block, who)
    node.hears_check(here, 1)
    node.waits(start_of() + (NO_SHOW_S + 1 if late else 2.0))
    assert node.approved() == []
    node.hears_check(there, 2)
    assert {told.place for told in node.all(TellApproved)} == {(here.hash, 0), (there.hash, 0)}


def test_each_candidate_of_a_block_is_approved_for_itself() -> None:
    b = candidate("b", core=1)
    two = checked("two", 1, GENESIS, A, b)
    node = Node()
    node.hears(two)
    for index, key in ((1, b.key()), (0, A.key())):
        for who in (1, 2):
            node.hears_assignment(two, who, index=index)
            node.hears_check(two, who, index=index)
        assert node.machine.approved_ancestor(BASE, ref(two)) == BASE
        node.waits(node.now + HEARING_S)
        assert node.approved()[-1] == key
    assert node.machine.approved_ancestor(BASE, ref(two)) == ref(two)


def test_a_check_counts_while_the_others_are_unheard_but_not_alone() -> None:
    """Who found it valid and was never assigned here fills no tranche."""
    node = Node()
    node.hears(ONE)
    node.hears_assignment(ONE, 1)
    for who in (1, 2, 3):
        node.hears_check(ONE, who)
    node.waits(start_of() + NO_SHOW_S - 0.01)
    assert node.approved() == []
    node.hears_assignment(ONE, 2, tranche=5)
    node.waits(node.now + HEARING_S)
    assert node.approved() == [A.key()]


def test_what_is_said_of_blocks_and_candidates_that_are_not_here_changes_nothing() -> None:
    """Finality may have left them between the hearing and the telling."""
    node, gone = Node(), checked("gone", 1, GENESIS, candidate("gone"))
    node.hears(ONE)
    for block, index in ((gone, 0), (ONE, 7)):
        node.hears_assignment(block, 1, index=index)
        node.hears_check(block, 1, index=index)
    assert list(node.checkings()) == [(ONE.hash, 0)]
    assert not node.checkings()[ONE.hash, 0].assigned


# Own assignments


@pytest.mark.guide("A54")
def test_an_own_assignment_waits_for_its_tranche() -> None:
    node = Node(me=5, draws={0: 3})
    node.hears(ONE)
    node.waits(start_of() + 3 * TRANCHE_S - 0.01)
    assert node.announced() == []
    node.waits(start_of() + 3 * TRANCHE_S)
    assert node.announced() == [(ONE.hash, 0)]
    assert node.checks == [A.key()]
    assert node.told() == []
    node.finds(A.key())
    assert node.told() == [(ONE.hash, 0)]


def test_an_own_assignment_is_not_announced_when_others_suffice() -> None:
    node = Node(me=5, draws={0: 3})
    node.hears(ONE)
    for who in (1, 2):
        node.hears_assignment(ONE, who)
        node.hears_check(ONE, who)
    node.waits(start_of() + 1000)
    assert node.announced() == []
    assert not node.all(BeginCheck)


def test_whose_clock_is_behind_joins_the_first_tranche_and_believes_nobody_before_its_time() -> (
    None
):
    """The block comes before its slot has begun, by this node's clock."""
    node = Node(me=5, draws={0: 0}, now=start_of(99))
    node.hears(ONE)
    assert node.announced() == [(ONE.hash, 0)]
    for who in (1, 2):
        node.hears_assignment(ONE, who)
        node.hears_check(ONE, who)
    node.finds(A.key())
    node.waits(start_of() + HEARING_S - 0.01)
    assert node.approved() == []
    node.waits(start_of() + HEARING_S)
    assert node.approved() == [A.key()]


def test_a_leap_of_the_clock_makes_everybody_late_and_brings_who_covers() -> None:
    """And back again: what is approved stays so."""
    node = Node(me=5, draws={0: 4})
    node.hears(ONE)
    for who in (1, 2):
        node.hears_assignment(ONE, who)
    node.waits(start_of(110))
    assert node.announced() == [(ONE.hash, 0)]
    node.finds(A.key())
    for who in (1, 2):
        node.hears_check(ONE, who)
    assert node.approved() == [A.key()]
    node.now = start_of(95)
    node.looks()
    assert node.machine.approved_ancestor(BASE, ref(ONE)) == ref(ONE)


def test_what_everybody_has_backed_nobody_need_check() -> None:
    everybody = candidate("all", backers=range(10))
    node = Node(me=5, draws={0: 0})
    node.hears(checked("all", 1, GENESIS, everybody))
    assert node.approved() == [everybody.key()]
    assert node.announced() == []


def test_backers_check_nothing() -> None:
    node = Node(me=0, draws={0: 0})
    node.hears(ONE)
    node.waits(start_of() + 1000)
    assert node.announced() == []


def test_a_no_show_brings_the_next_tranche_in() -> None:
    """Two are needed; one of tranche 0 does not deliver, and whoever is in tranche 3 covers it, as
    no tranche before has anybody. Its time is counted from when the no-show was noticed."""
    node = Node(me=5, draws={0: 3})
    node.hears(ONE)
    for who in (1, 2):
        node.hears_assignment(ONE, who)
    node.hears_check(ONE, 1)
    node.waits(start_of() + NO_SHOW_S - 0.01)
    assert node.announced() == []
    assert not node.all(TellLate)
    node.waits(start_of() + NO_SHOW_S)
    assert [told.late for told in node.all(TellLate)] == [1]
    node.waits(start_of() + NO_SHOW_S + 3 * TRANCHE_S - 0.01)
    assert node.announced() == []
    node.waits(start_of() + NO_SHOW_S + 3 * TRANCHE_S)
    assert node.announced() == [(ONE.hash, 0)]
    node.finds(A.key())
    node.waits(node.now + HEARING_S)
    assert node.approved() == [A.key()]


def test_of_a_no_show_only_the_next_tranche_hears() -> None:
    """Another in tranche 1 covers it: whoever is in tranche 3 is not needed, but when that one
    does not deliver either."""
    node = Node(me=5, draws={0: 3})
    node.hears(ONE)
    for who in (1, 2):
        node.hears_assignment(ONE, who)
    node.hears_check(ONE, 1)
    node.waits(start_of() + NO_SHOW_S + TRANCHE_S)
    node.hears_assignment(ONE, 3, tranche=1)
    node.waits(start_of() + 2 * NO_SHOW_S + TRANCHE_S)
    assert node.announced() == []
    node.waits(start_of() + 3 * NO_SHOW_S)
    assert node.announced() == [(ONE.hash, 0)]


def test_who_has_come_before_a_no_show_covers_it_when_its_time_comes() -> None:
    """All announce themselves at once, and all but one approve: nothing is heard any more, and the
    passing of time alone completes the checks."""
    node = Node()
    node.hears(ONE)
    for who, tranche in ((1, 0), (2, 0), (3, 1)):
        node.hears_assignment(ONE, who, tranche)
    for who in (2, 3):
        node.hears_check(ONE, who)
    known = start_of() + NO_SHOW_S + TRANCHE_S + HEARING_S
    node.waits(known - 0.01)
    assert node.approved() == []
    node.waits(known)
    assert node.approved() == [A.key()]


def test_who_covers_covers_one_and_the_next_tranche_the_next() -> None:
    """Two are silent; two of tranche 1 cover one of them, whoever is in tranche 2 the other."""
    node = Node(me=5, draws={0: 2})
    node.hears(ONE)
    for who in (1, 2):
        node.hears_assignment(ONE, who)
    node.waits(start_of() + NO_SHOW_S + TRANCHE_S)
    for who in (3, 4):
        node.hears_assignment(ONE, who, tranche=1)
        node.hears_check(ONE, who)
    node.waits(start_of() + NO_SHOW_S + 2 * TRANCHE_S - 0.01)
    assert (node.approved(), node.announced()) == ([], [])
    node.waits(start_of() + NO_SHOW_S + 2 * TRANCHE_S)
    assert node.announced() == [(ONE.hash, 0)]


def test_who_is_late_before_there_are_enough_is_replaced_by_the_next() -> None:
    """Four are needed and three are known, one of them late: no round has ended, so whoever's time
    has come joins, and counts from its own time."""
    node = Node(me=5, draws={0: 10})
    block = checked("four", 1, GENESIS, A, info=session(needed=4))
    node.hears(block)
    for who in (1, 2, 3):
        node.hears_assignment(block, who)
    for who in (1, 2):
        node.hears_check(block, who)
    node.waits(start_of() + 10 * TRANCHE_S)
    assert node.announced() == [(block.hash, 0)]
    node.finds(A.key())
    node.waits(start_of() + NO_SHOW_S)
    assert [told.late for told in node.all(TellLate)] == [1]
    assert node.approved() == []
    node.hears_check(block, 3)
    assert node.approved() == [A.key()]


def test_a_late_check_makes_its_cover_superfluous() -> None:
    node = Node()
    node.hears(ONE)
    for who in (1, 2):
        node.hears_assignment(ONE, who)
    node.hears_check(ONE, 1)
    node.waits(start_of() + NO_SHOW_S + 1)
    assert node.approved() == []
    node.hears_check(ONE, 2)
    assert node.approved() == [A.key()]


def test_who_is_heard_before_the_slot_has_its_time_from_the_slot_on() -> None:
    """By a clock that is behind, the block and its checkers come before it is made."""
    node = Node(now=start_of(98))
    node.hears(ONE)
    for who in (1, 2):
        node.hears_assignment(ONE, who)
    node.waits(start_of() + NO_SHOW_S - 0.01)
    assert not node.all(TellLate)
    node.waits(start_of() + NO_SHOW_S)
    assert [told.late for told in node.all(TellLate)] == [2]


def test_who_announces_too_early_has_until_the_end_of_its_time() -> None:
    node = Node()
    node.hears(ONE)
    for who in (1, 2):
        node.hears_assignment(ONE, who, tranche=4)
    checking = node.checkings()[ONE.hash, 0]
    assert {each.since for each in checking.assigned.values()} == {4}
    node.waits(start_of() + NO_SHOW_S)
    assert not node.all(TellLate)
    node.waits(start_of() + NO_SHOW_S + 4 * TRANCHE_S)
    assert [told.late for told in node.all(TellLate)] == [2]


@pytest.mark.guide("A54")
@pytest.mark.parametrize("silent", [(), (1,)], ids=["at first", "to cover somebody"])
def test_who_is_of_a_tranche_that_counts_joins_though_others_have_come_before(
    silent: tuple[int, ...],
) -> None:
    """Tranches join whole: liars who announce themselves before their time, and are enough, keep
    nobody of their tranche away."""
    node = Node(me=7, draws={0: 3})
    node.hears(ONE)
    for who in silent or (1,):
        node.hears_assignment(ONE, who)
    for liar in (5, 6):
        node.hears_assignment(ONE, liar, tranche=3)
        node.hears_check(ONE, liar)
    if silent:
        node.hears_assignment(ONE, 2)
        node.hears_check(ONE, 2)
    begins = start_of() + 3 * TRANCHE_S + (NO_SHOW_S if silent else 0)
    node.waits(begins - 0.01)
    assert node.announced() == []
    node.waits(begins)
    assert node.announced() == [(ONE.hash, 0)]
    node.finds(A.key(), CheckVerdict.INVALID)
    node.waits(begins + NO_SHOW_S - 0.01)
    assert node.approved() == []


@pytest.mark.guide("A54")
def test_who_meets_a_block_or_draws_later_than_others_joins_its_tranche() -> None:
    """Others' assignments may be here before the block is, or before its own draw has come."""
    node = Node(me=5, now=start_of() + 2.0)
    node.hears(ONE)
    for liar in (1, 2):
        node.hears_assignment(ONE, liar)
        node.hears_check(ONE, liar)
    node.hears(OwnAssignmentsDrawn(ONE.hash, {0: drawn(tranche=0)}))
    assert node.announced() == [(ONE.hash, 0)]
    assert node.checks == [A.key()]
    assert node.approved() == []


def test_what_is_approved_before_its_own_draw_has_come_nobody_joins_any_more() -> None:
    node = Node(me=5)
    node.hears(ONE)
    for who in (1, 2):
        node.hears_assignment(ONE, who)
        node.hears_check(ONE, who)
    node.waits(start_of() + HEARING_S)
    assert node.approved() == [A.key()]
    node.hears(OwnAssignmentsDrawn(ONE.hash, {0: drawn(tranche=0)}))
    assert node.announced() == []


@pytest.mark.parametrize(("found_valid", "joins"), [((1, 2, 3), True), ((1, 2, 3, 4), False)])
def test_when_most_are_silent_all_are_asked_unless_more_than_a_third_have_checked(
    found_valid: tuple[int, ...], joins: bool
) -> None:
    """Of ten validators one has backed; the last one's tranche is far off."""
    node = Node(me=9, draws={0: 20})
    node.hears(ONE)
    for who in range(1, 9):
        node.hears_assignment(ONE, who)
    for who in found_valid:
        node.hears_check(ONE, who)
    node.waits(start_of() + NO_SHOW_S)
    assert (node.announced() == [(ONE.hash, 0)]) is joins
    assert (node.approved() == []) is joins


# Own checks


def test_what_is_found_invalid_is_disputed_and_not_approved() -> None:
    node = Node(me=5, draws={0: 0})
    node.hears(ONE)
    node.finds(A.key(), CheckVerdict.INVALID)
    assert [effect.key for effect in node.all(DisputeCandidate)] == [A.key()]
    assert not node.all(SignApproval)
    node.waits(start_of() + 1000)
    assert node.told() == []
    assert len(node.all(BeginCheck)) == 1


@pytest.mark.parametrize("verdict", [CheckVerdict.UNAVAILABLE, CheckVerdict.UNDECIDED])
def test_a_check_that_came_to_nothing_is_tried_again(verdict: CheckVerdict) -> None:
    """Lack of data is no verdict."""
    node = Node(me=5, draws={0: 0})
    node.hears(ONE)
    node.finds(A.key(), verdict)
    assert not node.all(DisputeCandidate)
    node.waits(start_of() + NO_SHOW_S - 0.01)
    assert node.checks == []
    node.waits(start_of() + NO_SHOW_S)
    assert node.checks == [A.key()]
    node.finds(A.key())
    assert node.told() == [(ONE.hash, 0)]


def test_a_candidate_of_two_forks_is_checked_once() -> None:
    other = checked("other", 1, GENESIS, candidate("a", slot=101))
    node = Node(me=5, draws={0: 0})
    node.hears(ONE)
    node.now = start_of(101)
    node.hears(other)
    assert len(node.announced()) == 2, "its checkers are drawn anew for each block"
    node.finds(A.key())
    third = checked("third", 1, GENESIS, candidate("a", slot=102))
    node.now = start_of(102)
    node.hears(third)
    assert node.told() == [(each.hash, 0) for each in (ONE, other, third)]
    assert len(node.all(BeginCheck)) == 1
    assert len(node.all(SignApproval)) == 1


# Whatever comes

Heard = tuple[str, int, int]
HEARD = st.lists(
    st.tuples(
        st.sampled_from(["assignment", "check", "time"]), st.integers(1, 9), st.integers(0, 6)
    ),
    max_size=30,
)


def hear(node: Node, heard: Heard) -> None:
    what, who, tranche = heard
    if what == "assignment":
        node.hears_assignment(ONE, who, tranche)
    elif what == "check":
        node.hears_check(ONE, who)
    else:
        node.waits(node.now + who * TRANCHE_S)


@given(HEARD, st.booleans())
def test_what_is_not_approved_has_a_wake_up(heard: list[Heard], checker: bool) -> None:
    node = Node(me=9 if checker else None, draws={0: 4})
    node.hears(ONE)
    for each in heard:
        hear(node, each)
        due = node.machine.next_due()
        if not node.approved():
            assert due is not None
            assert node.now < due <= node.now + NO_SHOW_S


@given(HEARD, st.randoms(use_true_random=False))
def test_the_order_of_what_comes_at_a_time_does_not_matter(
    heard: list[Heard], chance: object
) -> None:
    said = [each for each in dict.fromkeys(heard) if each[0] != "time"]
    first_tranche = {who: tranche for what, who, tranche in reversed(said) if what == "assignment"}
    said = [s for s in said if s[0] == "check" or first_tranche[s[1]] == s[2]]
    shuffled = sorted(said, key=lambda _: chance.random())  # type: ignore[attr-defined]
    nodes = Node(me=9, draws={0: 4}), Node(me=9, draws={0: 4})
    for node, order in zip(nodes, (said, shuffled), strict=True):
        node.hears(ONE)
        for each in order:
            hear(node, each)
        node.waits(start_of() + 3 * NO_SHOW_S)
    one, other = nodes
    assert one.approved() == other.approved()
    assert one.announced() == other.announced()
    assert one.machine.next_due() == other.machine.next_due()


@given(st.integers(1, 8), st.integers(0, 3), st.lists(st.integers(0, 24), min_size=9, max_size=9))
@settings(max_examples=25)
def test_a_third_that_falls_silent_holds_nothing_up(
    needed: int, silent: int, draws: list[int]
) -> None:
    """Of ten validators one has backed, and up to three are silent after their announcement. Each
    of the others hears of the rest at once."""
    block = checked("one", 1, GENESIS, A, info=session(needed=needed))
    nodes = {who: Node(me=who, draws={0: draws[who - 1]}) for who in range(1, 10)}
    for node in nodes.values():
        node.hears(block)
    heard: set[tuple[str, int]] = set()
    while not all(node.approved() for node in nodes.values()):
        for who, node in nodes.items():
            if node.checks and who > silent:
                node.finds(A.key())
            for what, done in (("assignment", node.announced()), ("check", node.told())):
                if done and (what, who) not in heard:
                    heard.add((what, who))
                    for other in nodes.values():
                        if what == "assignment":
                            other.hears_assignment(block, who, draws[who - 1])
                        else:
                            other.hears_check(block, who)
        dues = [due for node in nodes.values() if (due := node.machine.next_due()) is not None]
        for node in nodes.values():
            node.waits(min(dues, default=node.now))
        assert node.now < start_of() + 10 * NO_SHOW_S
