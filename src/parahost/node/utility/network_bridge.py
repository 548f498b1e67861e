"""The Network Bridge: one place that knows peers, views and reputations (A105-A108).

Two circles of peers (D18): validators and full nodes among themselves, and collators with
everybody else. A pair of nodes meets in exactly one of them.
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import field
from typing import Annotated, ClassVar

from parahost.node.messages.availability import (
    AvailabilityNetwork,
    BitfieldNetwork,
    ChunkRequested,
    DataRequested,
)
from parahost.node.messages.backing import PoVRequested, StatementNetwork
from parahost.node.messages.base import Message, Reply, Unanswered
from parahost.node.messages.collation import CollationNetwork, CollationRequested
from parahost.node.messages.network import (
    MAX_VIEW_HEADS,
    NetworkBridgeEvent,
    NewValidatorPeers,
    OurViewChange,
    PeerConnected,
    PeerDisconnected,
    PeerMessage,
    PeerSet,
    PeerSetNetwork,
    PeerViewChange,
    ProtocolId,
    RegisterEventProducer,
    RegisterRequestProducer,
    ReportPeer,
    ReputationChange,
    SendMessage,
    SendRequest,
    View,
)
from parahost.node.messages.signals import BlockFinalized, OverseerSignal
from parahost.node.messages.validity import ApprovalNetwork, DisputeRequested
from parahost.node.overseer import Subsystem
from parahost.node.protocols import GOSSIP_LIMITS, NOTIFICATIONS, REQUESTS
from parahost.ports import network as port
from parahost.ports.network import Network, ObservedRole, RequestFailed, RequestProtocol
from parahost.primitives.basic import FIRST_BLOCK, BlockNumber, PeerId
from parahost.primitives.scale import (
    FixedLen,
    MaxLen,
    ScaleDecodeError,
    decode_once,
    encode,
    variant,
)
from parahost.primitives.values import dataclass

COST_MALFORMED = ReputationChange(-100, "bytes that are no bridge message")
COST_TOO_LARGE = ReputationChange(-100, "a message larger than its protocol allows")
COST_REVERTED = ReputationChange(-100, "a view in which less is final than was before")
COST_UNKNOWN_PROTOCOL = ReputationChange(-10, "a protocol that nobody here registered")


@variant(0)
@dataclass(frozen=True, slots=True)
class ProtocolMessage:
    """A subsystem's message on the wire."""

    protocol: Annotated[ProtocolId, FixedLen(4)]
    payload: Annotated[bytes, MaxLen(max(GOSSIP_LIMITS.values()))]


@variant(1)
@dataclass(frozen=True, slots=True)
class ViewUpdate:
    """The sender's view on the wire."""

    view: View


WireMessage = ProtocolMessage | ViewUpdate


@dataclass(slots=True)
class RefreshView(Message):
    """To the bridge itself: leaves have changed; several changes make one new view."""


@dataclass(slots=True)
class _Circle:
    """One peer set, and the protocol of the network that it speaks."""

    protocol: str
    peers: dict[PeerId, BlockNumber] = field(default_factory=dict)
    """With what each says is final for it."""
    producers: dict[ProtocolId, RegisterEventProducer] = field(default_factory=dict)


class NetworkBridge(Subsystem):
    """Between the network port and the subsystems' protocols."""

    name = "network-bridge"
    receives = (
        RegisterEventProducer,
        RegisterRequestProducer,
        SendMessage,
        SendRequest,
        ReportPeer,
        NewValidatorPeers,
        RefreshView,
    )
    sends: ClassVar[tuple[type[Message], ...]] = (
        StatementNetwork,
        AvailabilityNetwork,
        BitfieldNetwork,
        ApprovalNetwork,
        CollationNetwork,
        PeerSetNetwork,
        PoVRequested,
        ChunkRequested,
        DataRequested,
        CollationRequested,
        DisputeRequested,
        RefreshView,
    )

    def __init__(
        self, network: Network, role: ObservedRole, finalized_number: BlockNumber = FIRST_BLOCK
    ) -> None:
        self._network = network
        self._role = role
        self._finalized_number = finalized_number
        self._circles = {peer_set: _Circle(NOTIFICATIONS[peer_set].name) for peer_set in PeerSet}
        self._answerers: dict[str, RegisterRequestProducer] = {}
        self._view = View()
        self._refreshing = False
        for peer_set, protocol in NOTIFICATIONS.items():
            network.on_notification(protocol, self._hearer(peer_set))
        for request in REQUESTS:
            network.on_request(request, self._answerer(request))

    # From the port, which waits while the node is busy

    def _hearer(self, peer_set: PeerSet) -> port.EventHandler:
        circle = self._circles[peer_set]

        def hear(event: port.NetworkEvent) -> Awaitable[None] | None:
            if self.ctx.has_room:
                self._on_input(circle, peer_set, event)
                return None
            return hear_later(event)

        async def hear_later(event: port.NetworkEvent) -> None:
            await self.ctx.room()
            self._on_input(circle, peer_set, event)

        return hear

    def _answerer(self, protocol: RequestProtocol) -> port.RequestHandler:
        async def answer(peer: PeerId, payload: bytes) -> bytes | None:
            answerer = self._answerers.get(protocol.name)
            if answerer is None:
                return None
            reply: Reply[bytes | None] = Reply()
            await self.ctx.room()
            self.ctx.send(answerer.producer(peer, payload, reply))
            try:
                return await reply.wait()
            except Unanswered:
                return None

        return answer

    # Signals

    def on_signal(self, signal: OverseerSignal) -> None:
        if isinstance(signal, BlockFinalized):
            self._finalized_number = signal.number  # peers hear of it with our next leaves
        elif not self._refreshing:
            self._refreshing = True
            self.ctx.send(RefreshView())

    # Handlers

    def on_message(self, message: Message) -> None:
        match message:
            case SendMessage(peers, protocol, payload):
                self._send(peers, ProtocolMessage(protocol, payload), protocol)
            case ReportPeer(peer, change):
                self._network.report(peer, change.value, change.reason)
            case RefreshView():
                self._refresh_view()
            case SendRequest():
                self._request(message)
            case RegisterEventProducer(protocol, peer_set):
                self._circles[peer_set].producers.setdefault(protocol, message)
            case RegisterRequestProducer(request_protocol):
                self._answerers.setdefault(request_protocol.name, message)
            case NewValidatorPeers(event):
                self._produce(self._circles[PeerSet.VALIDATION], event)

    def _on_input(self, circle: _Circle, peer_set: PeerSet, event: port.NetworkEvent) -> None:
        match event:
            case port.Notification(peer, _, payload):
                if peer in circle.peers:
                    self._on_wire(circle, peer, payload)
            case port.PeerConnected(peer, role):
                if self._meets_in(role) is peer_set:
                    circle.peers[peer] = FIRST_BLOCK
                    self._produce(circle, PeerConnected(peer, role))
                    self._tell_view(circle, (peer,))
            case port.PeerDisconnected(peer):
                if circle.peers.pop(peer, None) is not None:
                    self._produce(circle, PeerDisconnected(peer))

    def _on_wire(self, circle: _Circle, peer: PeerId, payload: bytes) -> None:
        try:
            wire = decode_once(WireMessage, payload)
        except ScaleDecodeError:
            self._network.report(peer, COST_MALFORMED.value, COST_MALFORMED.reason)
            return
        if isinstance(wire, ViewUpdate):
            if wire.view.finalized_number < circle.peers[peer]:
                self._network.report(peer, COST_REVERTED.value, COST_REVERTED.reason)
                return
            circle.peers[peer] = wire.view.finalized_number
            self._produce(circle, PeerViewChange(peer, wire.view))
            return
        registration = circle.producers.get(wire.protocol)
        if registration is None:
            cost = COST_UNKNOWN_PROTOCOL
            self._network.report(peer, cost.value, cost.reason)
            return
        if len(wire.payload) > GOSSIP_LIMITS[wire.protocol]:
            self._network.report(peer, COST_TOO_LARGE.value, COST_TOO_LARGE.reason)
            return
        self.ctx.send(registration.producer(PeerMessage(peer, wire.payload)))

    def _request(self, message: SendRequest) -> None:
        async def ask() -> None:
            answer: bytes | RequestFailed
            try:
                answer = await self._network.request(
                    message.peer, message.protocol, message.payload
                )
            except RequestFailed as failure:
                answer = failure
            message.reply.answer(answer)

        self.ctx.spawn(None, ask, f"request {message.protocol.name}")

    # Routines

    def _meets_in(self, role: ObservedRole) -> PeerSet | None:
        """The circle in which we meet a peer of that role; two collators do not meet."""
        collators = (role is ObservedRole.COLLATOR) + (self._role is ObservedRole.COLLATOR)
        return (PeerSet.VALIDATION, PeerSet.COLLATION, None)[collators]

    def _refresh_view(self) -> None:
        self._refreshing = False
        leaves = tuple(self.ctx.leaves)[-MAX_VIEW_HEADS:]
        if leaves == self._view.heads:
            return
        self._view = view = View(leaves, self._finalized_number)
        for circle in self._circles.values():
            self._produce(circle, OurViewChange(view))
            self._tell_view(circle, tuple(circle.peers))

    def _tell_view(self, circle: _Circle, peers: tuple[PeerId, ...]) -> None:
        self._network.notify(peers, circle.protocol, encode(ViewUpdate(self._view), WireMessage))

    def _produce(self, circle: _Circle, event: NetworkBridgeEvent) -> None:
        of_views = isinstance(event, PeerViewChange | OurViewChange)
        for registration in circle.producers.values():
            if registration.views or not of_views:
                self.ctx.send(registration.producer(event))

    def _send(
        self, peers: tuple[PeerId, ...], message: ProtocolMessage, protocol: ProtocolId
    ) -> None:
        """What peers would refuse is not sent: it names itself in the journal."""
        size = len(message.payload)
        if size > GOSSIP_LIMITS[protocol]:
            self.ctx.journal.record("network.too_large", protocol=protocol.decode(), bytes=size)
            return
        for circle in self._circles.values():
            if protocol in circle.producers:
                reachable = [peer for peer in peers if peer in circle.peers]
                self._network.notify(reachable, circle.protocol, encode(message, WireMessage))
