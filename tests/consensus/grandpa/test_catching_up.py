"""Whom a voter asks for what it has missed."""

from __future__ import annotations

from parahost.consensus.grandpa.catching_up import ASKED_AT_ONCE, MAX_REMEMBERED, Asking
from parahost.primitives.basic import PeerId
from tests.consensus.grandpa.world import SeededRandom

LIARS = [PeerId(f"liar {index}") for index in range(ASKED_AT_ONCE)]
HONEST = PeerId("honest")


def asking() -> Asking:
    return Asking(SeededRandom("asking"))


def test_several_are_asked_and_none_twice_at_a_time() -> None:
    it = asking()
    peers = [PeerId(str(index)) for index in range(5)]
    first = it.ask(peers, until=10.0)
    assert len(first) == ASKED_AT_ONCE == 3
    assert set(it.ask(peers, until=10.0)) == set(peers) - set(first)
    assert it.ask(peers, until=10.0) == []


def test_who_is_silent_pays_and_is_asked_after_the_others() -> None:
    it = asking()
    assert set(it.ask(LIARS, until=10.0)) == set(LIARS)
    assert it.overdue(9.9) == []
    assert set(it.overdue(10.0)) == set(LIARS)
    assert it.overdue(10.0) == []
    for round_of_asking in range(2, 20):
        asked = it.ask([*LIARS, HONEST], until=10.0 * round_of_asking)
        assert asked[0] == HONEST
        assert it.answered(HONEST)
        it.helped(HONEST)
        it.overdue(10.0 * round_of_asking)


def test_an_answer_is_owed_once() -> None:
    it = asking()
    assert not it.answered(HONEST)
    it.ask([HONEST], until=10.0)
    assert it.answered(HONEST)
    assert not it.answered(HONEST)
    assert it.overdue(11.0) == []


def test_an_answer_that_does_not_help_ranks_like_none() -> None:
    it = asking()
    it.ask(LIARS, until=10.0)
    assert all(it.answered(liar) for liar in LIARS)
    assert it.ask([*LIARS, HONEST], until=20.0)[0] == HONEST


def test_what_is_remembered_is_bounded() -> None:
    it = asking()
    for index in range(MAX_REMEMBERED + 10):
        it.ask([PeerId(str(index))], until=0.0)
        it.overdue(0.0)
    assert len(it._in_vain) == MAX_REMEMBERED == 1024
