"""How far this node votes on finality (D27).

A vote stops below the first block with a candidate that is not accepted yet, or disputed, in this
node's own view. GRANDPA asks at once and cannot wait, so the answer lies ready: the last block up
to which all is well on the best chain. Chain Selection keeps it up to date.
"""

from __future__ import annotations

from typing import Protocol

from parahost.consensus.grandpa import BlockRef
from parahost.primitives.basic import Hash


class Ancestry(Protocol):
    """What it asks of the chain."""

    def is_ancestor(self, ancestor: Hash, block: Hash, /) -> bool:
        """Whether the first is the second or one of its ancestors."""
        ...


class VotingLimit:
    """The voting rule of a node, and the block at which its votes stop now."""

    def __init__(self, chain: Ancestry, finalized: BlockRef) -> None:
        self._chain = chain
        self.block = finalized
        """At first the last final block: nothing is known of what follows."""

    def rule(self, base: BlockRef, target: BlockRef) -> BlockRef:
        """For GRANDPA. On a fork of which nothing is known the vote goes no further than it
        must."""
        if self._chain.is_ancestor(self.block.hash, target.hash):
            return self.block
        if self._chain.is_ancestor(target.hash, self.block.hash):
            return target
        return base
