"""A watchdog for the rule that nothing holds the event loop: no step of any task takes longer than
50 ms of the loop's own CPU time. A busy machine lengthens that less than the clock's, but by nearly
two where processors share what they are made of. So the limit grows with what a known piece of work
takes at the same time.

    async with trio.open_nursery() as nursery:
        with nothing_holds_the_loop():
            ...

Python's cycle collector is kept out: what it takes depends on what other tests have left behind.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager

import trio

LIMIT_S = 0.05
WORK_S = 0.008
"""What :func:`_work` takes where the limit is 50 ms: alone, on the machine of PERFORMANCE.md."""
SLOWEST = 3.0
"""So many times the limit is the most that is allowed."""


def limit_s() -> float:
    """What a step may take now, in seconds of CPU time: never less than :data:`LIMIT_S`."""
    return LIMIT_S * min(max(slowness(), 1.0), SLOWEST)


def slowness() -> float:
    """How many times as long as :data:`WORK_S` the work takes now."""
    return min(_time_of_work() for _ in range(3)) / WORK_S


def _time_of_work() -> float:
    began = time.thread_time()
    _work()
    return time.thread_time() - began


def _work() -> None:
    sums: dict[int, int] = {}
    for number in range(60_000):
        sums[number & 1023] = sums.get(number & 1023, 0) + number


class Watchdog(trio.abc.Instrument):
    """Notes the longest step, and the name of its task."""

    def __init__(self) -> None:
        self.longest_s = 0.0
        self.task = ""
        self._began = time.thread_time()

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self._began = time.thread_time()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        took = time.thread_time() - self._began
        if took > self.longest_s:
            self.longest_s, self.task = took, task.name


@contextmanager
def nothing_holds_the_loop() -> Iterator[Watchdog]:
    """Watches until it is left; steps of the very task that uses it count too.

    :raises AssertionError: at the end, when a step has taken too long: with the task's name.
    """
    gc.collect()
    gc.disable()
    limit = limit_s()
    watchdog = Watchdog()
    trio.lowlevel.add_instrument(watchdog)
    try:
        yield watchdog
        watchdog.after_task_step(trio.lowlevel.current_task())
    finally:
        trio.lowlevel.remove_instrument(watchdog)
        gc.enable()
    took = f"{watchdog.longest_s * 1000:.0f} ms"
    assert watchdog.longest_s <= max(limit, limit_s()), f"{watchdog.task} held the loop for {took}"
