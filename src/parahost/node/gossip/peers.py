"""Who is connected, what they work on, and whom of them to tell."""

from __future__ import annotations

from collections.abc import Callable

from parahost.consensus.fanout import a_few, is_full_mesh, relay_fanout
from parahost.node.gossip.verdict import BENEFIT_NEW
from parahost.node.messages.network import (
    NetworkBridgeEvent,
    OurViewChange,
    PeerConnected,
    PeerDisconnected,
    PeerMessage,
    PeerViewChange,
    ReportPeer,
    ReputationChange,
    ValidatorPeers,
    View,
)
from parahost.node.overseer import Context
from parahost.ports import Random
from parahost.primitives.basic import PeerId

CATCH_UP_COPIES = 12
"""How many of those who have a message give it to a peer that comes late, on average, so that it
goes without but for one case in 100,000."""
BENEFITS_AT_ONCE = 16
"""What peers gain is little and often: so many gains of one peer are reported as one."""


class GossipPeers:
    """The connected peers of one protocol with their views, and our own view."""

    def __init__(self) -> None:
        self._views: dict[PeerId, View] = {}
        self._order: tuple[PeerId, ...] | None = None
        """All peers; ``None`` after one came or left."""
        self._validators = frozenset[PeerId]()
        """Those of whom records prove it, connected or not. What a peer says that it is counts for
        nothing: whoever likes could thin out what all pass on."""
        self._validators_connected: int | None = 0
        """How many of them are; ``None`` after they changed, or one came or left."""
        self._gains: dict[PeerId, int] = {}
        self.ours = View()

    def note(self, event: NetworkBridgeEvent) -> None:
        """Take account of a bridge event; messages are for the caller."""
        match event:
            case PeerConnected(peer):
                self._views.setdefault(peer, View())
                self._order = self._validators_connected = None
            case PeerDisconnected(peer):
                self._views.pop(peer, None)
                self._order = self._validators_connected = None
                self._gains.pop(peer, None)
            case PeerViewChange(peer, view):
                self._views[peer] = view
            case OurViewChange(view):
                self.ours = view
            case ValidatorPeers(peers):
                self._validators = frozenset(peers)
                self._validators_connected = None
            case PeerMessage():
                pass

    def __contains__(self, peer: PeerId) -> bool:
        return peer in self._views

    def view(self, peer: PeerId) -> View:
        return self._views.get(peer, View())

    def all(self) -> tuple[PeerId, ...]:
        if self._order is None:
            self._order = tuple(self._views)
        return self._order

    def _count_validators(self) -> int:
        """How many validators are connected."""
        if self._validators_connected is None:
            self._validators_connected = sum(peer in self._validators for peer in self._views)
        return self._validators_connected

    def report(self, ctx: Context, peer: PeerId, change: ReputationChange | None) -> None:
        """Tell the bridge what a peer has earned: a cost at once, gains when they are many."""
        if change is BENEFIT_NEW:
            gained = self._gains.get(peer, 0) + change.value
            if gained < BENEFITS_AT_ONCE:
                self._gains[peer] = gained
                return
            self._gains.pop(peer, None)
            change = ReputationChange(gained, change.reason)
        if change is not None:
            ctx.send(ReportPeer(peer, change))

    def to_pass_on(
        self, random: Random, validators: int, wanted: Callable[[PeerId], bool]
    ) -> list[PeerId]:
        """To whom of the peers that are ``wanted`` to pass on a message that is news, in a session
        of so many validators."""
        fanout = relay_fanout(random, self._count_validators(), validators)
        return a_few(random, self.all(), fanout, wanted)

    def repeats(self, random: Random, validators: int, copies: int = CATCH_UP_COPIES) -> bool:
        """Whether to give a peer that begins to work on a leaf a message of somebody else's, so
        that it gets so many ``copies`` on average; one where all validators are connected, for
        then the author gives it too."""
        if is_full_mesh(self._count_validators(), validators):
            copies = 1
        return random.below(max(len(self._views), 1)) < copies
