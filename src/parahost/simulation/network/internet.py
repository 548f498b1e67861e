"""What carries messages: a calendar of what arrives when, and who is where.

Time on the network is grained: things arrive at multiples of ``GRAIN_S``, so that those which
arrive close together are handled in one go.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from typing import TYPE_CHECKING

import trio

from parahost.network.limits import NetworkLimits
from parahost.primitives.basic import PeerId
from parahost.simulation.journal import Trace
from parahost.simulation.network.weather import Weather

if TYPE_CHECKING:
    from parahost.simulation.network.endpoint import Endpoint

GRAINS_PER_S = 64
GRAIN_S = 1 / GRAINS_PER_S
"""The grain of time on the network, in seconds; a power of two, so that multiples are exact."""
KEEPALIVE_S = 10.0
"""A connection over a way that is cut for so long breaks."""

Carry = Callable[[], None]


class Internet:
    """Carries everything between the nodes of one run."""

    def __init__(
        self,
        trace: Trace,
        weather: Weather | None = None,
        limits: NetworkLimits | None = None,
    ) -> None:
        self.weather = weather or Weather()
        self.limits = limits or NetworkLimits()
        self.trace = trace
        self._endpoints: dict[PeerId, Endpoint] = {}
        self._due: dict[int, list[Carry]] = {}
        self._instants: list[int] = []
        self._sooner = trio.Event()
        self.now: Callable[[], float] = trio.current_time
        """The time, in seconds."""

    async def run(self) -> None:
        """Carry until cancelled."""
        self.now = self.trace.now = trio.lowlevel.current_clock().current_time
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
            for carry in self._due.pop(first):
                carry()
            self._sooner = trio.Event()

    def after(self, delay_s: float, carry: Carry) -> int:
        """Do something in ``delay_s`` seconds, to the next grain; gives the instant."""
        return self.at(instant_at(self.now() + delay_s), carry)

    def at(self, instant: int, carry: Carry) -> int:
        """Do something at an instant, counted in grains; never in the present one."""
        present = int(self.now() * GRAINS_PER_S)
        if instant <= present:
            instant = present + 1
        waiting = self._due.get(instant)
        if waiting is None:
            self._due[instant] = [carry]
            heappush(self._instants, instant)
            if self._instants[0] == instant:
                self._sooner.set()
        else:
            waiting.append(carry)
        return instant

    def mended(self) -> None:
        """Ways have been opened: what was held goes on."""
        for endpoint in self._endpoints.values():
            endpoint.mended()

    # Among endpoints

    def join(self, endpoint: Endpoint) -> None:
        self._endpoints[endpoint.local_peer] = endpoint

    def leave(self, endpoint: Endpoint) -> None:
        if self._endpoints.get(endpoint.local_peer) is endpoint:
            del self._endpoints[endpoint.local_peer]

    def find(self, peer: PeerId) -> Endpoint | None:
        return self._endpoints.get(peer)


def instant_at(at: float) -> int:
    """The first instant, in grains, at or after a time."""
    whole = int(at * GRAINS_PER_S)
    return whole if whole * GRAIN_S >= at else whole + 1
