"""A node's place on the network: its connections, what it sends and what it hears."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import trio

from parahost.network.identity import Identity
from parahost.network.incidents import Incidents
from parahost.network.places import NoPlace, Place, room_for, share_of
from parahost.network.reputation import VIOLATION, ReputationBook
from parahost.ports.clock import Clock
from parahost.ports.network import (
    EventHandler,
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
from parahost.simulation.network.connection import Call, ConnectionEnd, Host
from parahost.simulation.network.dialler import Dialler
from parahost.simulation.network.inbox import Inbox
from parahost.simulation.network.switch import Switch
from parahost.simulation.random import SeededRandom

if TYPE_CHECKING:
    from trio_typing import TaskStatus

_PORT = 30333


class Endpoint:
    """``ports.Network`` and ``ports.PeerSteering`` of one node, for one life of it. To others on
    the network it is a ``Host``."""

    def __init__(
        self,
        switch: Switch,
        name: str,
        identity: Identity,
        *,
        role: ObservedRole,
        known: Sequence[PeerId],
        clock: Clock,
        random: SeededRandom,
    ) -> None:
        """
        :param name: what link conditions and the trace call the node.
        :param known: peers that it dials until it stops, like bootnodes.
        :param random: decides how long its messages take.
        """
        self.name = name
        self.role = role
        self.random = random
        self._switch = switch
        self._identity = identity
        self._peer = identity.peer
        self._clock = clock
        self._limits = switch.limits
        self._notifications: dict[str, tuple[NotificationProtocol, int]] = {}
        """By name, with the place of its handler in the inbox."""
        self._requests: dict[str, tuple[RequestProtocol, RequestHandler]] = {}
        self._connections: dict[PeerId, ConnectionEnd] = {}
        self._inbox = Inbox(switch.calendar, self._failed)
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
        self._notifications[protocol.name] = (protocol, self._inbox.register(handler))

    def on_request(self, protocol: RequestProtocol, handler: RequestHandler) -> None:
        self._declare(protocol.name)
        self._requests[protocol.name] = (protocol, handler)

    def notify(self, peers: Sequence[PeerId], protocol: str, payload: bytes) -> None:
        declared, _ = self._notifications[protocol]
        size, limits = len(payload), self._limits
        if size > declared.max_size:
            self._dropped(protocol, size, declared.max_size)
            return
        receivers = []
        for peer in peers:
            end = self._connections.get(peer)
            if end is None:
                continue
            if (
                end.unread_messages >= limits.queue_messages
                or end.unread_bytes + size > limits.queue_bytes
            ):
                end.close("its outgoing queue is full")
            else:
                receivers.append(end)
        if receivers:
            names = [end.there.name for end in receivers]
            self._switch.trace.message(self.name, names, protocol, payload)
        for end in receivers:
            end.notify(protocol, payload)

    async def request(self, peer: PeerId, protocol: RequestProtocol, payload: bytes) -> bytes:
        if len(payload) > protocol.max_request:
            self._dropped(protocol.name, len(payload), protocol.max_request)
            raise RequestFailed(peer, protocol.name, "too_large")
        end = self._connections.get(peer)
        if end is None:
            raise RequestFailed(peer, protocol.name, "disconnected")
        call = Call()
        self._switch.trace.message(self.name, [end.there.name], protocol.name, payload)
        end.ask(protocol, payload, call)
        try:
            with trio.fail_after(protocol.timeout_s):
                await call.done.wait()
        except trio.TooSlowError:
            raise RequestFailed(peer, protocol.name, "timeout") from None
        finally:
            end.calls.pop(call, None)
        if call.answer is None:
            raise RequestFailed(peer, protocol.name, call.why or "refused")
        return call.answer

    def report(self, peer: PeerId, change: int, reason: str) -> None:
        if self._reputation.change(peer, change):
            self._switch.trace.record(self.name, "network.banned", {"peer": peer, "reason": reason})
            self.disconnect(peer)

    def disconnect(self, peer: PeerId) -> None:
        end = self._connections.get(peer)
        if end is not None:
            end.close("disconnected by this node")

    def connected(self) -> Sequence[PeerId]:
        """In ascending order of the peer ids."""
        return sorted(self._connections)

    # ports.PeerSteering

    @property
    def listen_addresses(self) -> Sequence[str]:
        """An address that only tells who it is: the simulation needs no more."""
        return [f"/dns/{self.name}/tcp/{_PORT}/p2p/{self.local_peer}"]

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

    @property
    def reserved(self) -> Sequence[PeerId]:
        return self._dialler.reserved

    def reserve(self, address: str) -> None:
        peer = parse_told(address).peer
        assert peer is not None
        self._dialler.reserve(peer)

    def release(self, peer: PeerId) -> None:
        self._dialler.release(peer)

    # Beyond the ports

    async def run(self, *, task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Take part until cancelled."""
        async with trio.open_nursery() as nursery:
            self._nursery = self._inbox.nursery = nursery
            self._switch.attach(self)
            try:
                task_status.started()
                await self._dialler.run()
            finally:
                self._nursery = self._inbox.nursery = None
                self._switch.detach(self)
                for end in list(self._connections.values()):
                    end.close("the node stops")

    # dialler.Caller

    def is_connected(self, peer: PeerId) -> bool:
        return peer in self._connections

    def wants(self, peer: PeerId) -> bool:
        if self._reputation.is_banned(peer):
            return False
        if self._dialler.is_protected(peer):
            return True
        taken = Counter(place.role for place in self._taken().values())
        return any(taken[role] < share_of(role, self._limits) for role in ObservedRole)

    def dial(self, peer: PeerId) -> None:
        self._switch.dial(self, peer, lambda connected: self._dialler.dialled(peer, connected))

    # connection.Host

    def accepts(self, other: Host) -> bool:
        """By the rules of :mod:`parahost.network.places`; each node of a simulation has an address
        of its own."""
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
            self._connections[leaves].close("its place went to another peer")
        return True

    def forget(self, peer: PeerId) -> None:
        end = self._connections.get(peer)
        if end is not None:
            end.end()

    def opened(self, end: ConnectionEnd) -> None:
        peer = end.there.local_peer
        self._connections[peer] = end
        end.since = self._clock.now()
        self._dialler.succeeded(peer)
        self._inbox.tell(PeerConnected(peer, end.there.role))

    def ended(self, end: ConnectionEnd) -> None:
        peer = end.there.local_peer
        del self._connections[peer]
        self._inbox.drop_notifications(peer)
        self._inbox.tell(PeerDisconnected(peer))
        self._dialler.lost(peer)

    def links_mended(self) -> None:
        for end in self._connections.values():
            end.release_if_mended()

    def hear(self, end: ConnectionEnd, protocol: str, payload: bytes) -> None:
        declared = self._notifications.get(protocol)
        peer, sender = end.there.local_peer, end.other
        if declared is None:
            sender.take_back(len(payload))
        elif len(payload) > declared[0].max_size:
            sender.take_back(len(payload))
            self.report(peer, VIOLATION, f"{protocol}: {len(payload)} bytes")
        else:
            self._inbox.put(declared[1], Notification(peer, protocol, payload), sender)

    def asked(
        self, end: ConnectionEnd, protocol: RequestProtocol, payload: bytes, call: Call
    ) -> None:
        if self._nursery is not None:
            self._nursery.start_soon(self._answer, end, protocol, payload, call)

    # Routines

    async def _answer(
        self, end: ConnectionEnd, protocol: RequestProtocol, payload: bytes, call: Call
    ) -> None:
        peer, declared = end.there.local_peer, self._requests.get(protocol.name)
        answer: bytes | None = None
        why = "refused"
        if declared is None:
            why = "unsupported"
        elif end.requests_in < self._limits.max_requests_in:
            end.requests_in += 1
            try:
                with trio.move_on_after(declared[0].timeout_s):
                    answer = await declared[1](peer, payload)
            except Exception as error:
                self._failed(peer, protocol.name, error)
            finally:
                end.requests_in -= 1
        if not end.live:
            return
        self._switch.trace.message(self.name, [end.there.name], protocol.name, answer or b"")
        if answer is not None and len(answer) > protocol.max_response:
            self._dropped(protocol.name, len(answer), protocol.max_response)
            answer, why = None, "too_large"
        end.answer(call, answer, why)

    def _taken(self) -> dict[PeerId, Place]:
        return {
            peer: self._place_of(end.there, end.since)
            for peer, end in sorted(self._connections.items())
            if not self._dialler.is_protected(peer)
        }

    def _place_of(self, other: Host, since: float | None = None) -> Place:
        since = self._clock.now() if since is None else since
        return Place(other.role, other.name, since, self._reputation.of(other.local_peer))

    def _failed(self, peer: PeerId, where: str, error: Exception) -> None:
        """Keep an exception to the connection that it came of."""
        end = self._connections.get(peer)
        if end is not None:
            end.close(f"this node failed: {type(error).__name__}")
        self.incidents.failed(where, peer, error)
        fields: dict[str, object] = {"peer": peer, "reason": f"{type(error).__name__}: {error}"}
        self._switch.trace.record(self.name, "network.failed", fields)

    def _dropped(self, protocol: str, size: int, allowed: int) -> None:
        self.incidents.dropped(protocol, size, allowed)
        fields: dict[str, object] = {"protocol": protocol, "size": size}
        self._switch.trace.record(self.name, "network.too_large", fields)

    def _declare(self, name: str) -> None:
        if self._nursery is not None:
            raise RuntimeError(f"protocol {name} was declared after the network was started")
        if name in self._notifications or name in self._requests:
            raise ValueError(f"protocol {name} was declared twice")
