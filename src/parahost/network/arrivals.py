"""Connections from outside that are no sessions yet: few, short, and fair to each address.

Whoever connects first has to say something: *silent* ones have a room of their own, so that they
displace no handshake. Those that *speak* have the time of a handshake.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass

from parahost.network.budgets import Budgets
from parahost.network.limits import NetworkLimits
from parahost.ports.clock import Clock
from parahost.primitives.addresses import is_loopback


@dataclass(eq=False, slots=True)
class Arrival:
    """A connection that is no session yet."""

    network: str
    """Where it comes from: see :func:`parahost.primitives.addresses.network_of`."""
    end: Callable[[], None]
    """Ends it."""
    since: float
    """When it came or, if it has, began to speak; in seconds by our clock."""


class Arrivals:
    """The arrivals of one node."""

    def __init__(self, clock: Clock, limits: NetworkLimits, budgets: Budgets) -> None:
        self._clock = clock
        self._limits = limits
        self._budgets = budgets
        self._silent: dict[Arrival, None] = {}
        self._speaking: dict[Arrival, None] = {}

    def __contains__(self, arrival: Arrival) -> bool:
        return arrival in self._silent or arrival in self._speaking

    def arrives(self, network: str, end: Callable[[], None]) -> Arrival:
        """A connection was accepted. It displaces the oldest silent one of the network with most
        of them, if there are too many."""
        if len(self._silent) >= self._limits.max_silent_connections:
            self._end(_oldest_of_most(self._silent))
        arrival = Arrival(network, end, self._clock.now())
        self._silent[arrival] = None
        return arrival

    def speaks(self, arrival: Arrival) -> bool:
        """It has said something: whether a handshake may begin. When there are too many, the oldest
        of the network with most of them leaves for it, if that is another's turn or has had its
        time."""
        del self._silent[arrival]
        arrival.since = self._clock.now()
        if not self._budgets.take_handshake(arrival.network):
            return False
        networks = Counter(each.network for each in self._speaking)
        from_there = networks[arrival.network]
        if from_there >= self._limits.max_pending_per_network and not is_loopback(arrival.network):
            return False
        if len(self._speaking) >= self._limits.max_pending_connections:
            other = _oldest_of_most(self._speaking)
            had_its_time = arrival.since - other.since >= self._limits.pending_grace_s
            if networks[other.network] < from_there + 2 and not had_its_time:
                return False
            self._end(other)
        self._speaking[arrival] = None
        return True

    def left(self, arrival: Arrival) -> None:
        """It is over, or a session."""
        self._silent.pop(arrival, None)
        self._speaking.pop(arrival, None)

    def _end(self, arrival: Arrival) -> None:
        self.left(arrival)
        arrival.end()


def _oldest_of_most(arrivals: Collection[Arrival]) -> Arrival:
    networks = Counter(each.network for each in arrivals)
    return max(arrivals, key=lambda each: networks[each.network])
