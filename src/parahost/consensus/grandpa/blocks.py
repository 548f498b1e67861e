"""Blocks as GRANDPA sees them, and what it asks of the block chain."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from parahost.primitives.basic import U32, BlockNumber, Hash
from parahost.primitives.events import BestBlockEvent, BlockFinalizationEvent, BlockImportEvent
from parahost.primitives.header import Header
from parahost.primitives.values import dataclass


@dataclass(frozen=True, slots=True)
class BlockRef:
    """A block by hash and number."""

    hash: Hash
    number: BlockNumber

    def __str__(self) -> str:
        return f"#{self.number} ({self.hash.hex()[:8]})"


class HeaderSource(Protocol):
    """Where headers are found."""

    def header(self, block: Hash, /) -> Header | None:
        """The header of a block; ``None`` when it is not known (yet, or any more)."""
        ...


class ChainView(HeaderSource, Protocol):
    """What GRANDPA reads of the block chain."""

    @property
    def best(self) -> Header:
        """The head of the fork that the node builds on; always descends from ``finalized``."""
        ...

    @property
    def best_hash(self) -> Hash: ...

    @property
    def finalized(self) -> Header:
        """The last final block."""
        ...

    @property
    def finalized_hash(self) -> Hash: ...

    def leaves(self) -> Sequence[Hash]:
        """Blocks without children that descend from ``finalized``, the best first; those on forks
        that nobody builds on come last."""
        ...

    def is_ancestor(self, ancestor: Hash, block: Hash, /) -> bool:
        """Whether the first is the second or one of its ancestors; unknown blocks are not."""
        ...


BlockEvent = BlockImportEvent | BestBlockEvent | BlockFinalizationEvent


class GrandpaChain(ChainView, Protocol):
    """What a node's voter needs of the chain; ``parahost.chain.Chain`` gives it."""

    def finalize(self, block: Hash, justification: bytes | None, /) -> None:
        """Make a block and its ancestors final, durably, with the proof of it if there is one."""
        ...

    def subscribe(self, listener: Callable[[BlockEvent], None], /) -> Callable[[], None]:
        """Tell a listener of every block that is imported, becomes best or final; gives the
        function that ends it."""
        ...


def best_of(chain: ChainView) -> BlockRef:
    return BlockRef(chain.best_hash, chain.best.number)


def finalized_of(chain: ChainView) -> BlockRef:
    return BlockRef(chain.finalized_hash, chain.finalized.number)


def known(source: HeaderSource, block: BlockRef) -> bool:
    """Whether the block is known, under the number that is claimed."""
    header = source.header(block.hash)
    return header is not None and header.number == block.number


def descends(chain: ChainView, block: BlockRef, ancestor: BlockRef) -> bool:
    """Whether ``block`` is ``ancestor`` or descends from it; unknown blocks do not."""
    return block == ancestor or (
        block.number > ancestor.number
        and known(chain, block)
        and known(chain, ancestor)
        and chain.is_ancestor(ancestor.hash, block.hash)
    )


def ancestor_at(chain: ChainView, block: BlockRef, number: int) -> BlockRef:
    """The block of that number, at most the block's own, on the way from the block to genesis."""
    at, height = block.hash, block.number
    while height > number:
        header = chain.header(at)
        assert header is not None, "a known block's ancestors are known"
        at, height = header.parent_hash, BlockNumber(U32(height - 1))
    return BlockRef(at, height)
