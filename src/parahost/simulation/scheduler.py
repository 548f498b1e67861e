"""Running trio so that a run is a function of its seed.

Time is virtual, and the order of tasks that are ready is drawn from the seed.
"""

from __future__ import annotations

import gc
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from math import inf
from typing import TypeVar

import trio
from trio.abc import Clock

from parahost.simulation.task_order import seeded_task_order

T = TypeVar("T")


def run_virtual(main: Callable[[], Awaitable[T]], seed: int) -> T:
    """Run ``main`` in virtual time from 0 on, its tasks in an order that the seed fixes."""
    with seeded_task_order(seed), _quiet_collector():
        return trio.run(main, clock=_VirtualClock(), strict_exception_groups=True)


class _VirtualClock(Clock):
    """Stands still while any task can run. Trio asks how long to sleep when none can; the clock
    then goes to that deadline at once, and answers that it has come."""

    def __init__(self) -> None:
        self._now = 0.0

    def start_clock(self) -> None:
        pass

    def current_time(self) -> float:
        return self._now

    def deadline_to_sleep_time(self, deadline: float) -> float:
        if deadline == inf:
            return deadline  # nothing will ever happen
        self._now = max(self._now, deadline)
        return 0.0


@contextmanager
def _quiet_collector() -> Iterator[None]:
    """What is there when a process's first run begins, modules above all, stays to its end, and so
    does nearly all that lives long in a run: the collector need not look at it again and again. It
    looks for what is young and circular; a run leaves next to nothing that is old and circular, and
    what is left of it when it is over is collected before the next one."""
    gc.collect()
    if not gc.get_freeze_count():
        gc.freeze()
    thresholds = gc.get_threshold()
    gc.set_threshold(100_000, 20, 10_000)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
