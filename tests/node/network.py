"""Several nodes in one process: a network in memory, which delivers at once and in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import trio

from parahost.node.messages.base import Message
from parahost.node.messages.network import ResolveValidators
from parahost.node.overseer import Subsystem
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
from parahost.primitives.basic import PeerId, ValidatorId


async def take(handler: EventHandler, event: NetworkEvent) -> None:
    """Hand an event over as an adapter does: what is not taken at once is awaited."""
    if (taking := handler(event)) is not None:
        await taking


Allow = Callable[[PeerId, PeerId], bool]


class MemoryNetwork:
    """The ports of all nodes; ``run`` delivers what they send, counting bytes."""

    def __init__(self) -> None:
        self.nodes: dict[PeerId, MemoryPort] = {}
        self._send, self._receive = trio.open_memory_channel[tuple[PeerId, PeerId, str, bytes]](
            100_000
        )
        self.sent_bytes: dict[PeerId, int] = {}
        self.allow: Allow = lambda source, target: True
        """Which notifications and requests arrive."""

    def port(self, name: str, role: ObservedRole = ObservedRole.AUTHORITY) -> MemoryPort:
        port = MemoryPort(self, PeerId(name), role)
        self.nodes[port.local_peer] = port
        return port

    async def connect(self, one: str, other: str) -> None:
        for a, b in ((one, other), (other, one)):
            here, there = self.nodes[PeerId(a)], self.nodes[PeerId(b)]
            here.peers[there.local_peer] = None
            for handler in here.hearers.values():
                await take(handler, PeerConnected(there.local_peer, there.role))

    async def disconnect(self, one: str, other: str) -> None:
        for a, b in ((one, other), (other, one)):
            here = self.nodes[PeerId(a)]
            here.peers.pop(PeerId(b), None)
            for handler in here.hearers.values():
                await take(handler, PeerDisconnected(PeerId(b)))

    async def run(self) -> None:
        async for source, target, protocol, payload in self._receive:
            node = self.nodes[target]
            if source in node.peers and self.allow(source, target):
                self.sent_bytes[source] = self.sent_bytes.get(source, 0) + len(payload)
                await take(node.hearers[protocol], Notification(source, protocol, payload))

    def post(self, source: PeerId, target: PeerId, protocol: str, payload: bytes) -> None:
        self._send.send_nowait((source, target, protocol, payload))


class MemoryPort:
    """The port ``Network`` of one node."""

    def __init__(self, network: MemoryNetwork, peer: PeerId, role: ObservedRole) -> None:
        self._network = network
        self.local_peer = peer
        self.role = role
        self.peers: dict[PeerId, None] = {}
        self.hearers: dict[str, EventHandler] = {}
        self.answerers: dict[str, RequestHandler] = {}
        self.reports: list[tuple[PeerId, int, str]] = []
        self.disconnected: list[PeerId] = []
        self.requests: list[tuple[PeerId, str]] = []

    def on_notification(self, protocol: NotificationProtocol, handler: EventHandler) -> None:
        self.hearers[protocol.name] = handler

    def on_request(self, protocol: RequestProtocol, handler: RequestHandler) -> None:
        self.answerers[protocol.name] = handler

    def notify(self, peers: Sequence[PeerId], protocol: str, payload: bytes) -> None:
        for peer in peers:
            if peer in self.peers:
                self._network.post(self.local_peer, peer, protocol, payload)

    async def request(self, peer: PeerId, protocol: RequestProtocol, payload: bytes) -> bytes:
        self.requests.append((peer, protocol.name))
        if peer not in self.peers:
            raise RequestFailed(peer, protocol.name, "disconnected")
        if not self._network.allow(self.local_peer, peer):
            await trio.sleep(protocol.timeout_s)
            raise RequestFailed(peer, protocol.name, "timeout")
        answer = await self._network.nodes[peer].answerers[protocol.name](self.local_peer, payload)
        if answer is None:
            raise RequestFailed(peer, protocol.name, "refused")
        return answer

    def report(self, peer: PeerId, change: int, reason: str) -> None:
        self.reports.append((peer, change, reason))

    def disconnect(self, peer: PeerId) -> None:
        self.disconnected.append(peer)

    def connected(self) -> Sequence[PeerId]:
        return tuple(self.peers)

    def costs(self) -> list[tuple[PeerId, int, str]]:
        return [report for report in self.reports if report[1] < 0]


class Directory(Subsystem):
    """Knows which peers the validators are: what the Peer Set Manager finds out."""

    name = "directory"
    receives = (ResolveValidators,)

    def __init__(self, peers: dict[ValidatorId, PeerId]) -> None:
        self.peers = peers

    def on_message(self, message: Message) -> None:
        assert isinstance(message, ResolveValidators)
        known = {v: self.peers[v] for v in message.validators if v in self.peers}
        message.reply.answer(known)
