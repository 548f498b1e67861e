"""The active leaves: which relay parents are built on (A66-A68)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from parahost.node.leaf import ActiveLeaf
from parahost.node.messages.signals import StartWork, StopWork
from parahost.primitives.basic import BlockNumber, Hash


class ActiveLeaves:
    """A state machine from chain events to heartbeats."""

    def __init__(self) -> None:
        self._leaves: dict[Hash, ActiveLeaf] = {}
        self.all: Mapping[Hash, ActiveLeaf] = MappingProxyType(self._leaves)
        """The leaves by their hashes, oldest first, as they are at any time."""

    def start(self, leaf: ActiveLeaf) -> list[StartWork]:
        """An initial leaf (A66)."""
        if leaf.hash in self._leaves:
            return []
        self._leaves[leaf.hash] = leaf
        return [StartWork(leaf)]

    def imported(self, leaf: ActiveLeaf) -> list[StopWork | StartWork]:
        """A new block is a leaf and its parent is none (A67)."""
        if leaf.hash in self._leaves:
            return []
        return [*self.dropped(leaf.header.parent_hash), *self.start(leaf)]

    def finalized(self, block: Hash, number: BlockNumber) -> list[StopWork]:
        """Leaves at or below the final height, but for the final block, are none (A68)."""
        stale = [leaf for leaf in self._leaves.values() if leaf.number <= number]
        return [stop for leaf in stale if leaf.hash != block for stop in self.dropped(leaf.hash)]

    def dropped(self, block: Hash) -> list[StopWork]:
        """That block is no leaf, or none any more."""
        return [] if self._leaves.pop(block, None) is None else [StopWork(block)]
