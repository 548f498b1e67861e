"""The network as a node sees it, with what is said on it counted by protocol."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Final

from parahost.metrics.meter import NodeMeter, ObservedSeries
from parahost.metrics.metric import Counter, Histogram, Metric
from parahost.ports import (
    Clock,
    Network,
    NetworkEvent,
    Notification,
    NotificationProtocol,
    PeerConnected,
    RequestFailed,
    RequestProtocol,
)
from parahost.ports.network import EventHandler, RequestHandler
from parahost.primitives.basic import PeerId

_DURATIONS = tuple(0.001 * 2**step for step in range(16))

NOTIFICATION_SIZES = Histogram(
    "substrate_sub_libp2p_notifications_sizes",
    "Bytes of the notifications to and from peers.",
    ("direction", "protocol"),
    bounds=tuple(64.0 * 4**step for step in range(8)),
)
ANSWERED = Histogram(
    "substrate_sub_libp2p_requests_in_success_total",
    "Seconds from a peer's request to this node's answer.",
    ("protocol",),
    bounds=_DURATIONS,
)
UNANSWERED = Counter(
    "substrate_sub_libp2p_requests_in_failure_total",
    "Requests of peers that this node has not answered.",
    ("protocol", "reason"),
)
REQUESTED = Histogram(
    "substrate_sub_libp2p_requests_out_success_total",
    "Seconds from this node's request to a peer's answer.",
    ("protocol",),
    bounds=_DURATIONS,
)
REQUESTED_IN_VAIN = Counter(
    "substrate_sub_libp2p_requests_out_failure_total",
    "Requests of this node without an answer.",
    ("protocol", "reason"),
)
REPORTS = Counter(
    "polkadot_parachain_network_report_events_total", "Changes of peers' reputation by this node."
)

TALK_METRICS: Final[tuple[Metric, ...]] = (
    NOTIFICATION_SIZES,
    ANSWERED,
    UNANSWERED,
    REQUESTED,
    REQUESTED_IN_VAIN,
    REPORTS,
)


class CountedNetwork:
    """``ports.Network`` around another one."""

    def __init__(self, network: Network, meter: NodeMeter, clock: Clock) -> None:
        self._network = network
        self._meter = meter
        self._clock = clock
        self._connected: dict[PeerId, None] = {}
        self._told: dict[str, ObservedSeries] = {}
        """By protocol, the notifications to peers."""
        meter.declare(*TALK_METRICS)

    @property
    def local_peer(self) -> PeerId:
        return self._network.local_peer

    def on_notification(self, protocol: NotificationProtocol, handler: EventHandler) -> None:
        heard = self._meter.observed(NOTIFICATION_SIZES, "in", protocol.name)
        self._told[protocol.name] = self._meter.observed(NOTIFICATION_SIZES, "out", protocol.name)

        def hear(event: NetworkEvent) -> Awaitable[None] | None:
            if isinstance(event, Notification):
                heard.note(len(event.payload))
            elif isinstance(event, PeerConnected):
                self._connected[event.peer] = None
            else:
                self._connected.pop(event.peer, None)
            return handler(event)

        self._network.on_notification(protocol, hear)

    def on_request(self, protocol: RequestProtocol, handler: RequestHandler) -> None:
        async def answer(peer: PeerId, payload: bytes) -> bytes | None:
            begun = self._clock.now()
            answered = await handler(peer, payload)
            if answered is None:
                self._meter.count(UNANSWERED, protocol.name, "refused")
            else:
                self._meter.observe(ANSWERED, self._since(begun), protocol.name)
            return answered

        self._network.on_request(protocol, answer)

    def notify(self, peers: Sequence[PeerId], protocol: str, payload: bytes) -> None:
        reached = sum(map(self._connected.__contains__, peers))
        self._told[protocol].note(len(payload), reached)
        self._network.notify(peers, protocol, payload)

    async def request(self, peer: PeerId, protocol: RequestProtocol, payload: bytes) -> bytes:
        begun = self._clock.now()
        try:
            answer = await self._network.request(peer, protocol, payload)
        except RequestFailed as failed:
            self._meter.count(REQUESTED_IN_VAIN, protocol.name, failed.why)
            raise
        self._meter.observe(REQUESTED, self._since(begun), protocol.name)
        return answer

    def report(self, peer: PeerId, change: int, reason: str) -> None:
        self._meter.count(REPORTS)
        self._network.report(peer, change, reason)

    def disconnect(self, peer: PeerId) -> None:
        self._network.disconnect(peer)

    def connected(self) -> Sequence[PeerId]:
        return self._network.connected()

    def _since(self, begun: float) -> float:
        return max(self._clock.now() - begun, 0.0)  # the clock may be set back
