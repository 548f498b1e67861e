"""Awaiting handlers without a task for each peer and protocol."""

from __future__ import annotations

from collections import deque

import trio

from parahost.ports.network import Notification
from parahost.simulation.network.connection import Lane
from parahost.simulation.network.internet import Internet


class Readers:
    """The tasks in which handlers are awaited: one, and more when handlers make it wait."""

    def __init__(self, internet: Internet) -> None:
        self.nursery: trio.Nursery | None = None
        self._internet = internet
        self._ready: deque[Lane] = deque()
        self._filled = trio.Event()
        self._idle = 0
        self._looking = False

    def put(self, lane: Lane) -> None:
        """The lane has events now."""
        self._ready.append(lane)
        if self._idle:
            self._filled.set()
        elif not self._looking:
            self._looking = True
            self._internet.after(0.0, self._look)

    def _look(self) -> None:
        """All readers that were at work an instant ago have had the time to finish, unless they
        wait for something."""
        self._looking = False
        if self._ready and not self._idle and self.nursery is not None:
            self.nursery.start_soon(self._read)
            self._looking = True
            self._internet.after(0.0, self._look)

    async def _read(self) -> None:
        while True:
            if not self._ready:
                self._filled = trio.Event()
                self._idle += 1
                await self._filled.wait()
                self._idle -= 1
                continue
            lane = self._ready.popleft()
            while lane.events:
                event, sender = lane.events.popleft()
                await lane.handler(event)
                if sender is not None and isinstance(event, Notification):
                    sender.take_back(len(event.payload))
            lane.busy = False
