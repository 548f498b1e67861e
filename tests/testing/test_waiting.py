"""Waiting ends with what was waited for, or says what was there instead."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from parahost.primitives.errors import OperationalError
from parahost.testing import NetworkEnded, WaitedInVain
from parahost.testing.waiting import CHARACTERS_SHOWN, wait


class Clockwork:
    """A world whose time passes only when somebody waits."""

    poll_s = 0.5

    def __init__(self, ends_at: float = float("inf")) -> None:
        self.time = 100.0
        self.ends_at = ends_at

    def now(self) -> float:
        return self.time

    def let_pass(self, seconds: float) -> None:
        assert seconds > 0
        self.time += seconds

    def check(self) -> None:
        if self.time >= self.ends_at:
            raise NetworkEnded("it was struck by lightning")

    def where(self) -> str:
        return "more in the chronicle"


def counting() -> Callable[[], int]:
    numbers: Iterator[int] = iter(range(1000))
    return lambda: next(numbers)


def test_it_ends_as_soon_as_it_holds() -> None:
    world = Clockwork()
    assert wait(world, counting(), lambda number: number >= 4, "the fourth", 10) == 4
    assert world.time == 102


def test_what_holds_at_once_takes_no_time() -> None:
    world = Clockwork()
    assert wait(world, lambda: 7, bool, "seven", timeout_s=0) == 7
    assert world.time == 100


def test_a_failure_says_what_was_seen_last() -> None:
    world = Clockwork()
    with pytest.raises(WaitedInVain) as caught:
        wait(world, counting(), lambda number: number > 99, "a hundred", timeout_s=1.2)
    error = caught.value
    assert (error.what, error.waited_s, error.seen) == ("a hundred", 1.2, 3)
    assert str(error) == "waited 1.2 s for a hundred; seen last: 3; more in the chronicle"
    assert world.time == pytest.approx(101.2), "not longer than was said"


def test_who_cannot_be_asked_yet_is_asked_again() -> None:
    asked = counting()

    def probe() -> int:
        if (times := asked()) < 2:
            raise OperationalError("nobody there")
        return times

    assert wait(Clockwork(), probe, bool, "an answer", timeout_s=1) == 2


def test_who_never_answers_is_what_was_seen_last() -> None:
    def probe() -> int:
        raise OperationalError("nobody there")

    with pytest.raises(WaitedInVain, match=r"for an answer; seen last: nobody there;"):
        wait(Clockwork(), probe, bool, "an answer", timeout_s=1)


def test_a_bug_of_the_probe_is_no_reason_to_wait() -> None:
    world = Clockwork()
    with pytest.raises(ZeroDivisionError):
        wait(world, lambda: 1 // 0, bool, "nothing", timeout_s=1)
    assert world.time == 100


def test_nobody_waits_for_a_network_that_has_ended() -> None:
    world = Clockwork(ends_at=101)
    with pytest.raises(NetworkEnded, match="struck by lightning"):
        wait(world, counting(), lambda number: number > 99, "a hundred", timeout_s=60)
    assert world.time == 101


def test_what_is_long_is_told_in_part() -> None:
    with pytest.raises(WaitedInVain) as caught:
        wait(Clockwork(), lambda: "x" * 10**6, lambda _: False, "little", timeout_s=0)
    assert CHARACTERS_SHOWN < len(str(caught.value)) < CHARACTERS_SHOWN + 100
    assert caught.value.seen == "x" * 10**6
