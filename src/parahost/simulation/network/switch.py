"""The switch: who is on the network, and how whoever dials gets through to them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import trio

from parahost.network.limits import NetworkLimits
from parahost.primitives.basic import PeerId
from parahost.simulation.journal import Trace
from parahost.simulation.network.calendar import Calendar
from parahost.simulation.network.conditions import LinkConditions
from parahost.simulation.network.connection import Host, Wiring, connect

DIAL_TIMEOUT_S = 5.0


class Switch:
    """Carries everything between the nodes of one run."""

    def __init__(
        self,
        trace: Trace,
        conditions: LinkConditions | None = None,
        limits: NetworkLimits | None = None,
    ) -> None:
        self.conditions = conditions or LinkConditions()
        self.limits = limits or NetworkLimits()
        self.trace = trace
        self.calendar = Calendar()
        self._wiring = Wiring(self.calendar, self.conditions, trace)
        self._hosts: dict[PeerId, Host] = {}

    async def run(self) -> None:
        """Carry until cancelled."""
        self.trace.now = trio.lowlevel.current_clock().current_time
        await self.calendar.run()

    def attach(self, host: Host) -> None:
        self._hosts[host.local_peer] = host

    def detach(self, host: Host) -> None:
        if self._hosts.get(host.local_peer) is host:
            del self._hosts[host.local_peer]

    def links_mended(self) -> None:
        """Links have been opened: what was held goes on."""
        for host in self._hosts.values():
            host.links_mended()

    def dial(self, host: Host, peer: PeerId, done: Callable[[bool], None]) -> None:
        """Try to connect a host with a peer. ``done`` is told whether they are connected: not when
        nobody answers, or one does not accept the other."""
        answerer, conditions = self._hosts.get(peer), self.conditions
        if answerer is None:
            refused_s = 2 * conditions.default.latency.draw(host.random)
            self.calendar.after(refused_s, lambda: done(False))
        elif not conditions.is_open(host.name, answerer.name):
            self.calendar.after(DIAL_TIMEOUT_S, lambda: done(False))
        else:
            latency = conditions.quality(host.name, answerer.name).latency
            meet = partial(self._meet, host, answerer, done)
            self.calendar.after(3 * latency.draw(host.random), meet)

    def _meet(self, host: Host, answerer: Host, done: Callable[[bool], None]) -> None:
        if host.is_connected(answerer.local_peer):
            done(True)
            return
        both_here = all(self._hosts.get(one.local_peer) is one for one in (host, answerer))
        accepted = both_here and host.accepts(answerer) and answerer.accepts(host)
        if accepted:
            connect(host, answerer, self._wiring)
        done(accepted)
