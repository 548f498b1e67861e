"""What is said on the network is counted by protocol, and goes through as it is."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from parahost.metrics.meter import NodeMeter
from parahost.node.counted_network import CountedNetwork
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
from parahost.primitives.basic import PeerId
from parahost.simulation.clock import NodeClock

ALICE, BOB = PeerId("alice"), PeerId("bob")
TALK = NotificationProtocol("talk", 100)
ASK = RequestProtocol("ask", 100, 100, 1.0)


class Wire:
    """A network on which everything is said at once."""

    local_peer = PeerId("me")

    def __init__(self) -> None:
        self.hears: EventHandler | None = None
        self.answers: RequestHandler | None = None
        self.said: list[tuple[object, ...]] = []

    def on_notification(self, protocol: NotificationProtocol, handler: EventHandler) -> None:
        self.hears = handler

    def on_request(self, protocol: RequestProtocol, handler: RequestHandler) -> None:
        self.answers = handler

    def notify(self, peers: Sequence[PeerId], protocol: str, payload: bytes) -> None:
        self.said.append((tuple(peers), protocol, payload))

    async def request(self, peer: PeerId, protocol: RequestProtocol, payload: bytes) -> bytes:
        if peer == BOB:
            raise RequestFailed(peer, protocol.name, "timeout")
        return payload

    def report(self, peer: PeerId, change: int, reason: str) -> None:
        self.said.append((peer, change, reason))

    def disconnect(self, peer: PeerId) -> None:
        self.said.append((peer,))

    def connected(self) -> Sequence[PeerId]:
        return (ALICE,)


class Counted:
    """A counted network on such a wire."""

    def __init__(self) -> None:
        self.wire, self.meter = Wire(), NodeMeter()
        clock = NodeClock()
        clock.wind()
        self.network = CountedNetwork(self.wire, self.meter, clock)
        self.heard: list[NetworkEvent] = []
        self.network.on_notification(TALK, self.heard.append)

    def value(self, name: str, **labels: str) -> float | None:
        return self.meter.samples().value(f"substrate_sub_libp2p_{name}", **labels)

    def hear(self, event: NetworkEvent) -> None:
        assert self.wire.hears is not None
        self.wire.hears(event)


async def test_notifications_are_counted_for_each_peer_that_gets_them() -> None:
    it = Counted()
    it.hear(PeerConnected(ALICE, ObservedRole.FULL))
    it.hear(PeerConnected(BOB, ObservedRole.FULL))
    it.hear(Notification(ALICE, "talk", b"12345"))
    it.network.notify([ALICE, BOB, PeerId("nobody")], "talk", b"123")
    it.hear(PeerDisconnected(BOB))
    it.network.notify([ALICE, BOB], "talk", b"1")
    sizes = {"protocol": "talk", "direction": "out"}
    assert it.value("notifications_sizes_count", **sizes) == 3
    assert it.value("notifications_sizes_sum", **sizes) == 2 * 3 + 1
    sizes["direction"] = "in"
    assert it.value("notifications_sizes_count", **sizes) == 1
    assert it.value("notifications_sizes_sum", **sizes) == 5
    assert len(it.heard) == 4 and len(it.wire.said) == 2


async def test_requests_are_counted_by_how_they_end() -> None:
    it = Counted()

    async def answer(peer: PeerId, payload: bytes) -> bytes | None:
        return payload if peer == ALICE else None

    it.network.on_request(ASK, answer)
    assert it.wire.answers is not None
    assert await it.wire.answers(ALICE, b"x") == b"x"
    assert await it.wire.answers(BOB, b"x") is None
    assert await it.network.request(ALICE, ASK, b"y") == b"y"
    with pytest.raises(RequestFailed):
        await it.network.request(BOB, ASK, b"y")
    assert it.value("requests_in_success_total_count", protocol="ask") == 1
    assert it.value("requests_in_failure_total", protocol="ask", reason="refused") == 1
    assert it.value("requests_out_success_total_count", protocol="ask") == 1
    assert it.value("requests_out_failure_total", protocol="ask", reason="timeout") == 1
