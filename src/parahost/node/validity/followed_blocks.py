"""The blocks whose candidates approval voting follows: on which forks, and for how long.

The chain records a candidate until it is accepted, undisputed, and its acceptance period is over
(A53). Then nothing can be said of it any more, on the chain or to peers. So a block is followed
while a head's state records its candidates, or those of final blocks are not accepted; and however
long nothing becomes final, what is held is bounded by what the chain lets wait.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from parahost.node.validity.checked_block import CheckedBlock
from parahost.node.validity.voting_limit import Ancestry
from parahost.primitives.basic import BlockNumber, Hash
from parahost.primitives.limits import OUTGROWN_AFTER

FORKS_WITHIN = OUTGROWN_AFTER
"""So many blocks after the chain has let go of a block's candidates the block is past: no fork that
begins less deep records them. Where one begins deeper, its state says what is to be followed."""


class FollowedBlocks:
    """A set of blocks, and where each stands to the chain, which answers for ancestry alone."""

    def __init__(self, chain: Ancestry, final: BlockNumber) -> None:
        self._chain = chain
        self.final = final
        """The number of the final block."""
        self._best = final
        self._met: dict[Hash, BlockNumber] = {}
        """The blocks near the best one up to which all is known."""
        self._blocks: dict[Hash, CheckedBlock] = {}
        self._unrecorded: dict[Hash, BlockNumber] = {}
        """Those that no head's state records any more, and where the best block was then."""

    def __iter__(self) -> Iterator[CheckedBlock]:
        return iter(tuple(self._blocks.values()))

    def __contains__(self, block: Hash) -> bool:
        return block in self._blocks

    def __getitem__(self, block: Hash) -> CheckedBlock:
        return self._blocks[block]

    def knows(self, block: Hash) -> bool:
        """Whether all is known of the candidates up to a block, which was met lately."""
        return block in self._met

    def is_ancestor(self, ancestor: Hash, block: Hash) -> bool:
        return self._chain.is_ancestor(ancestor, block)

    def on_fork(self, head: Hash) -> list[CheckedBlock]:
        """Those up to a block and all that are final, the oldest first."""
        found = (b for b in self if b.number <= self.final or self.is_ancestor(b.hash, head))
        return sorted(found, key=lambda block: block.number)

    # What happens

    def meet(self, block: CheckedBlock) -> bool:
        """Follow a block from now on, up to which all is known; ``False`` when it is followed."""
        self._met[block.hash] = block.number
        if block.hash in self._blocks:
            return False
        self._blocks[block.hash] = block
        return True

    def past(self, best: BlockNumber, recorded: Collection[BlockNumber]) -> list[CheckedBlock]:
        """The best block has that number, and the heads' states record the candidates of blocks of
        these numbers: which blocks the chain has let go of. The final ones are not among them."""
        self._best = max(best, self._best)
        near = self._best - FORKS_WITHIN
        self._met = {block: number for block, number in self._met.items() if number >= near}
        gone = []
        for block in self:
            if block.number in recorded or block.number <= self.final:
                self._unrecorded.pop(block.hash, None)
            elif self._unrecorded.setdefault(block.hash, self._best) <= near:
                gone.append(block)
        return gone

    def lost_to(self, block: Hash, number: BlockNumber) -> list[CheckedBlock]:
        """A block is final: which of those that were not are on other forks."""
        before, self.final = self.final, max(number, self.final)
        return [
            each
            for each in self
            if each.number > before
            and not (
                self.is_ancestor(each.hash, block)
                if each.number <= number
                else self.is_ancestor(block, each.hash)
            )
        ]

    def forget(self, block: CheckedBlock) -> None:
        """Follow it no more."""
        del self._blocks[block.hash]
        self._unrecorded.pop(block.hash, None)
