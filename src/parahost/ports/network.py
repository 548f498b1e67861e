"""Peers, as the node sees them.

Two ways to talk. A *notification* is one-way, kept in order per peer and protocol. A *request*
gets one answer. Protocols are named by short strings (``"validation"``); the adapter makes full
names of them, with the genesis hash, so that chains do not mix.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from enum import Enum
from typing import Protocol

from parahost.primitives.basic import PeerId
from parahost.primitives.values import dataclass

REPUTATION_FLOOR = -1000
"""The scale of reputation: a peer starts at 0, is banned below this, and drifts back to 0. So a
protocol violation costs hundreds, an unhelpful peer tens, a harmless duplicate one."""


class ObservedRole(Enum):
    """What a peer says it is (A107)."""

    FULL = 0
    AUTHORITY = 1
    COLLATOR = 2


@dataclass(frozen=True, slots=True)
class PeerConnected:
    """The peer speaks our chain's protocols; notifications may now be sent to it."""

    peer: PeerId
    role: ObservedRole


@dataclass(frozen=True, slots=True)
class PeerDisconnected:
    peer: PeerId


@dataclass(frozen=True, slots=True)
class Notification:
    peer: PeerId
    protocol: str
    payload: bytes


NetworkEvent = PeerConnected | PeerDisconnected | Notification


class RequestFailed(Exception):
    """A request got no answer: why is one of ``refused``, ``timeout``, ``disconnected``,
    ``too_large``, ``unsupported``."""

    def __init__(self, peer: PeerId, protocol: str, why: str) -> None:
        super().__init__(f"request {protocol} to {peer}: {why}")
        self.peer = peer
        self.protocol = protocol
        self.why = why


@dataclass(frozen=True, slots=True)
class NotificationProtocol:
    """A one-way protocol, with the largest payload that is accepted, in bytes."""

    name: str
    max_size: int


@dataclass(frozen=True, slots=True)
class RequestProtocol:
    """A request/response protocol, with limits in bytes and seconds."""

    name: str
    max_request: int
    max_response: int
    timeout_s: float


EventHandler = Callable[[NetworkEvent], Awaitable[None] | None]
"""Takes one event: at once, or else gives what the adapter awaits before it reads on from that
peer. So pressure inside the node reaches the sender, and without pressure nobody waits.

An exception that leaves a handler, of events or of requests, closes the connection that it is
about; it is logged with its traceback and counted, and the node goes on. It is a fault of this
node, but one that a peer brings about at will: were it the end, any stranger could end the chain.
What fails in the overseer, beyond the handler, still ends the node (A69). A ``DatabaseError`` is no
peer's doing, and passes."""
RequestHandler = Callable[[PeerId, bytes], Awaitable[bytes | None]]
"""Answers one request; ``None`` refuses it."""


class Network(Protocol):
    """The node's only way to other nodes. Everything is declared before ``run``."""

    @property
    def local_peer(self) -> PeerId: ...

    def on_notification(self, protocol: NotificationProtocol, handler: EventHandler) -> None:
        """Declare a protocol and who hears it. The handler gets ``PeerConnected`` before and
        ``PeerDisconnected`` after all notifications of a peer; handlers of several protocols
        each get both."""
        ...

    def on_request(self, protocol: RequestProtocol, handler: RequestHandler) -> None:
        """Declare a request protocol that this node answers."""
        ...

    def notify(self, peers: Sequence[PeerId], protocol: str, payload: bytes) -> None:
        """Queue a notification to each peer; never waits. A peer that is not connected is
        passed over; a peer whose outgoing queue is full is disconnected. A payload over the
        protocol's ``max_size`` is sent to nobody: that is logged and counted."""
        ...

    async def request(self, peer: PeerId, protocol: RequestProtocol, payload: bytes) -> bytes:
        """Ask one peer and wait for its answer.

        :raises RequestFailed: see there.
        """
        ...

    def report(self, peer: PeerId, change: int, reason: str) -> None:
        """Change a peer's reputation (A108, D18): below the floor it is disconnected and banned
        for a time."""
        ...

    def disconnect(self, peer: PeerId) -> None:
        """End the connection. No part of a node does: peers go by :meth:`report`. It is for who
        stands outside and has a node leave a peer, as adversaries and tests do."""
        ...

    def connected(self) -> Sequence[PeerId]:
        """The peers that are connected now, in a stable order."""
        ...


class PeerSteering(Protocol):
    """How the node says whom it wants to be connected to (D18), and learns where it can be
    reached. The network adapter has it beside :class:`Network`."""

    @property
    def listen_addresses(self) -> Sequence[str]:
        """Multiaddresses at which this node listens, with its peer id; empty before it runs."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Sign with the key that this node's peer id holds: ed25519, 64 bytes. So others know that
        what names this peer is its own word."""
        ...

    def prioritise(self, peers: Sequence[PeerId]) -> None:
        """From now on, dial these peers first, in this order, and never give up their places to
        others. Replaces what was said before."""
        ...

    def learn_addresses(self, addresses: Sequence[str]) -> None:
        """Multiaddresses with ``/p2p/<peer id>`` of nodes that may be worth dialling; what is
        malformed or unreachable is passed over."""
        ...

    @property
    def reserved(self) -> Sequence[PeerId]:
        """The peers that the operator wants this node to be connected to, whatever comes."""
        ...

    def reserve(self, address: str) -> None:
        """Dial a multiaddress with ``/p2p/<peer id>`` from now on until it is released, and keep a
        place for who is there.

        :raises AddressError: when it is none that can be dialled.
        """
        ...

    def release(self, peer: PeerId) -> None:
        """Take back that the peer is reserved; it goes on as any other."""
        ...
