"""A network of a few nodes in memory: events in order, requests answered, nothing lost."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

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
from parahost.primitives.basic import PeerId
from parahost.primitives.hashing import blake2_256
from tests.node.network import take


def identity_of(name: str) -> Identity:
    """Who the node of that name is."""
    return Identity(blake2_256(name.encode()))


class TinyNode:
    """``ports.Network`` and ``ports.PeerSteering`` of one node."""

    def __init__(self, name: str, role: ObservedRole) -> None:
        self.identity = identity_of(name)
        self.local_peer = self.identity.peer
        self.role = role
        self.listen_addresses = (f"/ip4/127.0.0.1/tcp/1/p2p/{self.local_peer}",)
        self.prioritised: list[tuple[PeerId, ...]] = []
        self.learned: list[str] = []
        self.reports: list[tuple[PeerId, int, str]] = []
        self._peers: dict[PeerId, TinyNode] = {}
        self._hearers: dict[str, EventHandler] = {}
        self._answerers: dict[str, RequestHandler] = {}
        self._send, self._receive = trio.open_memory_channel[tuple[str, NetworkEvent]](10_000)

    def on_notification(self, protocol: NotificationProtocol, handler: EventHandler) -> None:
        self._hearers[protocol.name] = handler

    def on_request(self, protocol: RequestProtocol, handler: RequestHandler) -> None:
        self._answerers[protocol.name] = handler

    def notify(self, peers: Sequence[PeerId], protocol: str, payload: bytes) -> None:
        for peer in peers:
            if peer in self._peers:
                event = Notification(self.local_peer, protocol, payload)
                self._peers[peer]._send.send_nowait((protocol, event))

    async def request(self, peer: PeerId, protocol: RequestProtocol, payload: bytes) -> bytes:
        if peer not in self._peers:
            raise RequestFailed(peer, protocol.name, "disconnected")
        answer = await self._peers[peer]._answerers[protocol.name](self.local_peer, payload)
        if answer is None:
            raise RequestFailed(peer, protocol.name, "refused")
        return answer

    def report(self, peer: PeerId, change: int, reason: str) -> None:
        self.reports.append((peer, change, reason))

    def disconnect(self, peer: PeerId) -> None:
        other = self._peers.pop(peer, None)
        if other is not None:
            other._peers.pop(self.local_peer)
            self._tell(PeerDisconnected(peer))
            other._tell(PeerDisconnected(self.local_peer))

    def connected(self) -> Sequence[PeerId]:
        return tuple(self._peers)

    def sign(self, message: bytes) -> bytes:
        return self.identity.sign(message)

    def prioritise(self, peers: Sequence[PeerId]) -> None:
        self.prioritised.append(tuple(peers))

    def learn_addresses(self, addresses: Sequence[str]) -> None:
        self.learned += addresses

    # What the test does

    def connect(self, other: TinyNode) -> None:
        for one, two in ((self, other), (other, self)):
            one._peers[two.local_peer] = two
            one._tell(PeerConnected(two.local_peer, two.role))

    def _tell(self, event: NetworkEvent) -> None:
        for name in self._hearers:
            self._send.send_nowait((name, event))

    async def run(self) -> None:
        async for protocol, event in self._receive:
            await take(self._hearers[protocol], event)


@asynccontextmanager
async def serving(*nodes: TinyNode) -> AsyncIterator[None]:
    """The nodes' events are delivered; their overseers must be running."""
    async with trio.open_nursery() as nursery:
        for node in nodes:
            nursery.start_soon(node.run)
        yield
        nursery.cancel_scope.cancel()
