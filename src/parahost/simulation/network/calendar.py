"""What arrives when. Time on the network is grained: things arrive at multiples of ``GRAIN_S``, so
that those which arrive close together are handled in one go."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush

import trio

GRAINS_PER_S = 64
GRAIN_S = 1 / GRAINS_PER_S
"""The grain of time on the network, in seconds; a power of two, so that multiples are exact."""

OnArrival = Callable[[], None]


class Calendar:
    """Does everything at its instant, which is counted in grains; in one instant, in the order in
    which it was put down."""

    def __init__(self) -> None:
        self._due: dict[int, list[OnArrival]] = {}
        self._instants: list[int] = []
        self._sooner = trio.Event()
        self.now: Callable[[], float] = trio.current_time
        """The time, in seconds."""

    async def run(self) -> None:
        """Work until cancelled."""
        self.now = trio.lowlevel.current_clock().current_time
        while True:
            if not self._instants:
                await self._sooner.wait()
            first = self._instants[0]
            wait_s = first * GRAIN_S - trio.current_time()
            if wait_s > 0:
                self._sooner = trio.Event()
                with trio.move_on_after(wait_s):
                    await self._sooner.wait()
                continue
            heappop(self._instants)
            for arrival in self._due.pop(first):
                arrival()
            self._sooner = trio.Event()

    def after(self, delay_s: float, arrival: OnArrival) -> int:
        """Do something in ``delay_s`` seconds, to the next grain; gives the instant."""
        return self.at(instant_at(self.now() + delay_s), arrival)

    def at(self, instant: int, arrival: OnArrival) -> int:
        """Do something at an instant; never in the present one. Gives the instant."""
        present = int(self.now() * GRAINS_PER_S)
        if instant <= present:
            instant = present + 1
        waiting = self._due.get(instant)
        if waiting is None:
            self._due[instant] = [arrival]
            heappush(self._instants, instant)
            if self._instants[0] == instant:
                self._sooner.set()
        else:
            waiting.append(arrival)
        return instant


def instant_at(at: float) -> int:
    """The first instant, in grains, at or after a time."""
    whole = int(at * GRAINS_PER_S)
    return whole if whole * GRAIN_S >= at else whole + 1
