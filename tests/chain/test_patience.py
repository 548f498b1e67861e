"""Who does not deliver is asked less."""

from __future__ import annotations

from parahost.chain.sync.patience import Patience
from parahost.primitives.basic import PeerId
from tests.chain.world import ManualClock

LIAR, OTHER, THIRD = PeerId("liar"), PeerId("other"), PeerId("third")


def test_each_failure_doubles_the_pause_up_to_two_minutes() -> None:
    clock = ManualClock()
    patience = Patience(clock)
    for seconds in (5, 10, 20, 40, 80, 120, 120):
        patience.failed(LIAR)
        clock.time += seconds - 1
        assert patience.pauses(LIAR)
        clock.time += 1
        assert not patience.pauses(LIAR)


def test_who_has_delivered_comes_first_and_who_has_failed_last() -> None:
    clock = ManualClock()
    patience = Patience(clock)
    peers = [LIAR, OTHER, THIRD]
    assert patience.ranked(peers) == peers
    patience.failed(LIAR)
    patience.delivered(THIRD)
    assert patience.ranked(peers) == [THIRD, OTHER, LIAR]
    clock.time += 60
    assert patience.ranked(peers) == [THIRD, OTHER, LIAR], "its pause is over, its failure is not"


def test_a_failure_is_forgotten_slowly_or_made_up_for() -> None:
    clock = ManualClock()
    patience = Patience(clock)
    patience.failed(LIAR)
    clock.time += 599
    assert patience.ranked([LIAR, OTHER]) == [OTHER, LIAR]
    clock.time += 2
    assert patience.ranked([LIAR, OTHER]) == [LIAR, OTHER]
    patience.failed(OTHER)
    patience.delivered(OTHER)
    clock.time += 60
    assert patience.ranked([LIAR, OTHER]) == [OTHER, LIAR]


def test_a_delivery_makes_up_for_one_failure() -> None:
    clock = ManualClock()
    patience = Patience(clock)
    for _ in range(3):
        patience.failed(LIAR)
    for _ in range(2):
        patience.failed(OTHER)
    patience.delivered(LIAR)
    patience.failed(THIRD)
    clock.time += 120
    assert patience.ranked([OTHER, LIAR, THIRD]) == [THIRD, LIAR, OTHER], "2 and delivered, 2, 1"
    patience.delivered(LIAR)
    patience.delivered(LIAR)
    assert patience.ranked([OTHER, THIRD, LIAR]) == [LIAR, THIRD, OTHER]


def test_only_so_many_peers_are_remembered() -> None:
    patience = Patience(ManualClock())
    patience.failed(LIAR)
    for index in range(1024):
        patience.failed(PeerId(f"peer {index}"))
    assert not patience.pauses(LIAR)
    assert patience.pauses(PeerId("peer 0"))
