"""A watchdog for the rule that nothing holds the event loop: no step of any task takes longer than
50 ms of the loop's own CPU time, which a busy machine does not lengthen as it does the clock's.

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
    watchdog = Watchdog()
    trio.lowlevel.add_instrument(watchdog)
    try:
        yield watchdog
        watchdog.after_task_step(trio.lowlevel.current_task())
    finally:
        trio.lowlevel.remove_instrument(watchdog)
        gc.enable()
    took = f"{watchdog.longest_s * 1000:.0f} ms"
    assert watchdog.longest_s <= LIMIT_S, f"{watchdog.task} held the loop for {took}"
