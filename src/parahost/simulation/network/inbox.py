"""What a node's handlers take of the network, one event after another for each peer."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import trio

from parahost.ports.network import EventHandler, NetworkEvent, Notification
from parahost.primitives.basic import PeerId
from parahost.simulation.network.calendar import Calendar
from parahost.simulation.network.connection import ConnectionEnd

OnFailure = Callable[[PeerId, str, Exception], None]
"""Told of a handler that has failed: with whose event, with what, and how."""


_Event = tuple[NetworkEvent, ConnectionEnd | None, int]
"""An event; of a notification also the end that it came from, and its size in bytes."""


@dataclass(slots=True, eq=False)
class _Lane:
    """What waits for one handler from one peer."""

    handler: EventHandler
    events: deque[_Event] = field(default_factory=deque)
    busy: bool = False
    """Whether the handler has yet to take an event; those after it wait."""


class Inbox:
    """Hands events over while their handlers keep up. A notification that waits counts as unread
    at the end that it came from."""

    def __init__(self, calendar: Calendar, on_failure: OnFailure) -> None:
        self._calendar = calendar
        self._on_failure = on_failure
        self._handlers: list[EventHandler] = []
        self._lanes: dict[PeerId, list[_Lane]] = {}
        self.nursery: trio.Nursery | None = None
        """Where handlers that wait have their tasks; without it, nothing is handed over."""

    def register(self, handler: EventHandler) -> int:
        """Gives the handler's place among all."""
        if handler not in self._handlers:
            self._handlers.append(handler)
        return self._handlers.index(handler)

    def tell(self, event: NetworkEvent) -> None:
        """All handlers are told of a connection; soon, for the node itself may be at work on what
        ends it."""
        lanes = self._of(event.peer)

        def now() -> None:
            for lane in lanes:
                self._put(lane, (event, None, 0))

        self._calendar.after(0.0, now)

    def put(self, place: int, event: Notification, sender: ConnectionEnd) -> None:
        """A notification for one handler; ``sender`` is the end that it came from."""
        self._put(self._of(event.peer)[place], (event, sender, len(event.payload)))

    def drop_notifications(self, peer: PeerId) -> None:
        """What waits of a connection that has ended is read by nobody."""
        for lane in self._of(peer):
            lane.events = deque(one for one in lane.events if not isinstance(one[0], Notification))

    def _of(self, peer: PeerId) -> list[_Lane]:
        lanes = self._lanes.get(peer)
        if lanes is None:
            lanes = self._lanes[peer] = [_Lane(handler) for handler in self._handlers]
        return lanes

    def _put(self, lane: _Lane, one: _Event) -> None:
        """Let the handler take an event; what it cannot take at once gets a task that waits."""
        nursery = self.nursery
        if lane.busy:
            lane.events.append(one)
            return
        if nursery is None:
            return
        event, sender, size = one
        try:
            taking = lane.handler(event)
        except BaseException as failure:
            nursery.start_soon(self._fail, event, failure)  # the node's, not the world's
            taking = None
        if taking is not None:
            lane.busy = True
            nursery.start_soon(self._wait_for, lane, taking, one)
        elif sender is not None:
            sender.take_back(size)

    async def _wait_for(self, lane: _Lane, taking: Awaitable[None], one: _Event) -> None:
        event, sender, size = one
        try:
            await taking
        except Exception as error:
            self._on_failure(event.peer, type(event).__name__, error)
        if sender is not None:
            sender.take_back(size)
        lane.busy = False
        while lane.events and not lane.busy:
            self._put(lane, lane.events.popleft())

    async def _fail(self, event: NetworkEvent, failure: BaseException) -> None:
        if not isinstance(failure, Exception):
            raise failure
        self._on_failure(event.peer, type(event).__name__, failure)
