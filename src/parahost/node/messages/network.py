"""To and from the Network Bridge and the Peer Set Manager (A105-A108, A98)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Annotated, NewType

from parahost.node.messages.base import Message, Reply, Request
from parahost.ports.network import ObservedRole, RequestFailed, RequestProtocol
from parahost.primitives.basic import FIRST_BLOCK, BlockNumber, Hash, PeerId, ValidatorId
from parahost.primitives.scale import MaxLen
from parahost.primitives.values import dataclass

MAX_VIEW_HEADS = 5

ProtocolId = NewType("ProtocolId", bytes)
"""Four bytes that name a gossip protocol behind the bridge (A106)."""


class PeerSet(Enum):
    """The two circles of peers (D18)."""

    VALIDATION = "validation"
    COLLATION = "collation"


@dataclass(frozen=True, slots=True)
class View:
    """The relay chain heads that a node is working on, newest last, and what is final for it."""

    heads: Annotated[tuple[Hash, ...], MaxLen(MAX_VIEW_HEADS)] = ()
    finalized_number: BlockNumber = FIRST_BLOCK

    def __contains__(self, head: Hash) -> bool:
        return head in self.heads


@dataclass(frozen=True, slots=True)
class PeerConnected:
    peer: PeerId
    role: ObservedRole


@dataclass(frozen=True, slots=True)
class PeerDisconnected:
    peer: PeerId


@dataclass(frozen=True, slots=True)
class PeerMessage:
    peer: PeerId
    payload: bytes


@dataclass(frozen=True, slots=True)
class PeerViewChange:
    """Comes only after the peer's ``PeerConnected``."""

    peer: PeerId
    view: View


@dataclass(frozen=True, slots=True)
class OurViewChange:
    view: View


@dataclass(frozen=True, slots=True)
class ValidatorPeers:
    """Who of all peers, connected or not, validates in this session by a verified record. Comes
    again when they are others: of the validation peer set only."""

    peers: tuple[PeerId, ...]


NetworkBridgeEvent = (
    PeerConnected | PeerDisconnected | PeerMessage | PeerViewChange | OurViewChange | ValidatorPeers
)


@dataclass(frozen=True, slots=True)
class ReputationChange:
    """By how much a peer gains or loses, and what for."""

    value: int
    reason: str


@dataclass(slots=True)
class RegisterEventProducer(Message):
    """Hear of a protocol: the bridge makes a message of each event with ``producer`` and sends
    it; of views only if ``views``. The first registration of a protocol wins (A106)."""

    protocol: ProtocolId
    peer_set: PeerSet
    producer: Callable[[NetworkBridgeEvent], Message]
    views: bool = True


@dataclass(slots=True)
class RegisterRequestProducer(Message):
    """Answer requests of a protocol: the bridge makes a message of each with ``producer``, which
    is given peer, payload and the channel for the answer (``None`` refuses)."""

    protocol: RequestProtocol
    producer: Callable[[PeerId, bytes, Reply[bytes | None]], Message]


@dataclass(slots=True)
class NewValidatorPeers(Message):
    """From the Peer Set Manager, for all who gossip: the bridge hands the event on."""

    event: ValidatorPeers


@dataclass(slots=True)
class SendMessage(Message):
    peers: tuple[PeerId, ...]
    protocol: ProtocolId
    payload: bytes


@dataclass(slots=True)
class ReportPeer(Message):
    peer: PeerId
    change: ReputationChange


@dataclass(eq=False, slots=True)
class SendRequest(Request[bytes | RequestFailed]):
    """Ask one peer; the answer is its bytes, or why there are none."""

    peer: PeerId
    protocol: RequestProtocol
    payload: bytes


@dataclass(eq=False, slots=True)
class ResolveValidators(Request[Mapping[ValidatorId, PeerId]]):
    """To the Peer Set Manager: which peers are these validators, as far as is known."""

    validators: tuple[ValidatorId, ...]


@dataclass(slots=True)
class PeerSetNetwork(Message):
    """To the Peer Set Manager: an event of its own protocol (validators making themselves
    known)."""

    event: NetworkBridgeEvent
