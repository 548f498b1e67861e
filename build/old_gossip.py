"""What the gossip protocols share: who is connected, what they work on, and whom to tell."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import Enum

import trio

from parahost.consensus.fanout import a_few, is_full_mesh, relay_fanout
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
from parahost.primitives.basic import Hash, PeerId
from parahost.primitives.values import dataclass

REMEMBERED_HEADS = 16
"""Heads that left our view and may still be spoken of."""

CATCH_UP_COPIES = 12
"""How many of those who have a message give it to a peer that comes late, on average, so that it
goes without but for one case in 100,000."""

COST_MALFORMED = ReputationChange(-100, "a gossip message that does not decode")
COST_BAD_SIGNATURE = ReputationChange(-100, "a wrong signature")
COST_NOT_IN_VIEW = ReputationChange(-5, "about a relay parent that is not in our view")
COST_DUPLICATE = ReputationChange(-1, "the same message again from the same peer")
COST_NO_VALIDATOR = ReputationChange(-50, "from a validator index that does not exist")
BENEFIT_NEW = ReputationChange(1, "something new and right")
BENEFITS_AT_ONCE = 16
"""What peers gain is little and often: so many gains of one peer are reported as one."""


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


class CatchingUp:
    """Peers that have begun to work on heads of ours and are to be told what they lack. They are
    served one after another, as the bus has room: when a head is new to all, all come at once.

    What is news after a peer has come reaches it as all news does, so it is told of no more than
    there was when it came.
    """

    def __init__(self, serve: Callable[[PeerId, Hash, int], None]) -> None:
        """``serve`` is given peer, head, and how many of the head's messages to look at."""
        self._serve = serve
        self._behind: dict[tuple[PeerId, Hash], int] = {}
        self._wake = trio.Event()

    def add(self, peer: PeerId, head: Hash, messages: int) -> None:
        """The peer works on the head, of which there are so many messages."""
        if messages:
            self._behind[peer, head] = messages
            self._wake.set()

    async def run(self, ctx: Context) -> None:
        """The job; it lives as long as the node."""
        while True:
            await self._wake.wait()
            self._wake = trio.Event()
            while self._behind:
                await ctx.room()
                (peer, head), messages = next(iter(self._behind.items()))
                del self._behind[peer, head]
                self._serve(peer, head, messages)
                await trio.lowlevel.checkpoint()  # others' turn


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
        self._past: deque[Hash] = deque(maxlen=REMEMBERED_HEADS)
        self.ours = View()

    def note(self, event: NetworkBridgeEvent) -> tuple[Hash, ...]:
        """Take account of a bridge event; messages are for the caller. Gives the heads on which a
        peer has begun to work by it."""
        entered: tuple[Hash, ...] = ()
        match event:
            case PeerConnected(peer):
                self._views.setdefault(peer, View())
                self._order = self._validators_connected = None
            case PeerDisconnected(peer):
                self._views.pop(peer, None)
                self._order = self._validators_connected = None
                self._gains.pop(peer, None)
            case PeerViewChange(peer, view):
                before = self.view(peer)
                entered = tuple(dict.fromkeys(head for head in view.heads if head not in before))
                self._views[peer] = view
            case OurViewChange(view):
                self._past += [head for head in self.ours.heads if head not in view]
                self.ours = view
            case ValidatorPeers(peers):
                self._validators = frozenset(peers)
                self._validators_connected = None
            case PeerMessage():
                pass
        return entered

    def __contains__(self, peer: PeerId) -> bool:
        return peer in self._views

    def view(self, peer: PeerId) -> View:
        return self._views.get(peer, View())

    def lately_ours(self, head: Hash) -> bool:
        """Whether the head is in our view or was a moment ago. What is said of it then crossed
        our view's change on its way, and is nobody's fault."""
        return head in self.ours or head in self._past

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
        """Whether to give a peer that begins to work on a head a message of somebody else's, so
        that it gets so many ``copies`` on average; one where all validators are connected, for
        then the author gives it too."""
        if is_full_mesh(self._count_validators(), validators):
            copies = 1
        return random.below(max(len(self._views), 1)) < copies
