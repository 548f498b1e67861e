"""What a voter votes for: the best chain, as far as the authority set and the node's own rule
allow."""

from __future__ import annotations

from collections.abc import Callable

from parahost.consensus.grandpa.authorities import AuthorityState
from parahost.consensus.grandpa.blocks import (
    BlockRef,
    ChainView,
    ancestor_at,
    best_of,
    descends,
    finalized_of,
    known,
)

VotingRule = Callable[[BlockRef, BlockRef], BlockRef]
"""Told a block that the vote must contain and the one that it would be for, gives the block on
the way between them, both included, at which the vote must stop (D27)."""


def vote_for_best(base: BlockRef, target: BlockRef) -> BlockRef:
    """The rule of a node that holds nothing back."""
    return target


class VotingTarget:
    """The surroundings of a round, seen from one node's chain."""

    def __init__(
        self, chain: ChainView, authorities: Callable[[], AuthorityState], rule: VotingRule
    ) -> None:
        self._chain = chain
        self._authorities = authorities
        self._rule = rule

    @property
    def finalized(self) -> BlockRef:
        return finalized_of(self._chain)

    def descends(self, block: BlockRef, ancestor: BlockRef, /) -> bool:
        return descends(self._chain, block, ancestor)

    def best_containing(self, block: BlockRef, /) -> BlockRef | None:
        """The head of the best fork with ``block``, but no block beyond the next change of
        authorities, nor beyond what the voting rule allows; never one above ``block``."""
        head = self._head_containing(block)
        if head is None:
            return None
        limit = self._authorities().limit(head, self.descends)
        if limit is not None and limit < head.number:
            head = ancestor_at(self._chain, head, max(limit, block.number))
        allowed = self._rule(block, head)
        fits = self.descends(head, allowed) and self.descends(allowed, block)
        return allowed if fits else block

    def _head_containing(self, block: BlockRef) -> BlockRef | None:
        best = best_of(self._chain)
        if self.descends(best, block):
            return best
        for leaf in self._chain.leaves():
            header = self._chain.header(leaf)
            if header is not None and self.descends(BlockRef(leaf, header.number), block):
                return BlockRef(leaf, header.number)
        return block if known(self._chain, block) else None
