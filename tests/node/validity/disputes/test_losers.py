"""Whoever has lost a dispute begins no other by its word alone; what more people say is heard."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from parahost.node.validity.disputes.effects import (
    SessionsOver,
    TakenUp,
    VotesInBlock,
    VotesVerdict,
)
from parahost.node.validity.disputes.losers import Losers
from parahost.node.validity.disputes.spam import MAX_UNCONFIRMED
from parahost.primitives.basic import U32, SessionIndex, ValidatorIndex
from parahost.primitives.candidates import CandidateReceipt
from parahost.primitives.disputes import DisputeOutcome
from parahost.runtime.parachains.dispute_votes import Votes

from .world import (
    SESSION,
    Disk,
    Node,
    approves,
    backs,
    brought,
    contested,
    denies,
    judged,
    key_of,
    receipt,
    session_info,
    signed,
    vouches,
)

VALIDATORS = 10
"""f is 3, a supermajority 7; a dispute of 4 is confirmed."""
LIAR, OTHER, OWN = 2, 3, 6
LOST, ONE, TWO = receipt(1), receipt(2), receipt(3)
LATER = SessionIndex(U32(8))


def node_after_a_loss(disk: Disk | None = None) -> Node:
    """The liar has called a valid candidate invalid."""
    node = Node(disk, sessions=[judged(OWN, validators=VALIDATORS)])
    node.include(LOST, backs(LOST, 0), *(approves(LOST, each) for each in (1, *range(3, 10))))
    node.take(contested(LOST, against=LIAR))
    assert node.dispute(LOST).outcome is DisputeOutcome.VALID
    return node


def is_dealt_with(node: Node, made: CandidateReceipt) -> bool:
    """Whether the candidate is checked, and nobody builds on it meanwhile."""
    bars, checks = node.machine.bars(made.hash()), key_of(made) in node.checked()
    assert bars == checks == node.machine.is_heard(node.dispute(made))
    return bars


@pytest.mark.guide("A56")
def test_who_has_lost_a_dispute_has_nobody_check_what_it_disputes_next() -> None:
    """Nor does anybody tell the others that it says the contrary."""
    node = node_after_a_loss()
    node.include(ONE, backs(ONE, 0))
    node.take(contested(ONE, against=LIAR))
    assert not is_dealt_with(node, ONE)
    node.include(TWO, backs(TWO, 0), approves(TWO, OWN))
    node.take(contested(TWO, against=LIAR))
    assert [each.receipt for each in node.distributed()] == [LOST]
    node.take(contested(TWO, against=OTHER))
    assert [each.receipt for each in node.distributed()] == [LOST, TWO]


@pytest.mark.parametrize(
    "more",
    [
        lambda node: node.take(contested(ONE, against=OTHER)),
        lambda node: node.take(brought(ONE, vouches(ONE, 4), vouches(ONE, 5), denies(ONE, LIAR))),
        lambda node: node.take(VotesInBlock(key_of(ONE), (denies(ONE, LIAR),))),
        lambda node: node.take(TakenUp(key_of(ONE))),
    ],
    ids=["somebody else disputes it", "confirmed", "in a block", "on a fork"],
)
def test_what_more_say_than_who_has_lost_is_heard(more: Callable[[Node], object]) -> None:
    node = node_after_a_loss()
    node.include(ONE, backs(ONE, 0))
    node.take(contested(ONE, against=LIAR))
    assert not is_dealt_with(node, ONE)
    more(node)
    assert is_dealt_with(node, ONE)


@pytest.mark.guide("A60")
def test_what_a_fork_asks_for_is_looked_for_when_not_only_losers_dispute_it() -> None:
    """Whether this node knows of the dispute or not."""
    node = node_after_a_loss()

    def is_heard(*against: int, valid: tuple[int, ...] = (0,)) -> bool:
        there = Votes(frozenset(map(index, valid)), frozenset(map(index, against)))
        return node.machine.is_heard_of_fork(key_of(ONE), there)

    assert not is_heard(LIAR)
    assert is_heard(LIAR, OTHER) and is_heard(LIAR, valid=(0, 1, 4)) and is_heard(OWN)
    node.include(ONE, backs(ONE, 0))
    node.take(contested(ONE, against=LIAR))
    assert not is_heard(LIAR)
    node.take(contested(ONE, against=OTHER))
    assert is_heard(LIAR)


def index(validator: int) -> ValidatorIndex:
    return ValidatorIndex(U32(validator))


def test_who_has_lost_a_dispute_fills_no_more_room_than_others_with_what_is_included() -> None:
    """Nobody need remember what nobody answers; what somebody else disputes too there is room for,
    and a start forgets neither."""
    node = node_after_a_loss()
    many = [receipt(each) for each in range(100, 100 + MAX_UNCONFIRMED + 2)]
    for made in many:
        node.include(made, backs(made, 0), approves(made, OWN))
    verdicts = [node.take(contested(made, against=LIAR)) for made in many]
    assert verdicts == [VotesVerdict.NEW] * MAX_UNCONFIRMED + [VotesVerdict.TOO_MANY] * 2
    assert node.take(contested(many[-1], against=OTHER)) is VotesVerdict.NEW
    node.take(contested(many[0], against=OTHER))
    again = Node(node.disk, sessions=[judged(OWN, validators=VALIDATORS)])
    assert again.take(contested(many[-2], against=LIAR)) is VotesVerdict.NEW, "one is heard now"
    again.include(ONE, backs(ONE, 0))
    assert again.take(contested(ONE, against=LIAR)) is VotesVerdict.TOO_MANY


def test_a_start_forgets_no_loss() -> None:
    node = node_after_a_loss()
    again = Node(node.disk, sessions=[judged(OWN, validators=VALIDATORS)])
    again.include(ONE, backs(ONE, 0))
    again.take(contested(ONE, against=LIAR))
    assert not is_dealt_with(again, ONE)


def test_a_loss_is_known_in_other_sessions_by_its_key_until_its_own_is_over() -> None:
    node = node_after_a_loss()
    node.take(judged(OWN, LATER, VALIDATORS))
    against = signed(ONE, LIAR, denies(ONE, LIAR)[0], LATER)
    node.take(brought(ONE, signed(ONE, 0, backs(ONE, 0)[0], LATER), against, session=LATER))
    (dispute,) = [each for key, each in node.machine.disputes.items() if key[0] == LATER]
    assert not node.machine.is_heard(dispute)
    node.take(SessionsOver(LATER))
    assert node.machine.is_heard(dispute)


def test_what_this_node_has_found_itself_is_heard_though_it_has_lost_before() -> None:
    node = Node(sessions=[judged(OWN, validators=VALIDATORS)])
    node.include(LOST, backs(LOST, 0), *(approves(LOST, each) for each in (1, 3, 4, 5, 7, 8, 9)))
    node.take(contested(LOST, against=OWN))
    node.include(ONE, backs(ONE, 0))
    node.take(contested(ONE, against=OWN))
    assert node.machine.bars(ONE.hash())


def voters(*indices: int) -> frozenset[ValidatorIndex]:
    return frozenset(ValidatorIndex(U32(each)) for each in indices)


def test_at_most_f_are_not_heard_and_the_worst_of_them() -> None:
    """As the chain disables them; who has done several things counts for the worst."""
    losers, info = Losers(), session_info(validators=VALIDATORS)
    assert losers.note(info, Votes(valid=voters(0, 1, 9), invalid=voters(5, 6)), None) is False
    for_it, against = voters(0, 1, 2, 3), voters(4, 5, 6)
    assert losers.note(info, Votes(for_it, against), DisputeOutcome.VALID) is True
    assert losers.unheard(info) == against
    assert losers.note(info, Votes(for_it, against), DisputeOutcome.VALID) is False
    losers.note(info, Votes(valid=voters(6, 8), invalid=voters(6)), None)
    assert losers.unheard(info) == voters(4, 5, 6), "of those who have done alike, the first"
    losers.note(info, Votes(valid=voters(9), invalid=for_it), DisputeOutcome.INVALID)
    assert losers.unheard(info) == voters(9, 6, 4)
    losers.forget(LATER)
    assert losers.unheard(info) == frozenset()
    assert SESSION < LATER
