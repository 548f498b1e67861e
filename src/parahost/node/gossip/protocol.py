"""What a gossip protocol consists of: how it speaks, and what is right."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Generic, Protocol, TypeVar

from parahost.node.gossip.verdict import Verdict
from parahost.node.messages.base import Message
from parahost.node.messages.network import NetworkBridgeEvent, ProtocolId
from parahost.node.protocols import BATCH_BYTES
from parahost.primitives.basic import Hash
from parahost.primitives.scale import encode
from parahost.primitives.values import dataclass

C = TypeVar("C")
"""The content of a protocol's items: what they are on the wire."""
F = TypeVar("F")
"""What is found when they are judged."""

MAX_BATCH = 64
"""Items in one message."""


@dataclass(frozen=True, slots=True)
class Quota:
    """Of one ``key`` (an author, mostly) a peer may bring at most so many items."""

    key: Hashable
    items: int


@dataclass(frozen=True, slots=True)
class GossipItem(Generic[C]):
    """One thing that is said at a topic, as far as spreading it goes."""

    id: Hashable
    """Whoever has an item of this id needs no other."""
    content: C
    """What is written on the wire."""
    introduces: tuple[Hashable, ...] = ()
    """What others may be said about, once this has been said. Such an item depends on nothing."""
    depends_on: tuple[Hashable, ...] = ()
    """What must have been introduced before."""
    quota: Quota | None = None
    is_relayed: bool = True
    """Whether others than its author tell it on."""
    is_essential: bool = False
    """Whether all who have it tell it to whoever begins to work on the topic; else some do."""


@dataclass(frozen=True, slots=True)
class Wire(Generic[C]):
    """How a protocol speaks."""

    protocol: ProtocolId
    event: Callable[[NetworkBridgeEvent], Message]
    """What the bridge makes of its events for the protocol's subsystem."""
    read: Callable[[bytes], tuple[Hash, Sequence[GossipItem[C]]]]
    """A message: its topic and its items. :raises ScaleDecodeError: when it is none."""
    write: Callable[[Hash, Sequence[C]], Iterable[bytes]]
    """The messages that bring these contents at a topic, each after what it depends on;
    :func:`in_batches` helps."""


class Rules(Protocol[C, F]):
    """What is right at one topic. Pure: no clock, no chance, no bus."""

    def judge(self, item: GossipItem[C]) -> Verdict[F]:
        """Of an item that is not known at the topic, while all that it depends on is. What is
        accepted is news; what is ignored may come of a peer that knows less than we do."""
        ...


def in_batches(contents: Iterable[C]) -> Iterator[tuple[C, ...]]:
    """The contents in their order, as many together as one message shall have."""
    contents = tuple(contents)
    if len(contents) == 1:  # which is the rule
        yield contents
        return
    batch: list[C] = []
    size = 0
    for content in contents:
        batch.append(content)
        size += len(encode(content))
        if len(batch) == MAX_BATCH or size > BATCH_BYTES:
            yield tuple(batch)
            batch, size = [], 0
    if batch:
        yield tuple(batch)
