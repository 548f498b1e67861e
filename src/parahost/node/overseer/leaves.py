"""The active leaves: which relay parents are built on (A66-A68)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from parahost.node.leaf import ActiveLeaf
from parahost.node.messages.signals import BlockFinalized, StartWork, StopWork
from parahost.primitives.basic import BlockNumber, Hash
from parahost.primitives.limits import is_outgrown


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
        return [*self._drop(leaf.header.parent_hash), *self.start(leaf)]

    def finalized(self, block: Hash, number: BlockNumber) -> list[StopWork | BlockFinalized]:
        """Leaves at or below the final height, but for the final block, are none (A68)."""
        stale = [leaf.hash for leaf in self._leaves.values() if leaf.number <= number]
        return [
            *self._drop(*(leaf for leaf in stale if leaf != block)),
            BlockFinalized(block, number),
        ]

    def outgrown(self, best: BlockNumber) -> list[StopWork]:
        """The best block has that number: what is far below it nobody builds on any more, though
        finality has not come to leave it. Who builds on it all the same makes a leaf again."""
        return self._drop(
            *(it.hash for it in self._leaves.values() if is_outgrown(it.number, best))
        )

    def reverted(
        self, leaves: Sequence[Hash], instead: ActiveLeaf | None
    ) -> list[StopWork | StartWork]:
        """These are leaves no more, though they are neither built over nor behind finality."""
        return [*self._drop(*leaves), *([] if instead is None else self.start(instead))]

    def _drop(self, *blocks: Hash) -> list[StopWork]:
        """Those that are leaves are so no more."""
        return [StopWork(it) for it in blocks if self._leaves.pop(it, None) is not None]
