"""Virtual time: it stands still while anybody works, and jumps when all wait."""

from __future__ import annotations

from collections.abc import Callable

import trio

EPOCH_S = 1_800_000_000.0
"""Where on the calendar each run begins, in seconds since the Unix epoch: a whole slot's start for
slots of 1 to 6 seconds."""


class NodeClock:
    """``ports.Clock`` of one node: the world's time as its owner believes it to be.

    A clock may be wrong by an offset, and go too fast or too slowly. Timeouts within a node are
    measured by the machine's own ticks and are not wrong.
    """

    def __init__(self, offset_s: float = 0.0) -> None:
        self._offset_s = offset_s
        self._time: Callable[[], float] = trio.current_time

    def wind(self) -> None:
        """The run has begun: read its clock without asking trio for it each time."""
        self._time = trio.lowlevel.current_clock().current_time

    def now(self) -> float:
        return EPOCH_S + self._offset_s + self._time()

    async def sleep(self, seconds: float) -> None:
        await trio.sleep(max(seconds, 0.0))

    @property
    def offset_s(self) -> float:
        """By how much it is ahead of the world's time."""
        return self._offset_s

    def jump(self, seconds: float) -> None:
        """Set it forward, or back."""
        self._offset_s += seconds
