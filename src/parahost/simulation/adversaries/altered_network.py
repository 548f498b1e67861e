"""A network port with somebody at it."""

from __future__ import annotations

from collections.abc import Sequence

from parahost.ports import Network
from parahost.ports.network import (
    EventHandler,
    NotificationProtocol,
    RequestHandler,
    RequestProtocol,
)
from parahost.primitives.basic import PeerId


class AlteredNetwork:
    """``ports.Network`` that passes everything on; override what is to go another way."""

    def __init__(self, network: Network) -> None:
        self._network = network

    @property
    def local_peer(self) -> PeerId:
        return self._network.local_peer

    def on_notification(self, protocol: NotificationProtocol, handler: EventHandler) -> None:
        self._network.on_notification(protocol, handler)

    def on_request(self, protocol: RequestProtocol, handler: RequestHandler) -> None:
        self._network.on_request(protocol, handler)

    def notify(self, peers: Sequence[PeerId], protocol: str, payload: bytes) -> None:
        self._network.notify(peers, protocol, payload)

    async def request(self, peer: PeerId, protocol: RequestProtocol, payload: bytes) -> bytes:
        return await self._network.request(peer, protocol, payload)

    def report(self, peer: PeerId, change: int, reason: str) -> None:
        self._network.report(peer, change, reason)

    def disconnect(self, peer: PeerId) -> None:
        self._network.disconnect(peer)

    def connected(self) -> Sequence[PeerId]:
        return self._network.connected()
