"""A network of chains in one process: what is sent arrives, in order, after other tasks had a turn.
A peer may be a real node or an adversary that answers as it likes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import trio

from parahost.chain.chain import Chain
from parahost.chain.importing import Importer
from parahost.chain.sync import Sync
from parahost.chain.sync.fetching import ImportJustification
from parahost.consensus.grandpa.errors import MalformedJustification
from parahost.ports import (
    NetworkEvent,
    Notification,
    NotificationProtocol,
    ObservedRole,
    PeerConnected,
    PeerDisconnected,
    RequestFailed,
    RequestProtocol,
)
from parahost.ports.network import EventHandler, RequestHandler
from parahost.primitives.basic import Hash, PeerId
from parahost.simulation.executor import InlineExecutor
from tests.consensus.grandpa.world import SeededRandom


class TrioClock:
    """The virtual time of trio, long after the first slot."""

    def now(self) -> float:
        return 1_000_000.0 + trio.current_time()

    async def sleep(self, seconds: float) -> None:
        await trio.sleep(max(seconds, 0.0))


@dataclass
class Port:
    """The port ``Network`` of one peer."""

    wire: Wire
    local_peer: PeerId
    handlers: dict[str, EventHandler] = field(default_factory=dict)
    servers: dict[str, RequestHandler] = field(default_factory=dict)
    reports: list[tuple[PeerId, int, str]] = field(default_factory=list)
    asked: int = 0

    def on_notification(self, protocol: NotificationProtocol, handler: EventHandler) -> None:
        self.handlers[protocol.name] = handler

    def on_request(self, protocol: RequestProtocol, handler: RequestHandler) -> None:
        self.servers[protocol.name] = handler

    def notify(self, peers: Sequence[PeerId], protocol: str, payload: bytes) -> None:
        for peer in peers:
            if peer in self.connected():
                event = Notification(self.local_peer, protocol, payload)
                self.wire.post(peer, protocol, event)

    async def request(self, peer: PeerId, protocol: RequestProtocol, payload: bytes) -> bytes:
        self.asked += 1
        await trio.sleep(0.01)
        if peer not in self.connected():
            raise RequestFailed(peer, protocol.name, "disconnected")
        assert len(payload) <= protocol.max_request
        with trio.move_on_after(protocol.timeout_s):
            answer = await self.wire.ports[peer].servers[protocol.name](self.local_peer, payload)
            if answer is None:
                raise RequestFailed(peer, protocol.name, "refused")
            assert len(answer) <= protocol.max_response
            return answer
        raise RequestFailed(peer, protocol.name, "timeout")

    def report(self, peer: PeerId, change: int, reason: str) -> None:
        self.reports.append((peer, change, reason))

    def disconnect(self, peer: PeerId) -> None:
        self.wire.cut(self.local_peer, peer)

    def connected(self) -> Sequence[PeerId]:
        return [peer for peer in self.wire.ports if self.wire.linked(self.local_peer, peer)]


class Wire:
    """All peers, who is connected to whom, and what is under way."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.ports: dict[PeerId, Port] = {}
        self._links: set[frozenset[PeerId]] = set()
        self._nursery = nursery
        self._boxes: dict[PeerId, trio.MemorySendChannel[tuple[str, NetworkEvent]]] = {}

    def start(self, task: Callable[[], Awaitable[None]]) -> None:
        self._nursery.start_soon(task)

    def port(self, name: str) -> Port:
        port = self.ports[PeerId(name)] = Port(self, PeerId(name))
        send, receive = trio.open_memory_channel[tuple[str, NetworkEvent]](10_000)
        self._boxes[port.local_peer] = send
        self._nursery.start_soon(self._deliver, port, receive)
        return port

    def linked(self, one: PeerId, other: PeerId) -> bool:
        return frozenset((one, other)) in self._links

    def connect(self, one: Port, other: Port) -> None:
        self._links.add(frozenset((one.local_peer, other.local_peer)))
        for here, there in ((one, other), (other, one)):
            for protocol in here.handlers:
                event = PeerConnected(there.local_peer, ObservedRole.FULL)
                self.post(here.local_peer, protocol, event)

    def cut(self, one: PeerId, other: PeerId) -> None:
        self._links.discard(frozenset((one, other)))
        for here, there in ((one, other), (other, one)):
            for protocol in self.ports[here].handlers:
                self.post(here, protocol, PeerDisconnected(there))

    def post(self, to: PeerId, protocol: str, event: NetworkEvent) -> None:
        self._boxes[to].send_nowait((protocol, event))

    async def _deliver(
        self, port: Port, receive: trio.MemoryReceiveChannel[tuple[str, NetworkEvent]]
    ) -> None:
        async for protocol, event in receive:
            await trio.sleep(0.005)
            handler = port.handlers.get(protocol)
            if handler is not None and (taking := handler(event)) is not None:
                await taking


@dataclass
class SyncNode:
    chain: Chain
    port: Port
    sync: Sync


def naming_its_block(chain: Chain) -> ImportJustification:
    """Takes justifications that say which block they are for; GRANDPA's own are tested there."""

    async def import_justification(block: Hash, justification: bytes) -> None:
        if justification != b"final:" + block:
            raise MalformedJustification("it names another block")
        chain.finalize(block, justification)

    return import_justification


@asynccontextmanager
async def wire() -> AsyncIterator[Wire]:
    async with trio.open_nursery() as nursery:
        yield Wire(nursery)
        nursery.cancel_scope.cancel()


def start(net: Wire, name: str, chain: Chain) -> SyncNode:
    port = net.port(name)
    sync = Sync(
        chain,
        Importer(chain, InlineExecutor()),
        port,
        TrioClock(),
        random=SeededRandom(name),
        import_justification=naming_its_block(chain),
    )
    net.start(sync.run)
    return SyncNode(chain, port, sync)


async def until(condition: Callable[[], bool], seconds: float = 300.0) -> None:
    """Wait, in virtual time, for what must come about."""
    with trio.fail_after(seconds):
        while not condition():
            await trio.sleep(0.05)
