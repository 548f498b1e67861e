"""What the gossip protocols share: who is connected, what they work on, and whom to tell."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from enum import Enum

from parahost.consensus.fanout import FULL_MESH_FANOUT, relay_fanout
from parahost.node.messages.network import (
    NetworkBridgeEvent,
    OurViewChange,
    PeerConnected,
    PeerDisconnected,
    PeerMessage,
    PeerViewChange,
    ReputationChange,
    View,
)
from parahost.ports import ObservedRole, Random
from parahost.primitives.basic import Hash, PeerId
from parahost.primitives.values import dataclass

REMEMBERED_HEADS = 16
"""Heads that left our view and may still be spoken of."""

CATCH_UP_COPIES = 12
"""How many of those who have a message give it to a peer that comes late, on average."""

COST_MALFORMED = ReputationChange(-100, "a gossip message that does not decode")
COST_BAD_SIGNATURE = ReputationChange(-100, "a wrong signature")
COST_NOT_IN_VIEW = ReputationChange(-5, "about a relay parent that is not in our view")
COST_DUPLICATE = ReputationChange(-1, "the same message again from the same peer")
COST_NO_VALIDATOR = ReputationChange(-50, "from a validator index that does not exist")
BENEFIT_NEW = ReputationChange(1, "something new and right")


class Acceptance(Enum):
    """The verdict on a gossip message: style, habit 8."""

    ACCEPT = "accept"
    IGNORE = "ignore"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do with a message, and what its sender gains or loses by it."""

    acceptance: Acceptance
    change: ReputationChange | None = None


class GossipPeers:
    """The connected peers of one protocol with their views, and our own view."""

    def __init__(self) -> None:
        self._views: dict[PeerId, View] = {}
        self._authorities: dict[PeerId, None] = {}
        self._past: deque[Hash] = deque(maxlen=REMEMBERED_HEADS)
        self.ours = View()

    def note(self, event: NetworkBridgeEvent) -> None:
        """Take account of a bridge event; messages are for the caller."""
        match event:
            case PeerConnected(peer, role):
                self._views.setdefault(peer, View())
                if role is ObservedRole.AUTHORITY:
                    self._authorities[peer] = None
            case PeerDisconnected(peer):
                self._views.pop(peer, None)
                self._authorities.pop(peer, None)
            case PeerViewChange(peer, view):
                self._views[peer] = view
            case OurViewChange(view):
                self._past += [head for head in self.ours.heads if head not in view]
                self.ours = view
            case PeerMessage():
                pass

    def __contains__(self, peer: PeerId) -> bool:
        return peer in self._views

    def view(self, peer: PeerId) -> View:
        return self._views.get(peer, View())

    def lately_ours(self, head: Hash) -> bool:
        """Whether the head is in our view or was a moment ago. What is said of it then crossed
        our view's change on its way, and is nobody's fault."""
        return head in self.ours or head in self._past

    def all(self) -> tuple[PeerId, ...]:
        return tuple(self._views)

    def relay_fanout(self, validators: int) -> int:
        """To how many peers to pass on a message, in a session of so many validators."""
        return relay_fanout(len(self._authorities), validators)

    def repeats(self, random: Random, head: Hash, validators: int) -> bool:
        """Whether to give a peer that begins to work on a head a message of somebody else's.
        Where all validators are connected, its author gives it, and of the others one on average;
        else so many of them that it gets it but for one case in 100,000."""
        full = self.relay_fanout(validators) == FULL_MESH_FANOUT
        copies = FULL_MESH_FANOUT if full else CATCH_UP_COPIES
        return random.below(max(len(self.working_on(head)), 1)) < copies

    def working_on(self, head: Hash) -> list[PeerId]:
        """Peers with that head in their view, in the order in which they connected."""
        return [peer for peer, view in self._views.items() if head in view.heads]


def sample(random: Random, items: Iterable[PeerId], count: int) -> Sequence[PeerId]:
    """At most ``count`` of the items, each choice equally likely."""
    pool = list(items)
    for index in range(min(count, len(pool))):
        other = index + random.below(len(pool) - index)
        pool[index], pool[other] = pool[other], pool[index]
    return pool[:count]
