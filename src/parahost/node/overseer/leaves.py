"""The active leaves: which relay parents are built on (A66-A68)."""

from __future__ import annotations

from parahost.node.messages.signals import StartWork, StopWork
from parahost.primitives.basic import BlockNumber, Hash


class ActiveLeaves:
    """A state machine from chain events to heartbeats."""

    def __init__(self) -> None:
        self._leaves: dict[Hash, BlockNumber] = {}

    def __contains__(self, block: Hash) -> bool:
        return block in self._leaves

    def all(self) -> tuple[Hash, ...]:
        """The leaves, oldest first."""
        return tuple(self._leaves)

    def start(self, block: Hash, number: BlockNumber) -> list[StartWork]:
        """An initial leaf (A66)."""
        if block in self._leaves:
            return []
        self._leaves[block] = number
        return [StartWork(block, number)]

    def imported(
        self, block: Hash, number: BlockNumber, parent: Hash
    ) -> list[StopWork | StartWork]:
        """A new block is a leaf and its parent is none (A67)."""
        if block in self._leaves:
            return []
        signals: list[StopWork | StartWork] = []
        if self._leaves.pop(parent, None) is not None:
            signals.append(StopWork(parent))
        signals += self.start(block, number)
        return signals

    def finalized(self, block: Hash, number: BlockNumber) -> list[StopWork]:
        """Leaves at or below the final height, but for the final block, are none (A68)."""
        stale = [
            leaf for leaf, height in self._leaves.items() if height <= number and leaf != block
        ]
        for leaf in stale:
            del self._leaves[leaf]
        return [StopWork(leaf) for leaf in stale]
