"""A node's place on the network: its connections, what it sends and what it hears."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Awaitable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import trio

from parahost.network.identity import Identity
from parahost.network.incidents import Incidents
from parahost.network.places import NoPlace, Place, room_for, share_of
from parahost.network.reputation import VIOLATION, ReputationBook
from parahost.ports.clock import Clock
from parahost.ports.network import (
    EventHandler,
    NetworkEvent,
    Notification,
    NotificationProtocol,
    ObservedRole,
    PeerConnected,
    PeerDisconnected,
    RequestFailed,
    RequestHandler,
    RequestProtocol,
)
from parahost.primitives.addresses import AddressError, parse_told
from parahost.primitives.basic import PeerId
from parahost.simulation.journal import WORLD
from parahost.simulation.network.connection import Call, Lane, Side
from parahost.simulation.network.dialling import Dialler
from parahost.simulation.network.internet import KEEPALIVE_S, Carry, Internet, instant_at
from parahost.simulation.network.weather import Weather
from parahost.simulation.random import SeededRandom

if TYPE_CHECKING:
    from trio_typing import TaskStatus

DIAL_TIMEOUT_S = 5.0
_PORT = 30333


class Endpoint:
    """``ports.Network`` and ``ports.PeerSteering`` of one node, for one life of it."""

    def __init__(
        self,
        internet: Internet,
        name: str,
        identity: Identity,
        *,
        role: ObservedRole,
        known: Sequence[PeerId],
        clock: Clock,
        random: SeededRandom,
    ) -> None:
        """
        :param name: what the weather and the trace call the node.
        :param known: peers that it dials until it stops, like bootnodes.
        :param random: decides how long its messages take.
        """
        self.name = name
        self.role = role
        self._internet = internet
        self._identity = identity
        self._peer = identity.peer
        self._clock = clock
        self._random = random
        self._limits = internet.limits
        self._notifications: dict[str, tuple[NotificationProtocol, int]] = {}
        self._handlers: list[EventHandler] = []
        self._requests: dict[str, tuple[RequestProtocol, RequestHandler]] = {}
        self.sides: dict[PeerId, Side] = {}
        self._lanes: dict[PeerId, list[Lane]] = {}
        self._reputation = ReputationBook(clock, self._limits)
        self.incidents = Incidents()
        """What went wrong on connections, and was kept to them."""
        self._dialler = Dialler(self, known, random)
        self._nursery: trio.Nursery | None = None

    # ports.Network

    @property
    def local_peer(self) -> PeerId:
        return self._peer

    def on_notification(self, protocol: NotificationProtocol, handler: EventHandler) -> None:
        self._declare(protocol.name)
        if handler not in self._handlers:
            self._handlers.append(handler)
        self._notifications[protocol.name] = (protocol, self._handlers.index(handler))

    def on_request(self, protocol: RequestProtocol, handler: RequestHandler) -> None:
        self._declare(protocol.name)
        self._requests[protocol.name] = (protocol, handler)

    def notify(self, peers: Sequence[PeerId], protocol: str, payload: bytes) -> None:
        declared, _ = self._notifications[protocol]
        size = len(payload)
        if size > declared.max_size:
            self._dropped(protocol, size, declared.max_size)
            return
        receivers = []
        for peer in peers:
            side = self.sides.get(peer)
            if side is None:
                continue
            if (
                side.unread_messages >= self._limits.queue_messages
                or side.unread_bytes + size > self._limits.queue_bytes
            ):
                self._close(side, "its outgoing queue is full")
                continue
            side.unread_messages += 1
            side.unread_bytes += size
            receivers.append(side)
        names = [side.away.name for side in receivers]
        if names:
            self._internet.trace.message(self.name, names, protocol, payload)
        for side in receivers:
            self._send(side, protocol, size, partial(side.away.hear, side, protocol, payload))

    async def request(self, peer: PeerId, protocol: RequestProtocol, payload: bytes) -> bytes:
        if len(payload) > protocol.max_request:
            self._dropped(protocol.name, len(payload), protocol.max_request)
            raise RequestFailed(peer, protocol.name, "too_large")
        side = self.sides.get(peer)
        if side is None:
            raise RequestFailed(peer, protocol.name, "disconnected")
        call = Call()
        side.calls[call] = None
        self._internet.trace.message(self.name, [side.away.name], protocol.name, payload)
        self._send(side, None, len(payload), partial(_ask, side, protocol, payload, call))
        try:
            with trio.fail_after(protocol.timeout_s):
                await call.done.wait()
        except trio.TooSlowError:
            raise RequestFailed(peer, protocol.name, "timeout") from None
        finally:
            side.calls.pop(call, None)
        if call.answer is None:
            raise RequestFailed(peer, protocol.name, call.why or "refused")
        return call.answer

    def report(self, peer: PeerId, change: int, reason: str) -> None:
        if self._reputation.change(peer, change):
            self._internet.trace.record(
                self.name, "network.banned", {"peer": peer, "reason": reason}
            )
            self.disconnect(peer)

    def disconnect(self, peer: PeerId) -> None:
        side = self.sides.get(peer)
        if side is not None:
            self._close(side, "disconnected by this node")

    def connected(self) -> Sequence[PeerId]:
        """In ascending order of the peer ids."""
        return sorted(self.sides)

    # ports.PeerSteering

    @property
    def listen_addresses(self) -> Sequence[str]:
        """An address that only tells who it is: the simulation needs no more."""
        return [f"/dns/{self.name}/tcp/{_PORT}/p2p/{self._peer}"]

    def sign(self, message: bytes) -> bytes:
        return self._identity.sign(message)

    def prioritise(self, peers: Sequence[PeerId]) -> None:
        self._dialler.prioritise(peers)

    def learn_addresses(self, addresses: Sequence[str]) -> None:
        for text in addresses:
            try:
                peer = parse_told(text).peer
            except AddressError:
                continue
            assert peer is not None
            self._dialler.learn(peer)

    # Beyond the ports

    async def run(self, *, task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Take part until cancelled."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            self._internet.join(self)
            try:
                task_status.started()
                await self._dialler.run()
            finally:
                self._nursery = None
                self._internet.leave(self)
                for side in list(self.sides.values()):
                    self._close(side, "the node stops")

    # Connections

    def dial(self, peer: PeerId) -> None:
        """Try to connect; the dialler learns what came of it."""
        internet, away = self._internet, self._internet.find(peer)
        if away is None:
            refused_s = 2 * internet.weather.default.latency.draw(self._random)
            internet.after(refused_s, lambda: self._dialler.failed(peer))
        elif not _passable(internet.weather, self.name, away.name):
            internet.after(DIAL_TIMEOUT_S, lambda: self._dialler.failed(peer))
        else:
            quality = internet.weather.quality(self.name, away.name)
            delay_s = 3 * quality.latency.draw(self._random)
            internet.after(delay_s, lambda: self._meet(away))

    def _meet(self, away: Endpoint) -> None:
        peer = away.local_peer
        if peer in self.sides:
            self._dialler.succeeded(peer)
            return
        internet = self._internet
        gone = internet.find(peer) is not away or internet.find(self._peer) is not self
        if gone or not (self._accepts(away) and away._accepts(self)):
            self._dialler.failed(peer)
            return
        stale = away.sides.get(self._peer)
        if stale is not None:  # the news that it has ended is on its way
            away._end(stale)
        ours, theirs = Side(self, away), Side(away, self)
        ours.other, theirs.other = theirs, ours
        self._open(ours)
        away._open(theirs)
        internet.trace.record(WORLD, "network.connected", {"from": self.name, "to": away.name})

    def _accepts(self, other: Endpoint) -> bool:
        """Whether it gets a place here (:mod:`parahost.network.places`); each node of a simulation
        has an address of its own."""
        peer = other.local_peer
        if self._reputation.is_banned(peer):
            return False
        if self._dialler.is_protected(peer):
            return True
        try:
            leaves = room_for(self._place_of(other), self._taken(), self._limits)
        except NoPlace:
            return False
        if leaves is not None:
            self._close(self.sides[leaves], "its place went to another peer")
        return True

    def _taken(self) -> dict[PeerId, Place]:
        return {
            peer: self._place_of(side.away, side.since)
            for peer, side in sorted(self.sides.items())
            if not self._dialler.is_protected(peer)
        }

    def _place_of(self, other: Endpoint, since: float | None = None) -> Place:
        since = self._clock.now() if since is None else since
        return Place(other.role, other.name, since, self._reputation.of(other.local_peer))

    def wants(self, peer: PeerId) -> bool:
        """Whether it is worth dialling now."""
        if self._reputation.is_banned(peer):
            return False
        if self._dialler.is_protected(peer):
            return True
        taken = Counter(place.role for place in self._taken().values())
        return any(taken[role] < share_of(role, self._limits) for role in ObservedRole)

    def _open(self, side: Side) -> None:
        peer = side.away.local_peer
        self.sides[peer] = side
        side.since = self._clock.now()
        lanes = self._lanes.get(peer)
        if lanes is None:
            lanes = self._lanes[peer] = [Lane(handler) for handler in self._handlers]
        side.lanes = lanes
        self._dialler.succeeded(peer)
        self._tell(lanes, PeerConnected(peer, side.away.role))

    def _close(self, side: Side, why: str) -> None:
        """End a connection; the peer learns of it as soon as the news can reach it."""
        if not side.live:
            return
        self._end(side)
        other, internet = side.other, self._internet
        assert other is not None
        fields: dict[str, object] = {"from": self.name, "to": side.away.name, "reason": why}
        internet.trace.record(WORLD, "network.disconnected", fields)
        delay_s = KEEPALIVE_S
        if not internet.weather.is_cut(self.name, side.away.name):
            quality = internet.weather.quality(self.name, side.away.name)
            delay_s = quality.latency.draw(self._random)
        internet.after(delay_s, lambda: other.home._end(other))

    def _end(self, side: Side) -> None:
        if not side.live:
            return
        side.live = False
        peer = side.away.local_peer
        del self.sides[peer]
        for call in side.calls:
            call.finish(None, "disconnected")
        for lane in side.lanes:
            lane.events = deque(
                (event, sender)
                for event, sender in lane.events
                if not isinstance(event, Notification)
            )
        self._tell(side.lanes, PeerDisconnected(peer))
        self._dialler.lost(peer)

    # On the way

    def _send(self, side: Side, order: str | None, size: int, carry: Carry) -> None:
        """Put something on the way to the other end. Within one ``order``, what is sent later
        arrives later; a request and its answer (``None``) keep no order."""
        internet, weather = self._internet, self._internet.weather
        if weather.has_cuts and weather.is_cut(self.name, side.away.name):
            if not side.held:
                internet.after(KEEPALIVE_S, lambda: self._still_held(side))
            side.held.append((order, size, carry))
            return
        if side.held:
            self._release(side)
        quality = weather.default
        if not weather.is_even:
            quality = weather.quality(self.name, side.away.name)
        random = self._random
        now = internet.now()
        free = side.line_free_at if side.line_free_at > now else now
        side.line_free_at = free = free + size / quality.bytes_per_s
        if quality.loss and random.unit() < quality.loss:
            if order is not None:
                side.take_back(size)
            return
        instant = instant_at(free + quality.latency.draw(random))
        if order is None or (quality.reordering and random.unit() < quality.reordering):
            internet.at(instant, carry)
        else:
            last = side.last.get(order, 0)
            side.last[order] = internet.at(last if last > instant else instant, carry)
        if quality.duplication and order is not None and random.unit() < quality.duplication:
            side.unread_messages += 1
            side.unread_bytes += size
            internet.at(instant_at(free + quality.latency.draw(random)), carry)

    def _release(self, side: Side) -> None:
        held, side.held = side.held, []
        for order, size, carry in held:
            self._send(side, order, size, carry)

    def _still_held(self, side: Side) -> None:
        if not (side.live and side.held):
            return
        if self._internet.weather.is_cut(self.name, side.away.name):
            self._close(side, "nothing got through")
        else:
            self._release(side)

    def mended(self) -> None:
        """A way may be open again: send what was held."""
        for side in self.sides.values():
            if side.held and not self._internet.weather.is_cut(self.name, side.away.name):
                self._release(side)

    # Reading

    def _tell(self, lanes: list[Lane], event: NetworkEvent) -> None:
        """Of a connection; soon, for the node itself may be at work on what ends it."""

        def tell() -> None:
            for lane in lanes:
                if lane.busy:
                    lane.events.append((event, None))
                else:
                    self._hand_over(lane, event, None)

        self._internet.after(0.0, tell)

    def _hand_over(self, lane: Lane, event: NetworkEvent, sender: Side | None) -> None:
        """Let the handler take an event; what it cannot take at once gets a task that waits."""
        nursery = self._nursery
        if nursery is None:
            return
        try:
            taking = lane.handler(event)
        except BaseException as failure:
            _taken(event, sender)
            nursery.start_soon(self._fail, event, failure)  # the node's, not the world's
            return
        if taking is not None:
            lane.busy = True
            nursery.start_soon(self._wait_for, lane, taking, event, sender)
        else:
            _taken(event, sender)

    async def _wait_for(
        self, lane: Lane, taking: Awaitable[None], event: NetworkEvent, sender: Side | None
    ) -> None:
        try:
            await taking
        except Exception as error:
            self._failed(event.peer, type(event).__name__, error)
        _taken(event, sender)
        lane.busy = False
        while lane.events and not lane.busy:
            self._hand_over(lane, *lane.events.popleft())

    def hear(self, sender: Side, protocol: str, payload: bytes) -> None:
        """A notification has arrived; ``sender`` is the end that it came from."""
        here = sender.other
        if here is None or not here.live:
            return
        declared = self._notifications.get(protocol)
        peer = sender.home._peer
        if declared is None:
            sender.take_back(len(payload))
        elif len(payload) > declared[0].max_size:
            sender.take_back(len(payload))
            self.report(peer, VIOLATION, f"{protocol}: {len(payload)} bytes")
        else:
            lane = here.lanes[declared[1]]
            event = Notification(peer, protocol, payload)
            if lane.busy:
                lane.events.append((event, sender))
            else:
                self._hand_over(lane, event, sender)

    async def _answer(
        self, asker: Side, protocol: RequestProtocol, payload: bytes, call: Call
    ) -> None:
        side = asker.other
        declared = self._requests.get(protocol.name)
        answer: bytes | None = None
        why = "refused"
        assert side is not None
        if declared is None:
            why = "unsupported"
        elif side.requests_in < self._limits.max_requests_in:
            side.requests_in += 1
            try:
                with trio.move_on_after(declared[0].timeout_s):
                    answer = await declared[1](asker.home.local_peer, payload)
            except Exception as error:
                self._failed(asker.home.local_peer, protocol.name, error)
            finally:
                side.requests_in -= 1
        if not side.live:
            return
        size = 0 if answer is None else len(answer)
        self._internet.trace.message(
            self.name, [asker.home.name], protocol.name, b"" if answer is None else answer
        )
        if answer is not None and size > protocol.max_response:
            self._dropped(protocol.name, size, protocol.max_response)
            answer, why = None, "too_large"
        self._send(side, None, size, partial(call.finish, answer, why))

    # What should not happen

    async def _fail(self, event: NetworkEvent, failure: BaseException) -> None:
        if not isinstance(failure, Exception):
            raise failure
        self._failed(event.peer, type(event).__name__, failure)

    def _failed(self, peer: PeerId, where: str, error: Exception) -> None:
        """Keep an exception to the connection that it came of."""
        side = self.sides.get(peer)
        if side is not None:
            self._close(side, f"this node failed: {type(error).__name__}")
        self.incidents.failed(where, peer, error)
        fields: dict[str, object] = {"peer": peer, "reason": f"{type(error).__name__}: {error}"}
        self._internet.trace.record(self.name, "network.failed", fields)

    def _dropped(self, protocol: str, size: int, allowed: int) -> None:
        self.incidents.dropped(protocol, size, allowed)
        fields: dict[str, object] = {"protocol": protocol, "size": size}
        self._internet.trace.record(self.name, "network.too_large", fields)

    def _declare(self, name: str) -> None:
        if self._nursery is not None:
            raise RuntimeError(f"protocol {name} was declared after the network was started")
        if name in self._notifications or name in self._requests:
            raise ValueError(f"protocol {name} was declared twice")


def _passable(weather: Weather, one: str, other: str) -> bool:
    return not (weather.is_cut(one, other) or weather.is_cut(other, one))


def _ask(asker: Side, protocol: RequestProtocol, payload: bytes, call: Call) -> None:
    """A request has reached the other end."""
    other = asker.other
    if other is not None and other.live and asker.away._nursery is not None:
        asker.away._nursery.start_soon(asker.away._answer, asker, protocol, payload, call)


def _taken(event: NetworkEvent, sender: Side | None) -> None:
    """What the handler is done with waits no more at who sent it."""
    if sender is not None and isinstance(event, Notification):
        sender.take_back(len(event.payload))
