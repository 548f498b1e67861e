"""One topic: what is known there, and who knows it."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from parahost.node.gossip.protocol import GossipItem, Quota, Rules
from parahost.primitives.basic import BlockNumber, Hash, PeerId

C = TypeVar("C")
F = TypeVar("F")


@dataclass(slots=True)
class PeerKnowledge:
    """What one peer has, because it sent it to us or we to it."""

    items: dict[Hashable, bool] = field(default_factory=dict)
    """By id; the value tells whether the peer sent it to us."""
    introduced: dict[Hashable, None] = field(default_factory=dict)
    """What the peer knows of, so that it can be told what depends on it."""
    spent: dict[Hashable, int] = field(default_factory=dict)
    """How much of its quotas the peer has used, by their keys."""
    looked_at: int = 0
    """How many of the topic's items have been looked at for it, as it began to work there."""

    def has_sent(self, item: GossipItem[Any]) -> bool:
        return self.items.get(item.id, False)

    def exhausts(self, quota: Quota) -> bool:
        """Whether the peer may bring no more of it."""
        return self.spent.get(quota.key, 0) >= quota.items

    def note_told(self, item: GossipItem[Any]) -> None:
        """We have sent the item to the peer."""
        self.items.setdefault(item.id, False)
        for subject in item.introduces:
            self.introduced[subject] = None

    def note_heard(self, item: GossipItem[Any]) -> None:
        """The peer has sent us the item."""
        had_sent = self.has_sent(item)
        self.items[item.id] = True
        for subject in item.introduces:
            self.introduced[subject] = None
        if not had_sent and item.quota is not None:
            key = item.quota.key
            self.spent[key] = self.spent.get(key, 0) + 1


@dataclass(slots=True)
class Topic(Generic[C, F]):
    """A block of which things may be said."""

    block: Hash
    number: BlockNumber
    parent: Hash | None
    """Who works on this block also works on that one."""
    children: dict[Hash, None] = field(default_factory=dict, init=False)
    """The open topics whose parent this is."""
    rules: Rules[C, F]
    validators: int
    """How many the block's session has."""
    items: dict[Hashable, GossipItem[C]] = field(default_factory=dict)
    """By id, in the order in which they came: each stands after what it depends on."""
    order: list[GossipItem[C]] = field(default_factory=list)
    """The same, by place."""
    introductions: dict[Hashable, GossipItem[C]] = field(default_factory=dict)
    """What was the first to introduce what."""
    own: dict[Hashable, None] = field(default_factory=dict)
    """The ids of those that this node has published."""
    known: dict[PeerId, PeerKnowledge] = field(default_factory=dict)

    def knows(self, peer: PeerId) -> PeerKnowledge:
        """What the peer has, to look at and to note."""
        knowledge = self.known.get(peer)
        if knowledge is None:
            knowledge = self.known[peer] = PeerKnowledge()
        return knowledge

    def has(self, peer: PeerId, item: GossipItem[C]) -> bool:
        """Whether the peer has it, as far as we know."""
        knowledge = self.known.get(peer)
        return knowledge is not None and item.id in knowledge.items

    def take(self, item: GossipItem[C]) -> None:
        """Keep an item that is new."""
        self.items[item.id] = item
        self.order.append(item)
        for subject in item.introduces:
            self.introductions.setdefault(subject, item)

    def missing(self, item: GossipItem[C]) -> list[Hashable]:
        """What the item depends on and nobody has introduced."""
        return [subject for subject in item.depends_on if subject not in self.introductions]
