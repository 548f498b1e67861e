"""A network of a few nodes in memory, for tests that need no more than that.

What is sent arrives in order, each node taking its own; at once, or after a latency. A test may
lose it, change it, or answer for a peer. Time is trio's: tests with latencies use its virtual
clock.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import trio

from parahost.network.identity import Identity
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
from parahost.primitives.addresses import parse_told
from parahost.primitives.basic import PeerId
from parahost.primitives.hashing import blake2_256

if TYPE_CHECKING:
    from trio_typing import TaskStatus

WHATEVER_CONNECTION = 0


async def take(handler: EventHandler, event: NetworkEvent) -> None:
    """Hand an event over as an adapter does: what is not taken at once is awaited."""
    if (taking := handler(event)) is not None:
        await taking


def identity_of(name: str) -> Identity:
    """Who the node of that name is, where tests need peer ids that sign."""
    return Identity(blake2_256(name.encode()))


class MemoryNetwork:
    """The ports of all nodes, who is connected to whom, and what is under way."""

    def __init__(self, latency: tuple[float, float] = (0.0, 0.0), *, seed: int = 0) -> None:
        self.latency = latency
        """Seconds, drawn between these two for each message; for an answer the least."""
        self.loss = 0.0
        """The part of all notifications that does not arrive."""
        self.random = random.Random(f"network {seed}")
        self.allow: Callable[[PeerId, PeerId], bool] = lambda source, target: True
        """Which notifications and requests arrive."""
        self.tamper: Callable[[PeerId, PeerId, bytes], list[bytes]] = lambda source, to, payload: [
            payload
        ]
        """What arrives in place of a notification; an adversary's place."""
        self.ports: dict[PeerId, MemoryPort] = {}
        self.sent_bytes: Counter[PeerId] = Counter()
        self._connections = WHATEVER_CONNECTION
        self._nursery: trio.Nursery | None = None

    def port(
        self,
        name: str,
        role: ObservedRole = ObservedRole.AUTHORITY,
        *,
        identity: Identity | None = None,
    ) -> MemoryPort:
        """A node's end; with an identity, that is its peer id."""
        peer = PeerId(name) if identity is None else identity.peer
        port = self.ports[peer] = MemoryPort(self, peer, role, identity)
        if self._nursery is not None:
            self._nursery.start_soon(port.run)
        return port

    def start(self, task: Callable[[], Awaitable[None]]) -> None:
        """Run it beside, until the network ends."""
        assert self._nursery is not None, "the network does not run"
        self._nursery.start_soon(task)

    async def run(self, *, task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Deliver, until cancelled."""
        async with trio.open_nursery() as self._nursery:
            for port in self.ports.values():
                self._nursery.start_soon(port.run)
            task_status.started()
            await trio.sleep_forever()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[MemoryNetwork]:
        """Deliver meanwhile."""
        async with trio.open_nursery() as nursery:
            await nursery.start(self.run)
            yield self
            nursery.cancel_scope.cancel()

    def linked(self, one: PeerId, other: PeerId) -> bool:
        return other in self.ports[one].peers

    def connect(self, one: PeerId, other: PeerId) -> None:
        if self.linked(one, other):
            return
        self._connections += 1
        for here, there in ((one, other), (other, one)):
            self.ports[here].peers[there] = self._connections
            self._deliver(there, here, PeerConnected(there, self.ports[there].role))

    def cut(self, one: PeerId, other: PeerId) -> None:
        for here, there in ((one, other), (other, one)):
            port = self.ports.get(here)
            if port is not None and port.peers.pop(there, None) is not None:
                port.put(trio.current_time(), WHATEVER_CONNECTION, PeerDisconnected(there))

    def remove(self, peer: PeerId) -> None:
        """The node is gone, and the others notice."""
        port = self.ports[peer]
        for other in list(port.peers):
            self.cut(peer, other)
        port.handlers.clear()
        del self.ports[peer]

    def post(self, source: PeerId, target: PeerId, protocol: str, payload: bytes) -> None:
        """Send a notification in anybody's name."""
        for part in self.tamper(source, target, payload):
            if self.random.random() >= self.loss and self.allow(source, target):
                self.sent_bytes[source] += len(part)
                self._deliver(source, target, Notification(source, protocol, part))

    def _deliver(self, source: PeerId, to: PeerId, event: NetworkEvent) -> None:
        target = self.ports.get(to)
        if target is not None and source in target.peers:
            at = trio.current_time() + self.random.uniform(*self.latency)
            target.put(at, target.peers[source], event)


class MemoryPort:
    """The ports ``Network`` and ``PeerSteering`` of one node, and what was done by them."""

    def __init__(
        self, network: MemoryNetwork, peer: PeerId, role: ObservedRole, identity: Identity | None
    ) -> None:
        self.local_peer = peer
        self.role = role
        self.listen_addresses = (f"/ip4/127.0.0.1/tcp/1/p2p/{peer}",)
        self.peers: dict[PeerId, int] = {}
        """Connected peers, with the number of the connection."""
        self.handlers: dict[str, EventHandler] = {}
        self.answerers: dict[str, RequestHandler] = {}
        self.sent = 0
        self.requests: list[tuple[PeerId, str]] = []
        self.reports: list[tuple[PeerId, int, str]] = []
        self.disconnected: list[PeerId] = []
        self.prioritised: list[tuple[PeerId, ...]] = []
        self.learned: list[str] = []
        self.reserved: list[PeerId] = []
        self._network = network
        self._identity = identity
        self._queue: list[tuple[float, int, int, NetworkEvent]] = []
        self._count = 0
        self._newest: dict[PeerId, float] = {}
        self._wake = trio.Event()

    def on_notification(self, protocol: NotificationProtocol, handler: EventHandler) -> None:
        self.handlers[protocol.name] = handler

    def on_request(self, protocol: RequestProtocol, handler: RequestHandler) -> None:
        self.answerers[protocol.name] = handler

    def notify(self, peers: Sequence[PeerId], protocol: str, payload: bytes) -> None:
        for peer in peers:
            if peer in self.peers:
                self.sent += 1
                self._network.post(self.local_peer, peer, protocol, payload)

    async def request(self, peer: PeerId, protocol: RequestProtocol, payload: bytes) -> bytes:
        self.requests.append((peer, protocol.name))
        assert len(payload) <= protocol.max_request
        await trio.sleep(2 * self._network.latency[0])
        if peer not in self.peers:
            raise RequestFailed(peer, protocol.name, "disconnected")
        with trio.move_on_after(protocol.timeout_s):
            if not self._network.allow(self.local_peer, peer):
                await trio.sleep_forever()
            answerer = self._network.ports[peer].answerers[protocol.name]
            answer = await answerer(self.local_peer, payload)
            if answer is None:
                raise RequestFailed(peer, protocol.name, "refused")
            assert len(answer) <= protocol.max_response
            return answer
        raise RequestFailed(peer, protocol.name, "timeout")

    def report(self, peer: PeerId, change: int, reason: str) -> None:
        self.reports.append((peer, change, reason))

    def disconnect(self, peer: PeerId) -> None:
        self.disconnected.append(peer)
        self._network.cut(self.local_peer, peer)

    def connected(self) -> Sequence[PeerId]:
        return tuple(self.peers)

    def connect(self, other: MemoryPort) -> None:
        self._network.connect(self.local_peer, other.local_peer)

    def sign(self, message: bytes) -> bytes:
        assert self._identity is not None, "this test's peers have names and no keys"
        return self._identity.sign(message)

    def prioritise(self, peers: Sequence[PeerId]) -> None:
        self.prioritised.append(tuple(peers))

    def learn_addresses(self, addresses: Sequence[str]) -> None:
        self.learned += addresses

    def reserve(self, address: str) -> None:
        peer = parse_told(address).peer
        assert peer is not None
        if peer not in self.reserved:
            self.reserved.append(peer)

    def release(self, peer: PeerId) -> None:
        if peer in self.reserved:
            self.reserved.remove(peer)

    # For tests and the network

    def costs(self) -> list[tuple[PeerId, int, str]]:
        return [report for report in self.reports if report[1] < 0]

    def put(self, at: float, connection: int, event: NetworkEvent) -> None:
        """Let it arrive at that time, or after what came before it from the same peer."""
        at = self._newest[event.peer] = max(at, self._newest.get(event.peer, 0.0))
        self._count += 1
        heapq.heappush(self._queue, (at, self._count, connection, event))
        self._wake.set()

    async def run(self) -> None:
        while True:
            self._wake = trio.Event()
            wait = self._queue[0][0] - trio.current_time() if self._queue else float("inf")
            if wait > 0:
                with trio.move_on_after(wait):
                    await self._wake.wait()
                continue
            _, _, connection, event = heapq.heappop(self._queue)
            if connection in (WHATEVER_CONNECTION, self.peers.get(event.peer)):
                await self._take(event)

    async def _take(self, event: NetworkEvent) -> None:
        """As the adapter hands it over: connections to all, a notification to its protocol's."""
        for name, handler in list(self.handlers.items()):
            if not isinstance(event, Notification) or event.protocol == name:
                await take(handler, event)
