"""A connection: two ends, and what is on the way between them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import trio

from parahost.ports.network import ObservedRole, RequestProtocol
from parahost.primitives.basic import PeerId
from parahost.simulation.journal import WORLD, Trace
from parahost.simulation.network.calendar import Calendar, OnArrival, instant_at
from parahost.simulation.network.conditions import LinkConditions
from parahost.simulation.random import SeededRandom

KEEPALIVE_S = 10.0
"""A connection over a link that is cut for so long breaks."""


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


class Host(Protocol):
    """A node at an end of connections, as connections and other nodes see it."""

    @property
    def local_peer(self) -> PeerId: ...

    @property
    def name(self) -> str:
        """What link conditions and the trace call the node."""
        ...

    @property
    def role(self) -> ObservedRole: ...

    @property
    def random(self) -> SeededRandom:
        """Decides how long its messages take."""
        ...

    def accepts(self, other: Host) -> bool:
        """Whether the other gets a place here; another peer may lose its own."""
        ...

    def is_connected(self, peer: PeerId) -> bool: ...

    def forget(self, peer: PeerId) -> None:
        """If there is a connection with the peer, it has ended over there, and the news is still
        on its way."""
        ...

    def opened(self, end: ConnectionEnd) -> None:
        """This end of a new connection is the node's."""
        ...

    def ended(self, end: ConnectionEnd) -> None:
        """The connection has ended here."""
        ...

    def hear(self, end: ConnectionEnd, protocol: str, payload: bytes) -> None:
        """A notification has arrived at this end."""
        ...

    def asked(
        self, end: ConnectionEnd, protocol: RequestProtocol, payload: bytes, call: Call
    ) -> None:
        """A request has arrived at this end."""
        ...

    def links_mended(self) -> None:
        """A link may be open again: send what was held."""
        ...


@dataclass(frozen=True, slots=True)
class Wiring:
    """What all connections of a network share."""

    calendar: Calendar
    conditions: LinkConditions
    trace: Trace


@dataclass(slots=True, eq=False)
class ConnectionEnd:
    """One end of a connection: what is sent from here, and what of it is unread over there."""

    here: Host
    there: Host
    wiring: Wiring
    other: ConnectionEnd = field(init=False)
    live: bool = True
    since: float = 0.0
    """When it was opened, by this end's clock."""
    unread_messages: int = 0
    unread_bytes: int = 0
    calls: dict[Call, None] = field(default_factory=dict)
    requests_in: int = 0
    _last: dict[str, int] = field(default_factory=dict)
    """By protocol, when the last message arrives: none overtakes it."""
    _line_free_at: float = 0.0
    _held: list[tuple[str | None, int, OnArrival]] = field(default_factory=list)

    # What is sent from here

    def notify(self, protocol: str, payload: bytes) -> None:
        size = len(payload)
        self.unread_messages += 1
        self.unread_bytes += size
        self._send(protocol, size, partial(_hear, self, protocol, payload))

    def ask(self, protocol: RequestProtocol, payload: bytes, call: Call) -> None:
        self.calls[call] = None
        self._send(None, len(payload), partial(_asked, self, protocol, payload, call))

    def answer(self, call: Call, answer: bytes | None, why: str) -> None:
        size = 0 if answer is None else len(answer)
        self._send(None, size, partial(call.finish, answer, why))

    def take_back(self, size: int) -> None:
        """A notification from this end has been read, or is lost: it waits no more."""
        self.unread_messages -= 1
        self.unread_bytes -= size

    # Its end

    def close(self, why: str) -> None:
        """End the connection; the peer learns of it as soon as the news can reach it."""
        if not self.live:
            return
        self.end()
        calendar, conditions = self.wiring.calendar, self.wiring.conditions
        sender, receiver = self.here.name, self.there.name
        fields: dict[str, object] = {"from": sender, "to": receiver, "reason": why}
        self.wiring.trace.record(WORLD, "network.disconnected", fields)
        delay_s = KEEPALIVE_S
        if not conditions.is_cut(sender, receiver):
            delay_s = conditions.quality(sender, receiver).latency.draw(self.here.random)
        calendar.after(delay_s, self.other.end)

    def end(self) -> None:
        """The connection has ended, as far as this end knows."""
        if not self.live:
            return
        self.live = False
        for call in self.calls:
            call.finish(None, "disconnected")
        self.here.ended(self)

    # On the way

    def _send(self, order: str | None, size: int, arrival: OnArrival) -> None:
        """Put something on the way to the other end. Within one ``order``, what is sent later
        arrives later; a request and its answer (``None``) keep no order."""
        wiring = self.wiring
        calendar, conditions = wiring.calendar, wiring.conditions
        if conditions.has_cuts and conditions.is_cut(self.here.name, self.there.name):
            if not self._held:
                calendar.after(KEEPALIVE_S, self._still_held)
            self._held.append((order, size, arrival))
            return
        if self._held:
            self._release()
        quality = conditions.default
        if not conditions.is_even:
            quality = conditions.quality(self.here.name, self.there.name)
        random = self.here.random
        now = calendar.now()
        free = self._line_free_at if self._line_free_at > now else now
        self._line_free_at = free = free + size / quality.bytes_per_s
        if quality.loss and random.unit() < quality.loss:
            if order is not None:
                self.take_back(size)
            return
        instant = instant_at(free + quality.latency.draw(random))
        if order is None or (quality.reordering and random.unit() < quality.reordering):
            calendar.at(instant, arrival)
        else:
            last = self._last.get(order, 0)
            self._last[order] = calendar.at(last if last > instant else instant, arrival)
        if quality.duplication and order is not None and random.unit() < quality.duplication:
            self.unread_messages += 1
            self.unread_bytes += size
            calendar.at(instant_at(free + quality.latency.draw(random)), arrival)

    def release_if_mended(self) -> None:
        """Send what was held, if the link is open again."""
        if self._held and not self.wiring.conditions.is_cut(self.here.name, self.there.name):
            self._release()

    def _release(self) -> None:
        held, self._held = self._held, []
        for order, size, arrival in held:
            self._send(order, size, arrival)

    def _still_held(self) -> None:
        if not (self.live and self._held):
            return
        if self.wiring.conditions.is_cut(self.here.name, self.there.name):
            self.close("nothing got through")
        else:
            self._release()


def connect(one: Host, other: Host, wiring: Wiring) -> None:
    """Connect two hosts, who accept each other."""
    ours, theirs = ConnectionEnd(one, other, wiring), ConnectionEnd(other, one, wiring)
    ours.other, theirs.other = theirs, ours
    other.forget(one.local_peer)
    one.opened(ours)
    other.opened(theirs)
    wiring.trace.record(WORLD, "network.connected", {"from": one.name, "to": other.name})


def _hear(sender: ConnectionEnd, protocol: str, payload: bytes) -> None:
    if sender.other.live:
        sender.there.hear(sender.other, protocol, payload)


def _asked(asker: ConnectionEnd, protocol: RequestProtocol, payload: bytes, call: Call) -> None:
    if asker.other.live:
        asker.there.asked(asker.other, protocol, payload, call)
