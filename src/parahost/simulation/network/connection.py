"""The state of a connection at each of its ends."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import trio

from parahost.ports.network import EventHandler, NetworkEvent
from parahost.simulation.network.internet import Carry

if TYPE_CHECKING:
    from parahost.simulation.network.endpoint import Endpoint


@dataclass(slots=True, eq=False)
class Call:
    """A request under way, at the asker's."""

    done: trio.Event = field(default_factory=trio.Event)
    answer: bytes | None = None
    why: str | None = None

    def finish(self, answer: bytes | None, why: str | None = None) -> None:
        if not self.done.is_set():
            self.answer, self.why = answer, why
            self.done.set()


@dataclass(slots=True, eq=False)
class Lane:
    """What waits for one handler from one peer."""

    handler: EventHandler
    events: deque[tuple[NetworkEvent, Side | None]] = field(default_factory=deque)
    busy: bool = False
    """Whether the handler has yet to take an event; those after it wait."""


@dataclass(slots=True, eq=False)
class Side:
    """One end of a connection: what this end sends, and has been sent."""

    home: Endpoint
    away: Endpoint
    other: Side | None = None
    live: bool = True
    since: float = 0.0
    """When it was opened, by this end's clock."""
    unread_messages: int = 0
    unread_bytes: int = 0
    calls: dict[Call, None] = field(default_factory=dict)
    last: dict[str, int] = field(default_factory=dict)
    """By protocol, when the last message arrives: none overtakes it."""
    line_free_at: float = 0.0
    held: list[tuple[str | None, int, Carry]] = field(default_factory=list)
    requests_in: int = 0
    lanes: list[Lane] = field(default_factory=list)
    """By handler, what waits here of what the other end sends."""

    def take_back(self, size: int) -> None:
        """A notification from this end has been read, or is lost: it waits no more."""
        self.unread_messages -= 1
        self.unread_bytes -= size
