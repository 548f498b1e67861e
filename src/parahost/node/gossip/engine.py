"""The engine: who is told what, when, and at what cost. See the package for how to use it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from functools import partial
from typing import ClassVar, Generic, TypeVar

from parahost.node.gossip.catching_up import CatchingUp
from parahost.node.gossip.early import Early
from parahost.node.gossip.peers import CATCH_UP_COPIES, GossipPeers
from parahost.node.gossip.protocol import GossipItem, Rules, Wire
from parahost.node.gossip.topic import PeerKnowledge, Topic
from parahost.node.gossip.verdict import (
    COST_DUPLICATE,
    COST_FLOOD,
    COST_MALFORMED,
    COST_NOT_IN_VIEW,
    COST_OUT_OF_ORDER,
    Acceptance,
    Verdict,
)
from parahost.node.messages.base import Message
from parahost.node.messages.network import (
    NetworkBridgeEvent,
    PeerDisconnected,
    PeerMessage,
    PeerSet,
    PeerViewChange,
    RegisterEventProducer,
    ReportPeer,
    SendMessage,
    View,
)
from parahost.node.overseer import Context
from parahost.primitives.basic import BlockNumber, Hash, PeerId
from parahost.primitives.scale import ScaleDecodeError

C = TypeVar("C")
F = TypeVar("F")

REMEMBERED_TOPICS = 1024
"""Topics that were closed lately. What is still said of them costs nobody anything."""


class Gossip(Generic[C, F]):
    """One protocol's gossip.

    ``on_news`` is told topic, what the rules found, and who said it; before it is passed on.
    ``copies`` is how many of those who have an item give it to a peer that comes late, on average.
    """

    SENDS: ClassVar[tuple[type[Message], ...]] = (RegisterEventProducer, SendMessage, ReportPeer)
    """What its subsystem has to declare."""

    def __init__(
        self,
        wire: Wire[C],
        on_news: Callable[[Hash, F, PeerId], None],
        *,
        copies: int = CATCH_UP_COPIES,
        on_unplaced: Callable[[Hash, Sequence[GossipItem[C]]], None] = lambda *_: None,
    ) -> None:
        """:param on_unplaced: told what is said of a block that is no topic, yet or any more."""
        self._wire = wire
        self._on_news = on_news
        self._copies = copies
        self._on_unplaced = on_unplaced
        self._peers = GossipPeers()
        self._topics: dict[Hash, Topic[C, F]] = {}
        self._closed: dict[Hash, None] = {}
        self._reach: dict[PeerId, dict[Hash, None]] = {}
        """The open topics that each peer works on."""
        self._early = Early()
        self._catching_up = CatchingUp(self._catch_up)

    def start(self, ctx: Context) -> None:
        """Called by the subsystem's ``start``."""
        self._ctx = ctx
        wire = self._wire
        ctx.send(RegisterEventProducer(wire.protocol, PeerSet.VALIDATION, wire.event))
        ctx.spawn(None, partial(self._catching_up.run, ctx), "catch up")

    # Topics

    def open(
        self,
        block: Hash,
        number: BlockNumber,
        rules: Rules[C, F],
        validators: int,
        *,
        parent: Hash | None = None,
    ) -> None:
        """From now on things may be said of this block; its session has so many validators.

        With a ``parent``, whoever works on the block also works on what is open below it, down to
        what is final for that peer. Parents are opened before their children.
        """
        assert block not in self._topics, "a topic is opened once"
        self._closed.pop(block, None)
        self._topics[block] = Topic(block, number, parent, rules, validators)
        if (below := self._below(parent)) is not None:
            below.children[block] = None
        for peer in self._peers.all():
            if block in (view := self._peers.view(peer)):
                for topic in self._begin(peer, view, block):
                    self._bring_up_to_date(peer, topic)
        for peer, payload in self._early.take(block):
            self._on_message(peer, payload)

    def close(self, block: Hash) -> None:
        """Nothing more is to be said of the block. What still comes is nobody's fault. Who works on
        its children works on its parent."""
        topic = self._topics.pop(block, None)
        if topic is None:
            return
        if (below := self._below(topic.parent)) is not None:
            below.children.pop(block, None)
            below.children |= topic.children
        for child in topic.children:
            self._topics[child].parent = topic.parent
        self._closed[block] = None
        if len(self._closed) > REMEMBERED_TOPICS:
            del self._closed[next(iter(self._closed))]
        for reach in self._reach.values():
            reach.pop(block, None)

    def close_up_to(self, number: BlockNumber) -> None:
        """Close all topics up to this block number: it is final."""
        for block in [each.block for each in self._topics.values() if each.number <= number]:
            self.close(block)

    def _below(self, parent: Hash | None) -> Topic[C, F] | None:
        return None if parent is None else self._topics.get(parent)

    # What this node says

    def publish(self, block: Hash, item: GossipItem[C]) -> bool:
        """Tell all who work on the topic, now or later, what this node made. ``False``, and nothing
        is told, when the topic is not open, the item is known, or what it depends on is not."""
        topic = self._topics.get(block)
        if topic is None or item.id in topic.items or topic.missing(item):
            return False
        topic.take(item)
        topic.own[item.id] = None
        self._tell(topic, item, [p for p in self._peers.all() if self._lacks(p, topic, item)])
        return True

    # What others say

    def on_event(self, event: NetworkBridgeEvent) -> None:
        """An event of the protocol, from the bridge."""
        if isinstance(event, PeerMessage):
            self._on_message(event.peer, event.payload)
            return
        self._peers.note(event)
        match event:
            case PeerViewChange(peer, view):
                self._on_view(peer, view)
            case PeerDisconnected(peer):
                self._reach.pop(peer, None)
                self._early.drop(peer)
                for topic in self._topics.values():
                    topic.known.pop(peer, None)

    def _on_message(self, peer: PeerId, payload: bytes) -> None:
        try:
            block, items = self._wire.read(payload)
        except ScaleDecodeError:
            self._ctx.send(ReportPeer(peer, COST_MALFORMED))
            return
        topic = self._topics.get(block)
        if topic is not None:
            alone = payload if len(items) == 1 else None
            for item in items:
                self._on_item(topic, peer, item, alone)
            return
        self._on_unplaced(block, items)
        if self._is_early(peer, block):
            self._early.keep(peer, block, payload)
        elif block not in self._closed:
            self._ctx.send(ReportPeer(peer, COST_NOT_IN_VIEW))

    def _is_early(self, peer: PeerId, block: Hash) -> bool:
        """Whether the block's topic may be opened yet: it is a leaf that the peer works on, or may
        lie below a leaf of ours that has not been opened."""
        if block in self._closed:
            return False
        return block in self._peers.view(peer) or any(map(self._is_new, self._peers.ours.heads))

    def _is_new(self, block: Hash) -> bool:
        return block not in self._topics and block not in self._closed

    def _on_item(
        self, topic: Topic[C, F], peer: PeerId, item: GossipItem[C], alone: bytes | None
    ) -> None:
        """``alone``: the message, if it brought nothing else: so it can be passed on."""
        knowledge = topic.knows(peer)
        verdict = self._judge(topic, knowledge, item)
        self._peers.report(self._ctx, peer, verdict.change)
        if verdict.acceptance is Acceptance.REJECT:
            return
        is_news = verdict.acceptance is Acceptance.ACCEPT
        if is_news or not topic.missing(item):  # else there were no end to what could be noted
            knowledge.note_heard(item)
        if is_news:
            topic.take(item)
            assert verdict.found is not None, "what is accepted says something"
            self._on_news(topic.block, verdict.found, peer)
            if item.is_relayed:
                self._pass_on(topic, item, alone)

    def _judge(
        self, topic: Topic[C, F], knowledge: PeerKnowledge, item: GossipItem[C]
    ) -> Verdict[F]:
        """The protocol's rules are asked of what is new and stands on something. What crossed ours
        on its way is no fault; the same thing sent twice is."""
        if knowledge.has_sent(item):
            return Verdict(Acceptance.IGNORE, COST_DUPLICATE)
        if item.id in topic.items:
            return Verdict(Acceptance.IGNORE)
        if item.quota is not None and knowledge.exhausts(item.quota):
            return Verdict(Acceptance.REJECT, COST_FLOOD)
        missing = topic.missing(item)
        if not missing:
            return topic.rules.judge(item)
        if all(subject in knowledge.introduced for subject in missing):
            return Verdict(Acceptance.IGNORE)  # the peer did introduce it, but we ignored that
        return Verdict(Acceptance.REJECT, COST_OUT_OF_ORDER)

    # Whom to tell

    def _on_view(self, peer: PeerId, view: View) -> None:
        before, self._reach[peer] = self._reach.get(peer, {}), {}
        for relay_parent in view.heads:
            for topic in self._begin(peer, view, relay_parent):
                if topic.block not in before:
                    self._bring_up_to_date(peer, topic)
        self._early.drop(peer, over=lambda block: not self._is_early(peer, block))

    def _begin(self, peer: PeerId, view: View, relay_parent: Hash) -> Iterator[Topic[C, F]]:
        """The peer works on the leaf, if it is open, and on what is below: what of this it has not
        reached by another way."""
        reach = self._reach.setdefault(peer, {})
        topic = self._topics.get(relay_parent)
        while topic is not None and topic.block not in reach:
            reach[topic.block] = None
            yield topic
            topic = self._below(topic.parent)
            if topic is not None and topic.number <= view.finalized_number:
                return

    def _bring_up_to_date(self, peer: PeerId, topic: Topic[C, F]) -> None:
        """Who comes and goes is given what was said since: nobody makes us look at all again."""
        self._catching_up.add(peer, topic.block, topic.knows(peer).looked_at, len(topic.order))

    def _lacks(self, peer: PeerId, topic: Topic[C, F], item: GossipItem[C]) -> bool:
        """Whether a peer works on the topic and, as far as we know, has not got the item."""
        return topic.block in self._reach.get(peer, ()) and not topic.has(peer, item)

    def _pass_on(self, topic: Topic[C, F], item: GossipItem[C], alone: bytes | None) -> None:
        few = self._peers.to_pass_on(
            self._ctx.random, topic.validators, lambda peer: self._lacks(peer, topic, item)
        )
        self._tell(topic, item, few, alone)

    def _tell(
        self,
        topic: Topic[C, F],
        item: GossipItem[C],
        peers: Sequence[PeerId],
        alone: bytes | None = None,
    ) -> None:
        """Send an item; who lacks what it depends on gets that too, before it in one message.
        ``alone``: the message that brings nothing but the item, if it is at hand."""
        if not item.depends_on:
            self._send(topic, (item,), peers, alone)
            return
        lacking: dict[tuple[Hashable, ...], list[PeerId]] = {}
        for peer in peers:
            known = topic.knows(peer).introduced
            missing = tuple([subject for subject in item.depends_on if subject not in known])
            lacking.setdefault(missing, []).append(peer)
        for missing, ignorant in lacking.items():
            needed = (topic.introductions[subject] for subject in missing)
            self._send(topic, (*needed, item), ignorant, None if missing else alone)

    def _send(
        self,
        topic: Topic[C, F],
        items: Sequence[GossipItem[C]],
        peers: Sequence[PeerId],
        message: bytes | None = None,
    ) -> None:
        """Send items in this order, in as few messages as may be: in that ``message``, if it is
        given."""
        if not peers or not items:
            return
        for peer in peers:
            knowledge = topic.knows(peer)
            for item in items:
                knowledge.note_told(item)
        if message is not None:
            payloads: Iterable[bytes] = (message,)
        else:
            payloads = self._wire.write(topic.block, [item.content for item in items])
        for payload in payloads:
            self._ctx.send(SendMessage(tuple(peers), self._wire.protocol, payload))

    def _catch_up(self, peer: PeerId, block: Hash, first: int, end: int) -> None:
        """Give a peer that has begun to work on a topic what it lacks of these items."""
        topic = self._topics.get(block)
        if topic is None or block not in self._reach.get(peer, ()):
            return
        knowledge = topic.knows(peer)
        knowledge.looked_at = end
        introduced = dict(knowledge.introduced)
        wanted: dict[Hashable, GossipItem[C]] = {}
        for item in topic.order[first:end]:
            if item.id in knowledge.items or not self._repeats(topic, item):
                continue
            needed = [topic.introductions[s] for s in item.depends_on if s not in introduced]
            for one in (*needed, item):
                wanted[one.id] = one
                introduced |= dict.fromkeys(one.introduces)
        self._send(topic, tuple(wanted.values()), (peer,))

    def _repeats(self, topic: Topic[C, F], item: GossipItem[C]) -> bool:
        """Whether we are one of those who give an item to a peer that comes late."""
        if item.is_essential or item.id in topic.own:
            return True
        return item.is_relayed and self._peers.repeats(
            self._ctx.random, topic.validators, self._copies
        )
