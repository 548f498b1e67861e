"""What the nodes of a run have brought about: blocks with their states, and finality.

Taken down while the run goes on, from what nodes say of themselves and from their blocks;
statistics and checkers read it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from parahost.primitives.basic import Hash
from parahost.primitives.header import Extrinsic, Header
from parahost.runtime.genesis import genesis_header
from parahost.runtime.storage import State


@dataclass(frozen=True, slots=True, eq=False)
class RecordedBlock:
    """A block as the first node to import it had it. ``at`` is when that was, in virtual seconds;
    ``parent`` is ``None`` for genesis."""

    hash: Hash
    header: Header
    extrinsics: tuple[Extrinsic, ...]
    state: State
    parent: RecordedBlock | None
    at: float

    @property
    def number(self) -> int:
        return self.header.number

    def ancestry(self) -> Iterator[RecordedBlock]:
        """The block, its parent, and so on to genesis."""
        block: RecordedBlock | None = self
        while block is not None:
            yield block
            block = block.parent

    def descends_from(self, other: RecordedBlock) -> bool:
        """Whether the other is the block itself or one of its ancestors."""
        return any(block is other for block in self.ancestry() if block.number >= other.number)


class ChainRecord:
    """All blocks of a run, and which of them each node holds for final."""

    def __init__(self, genesis: State) -> None:
        header = genesis_header(genesis)
        self.genesis = RecordedBlock(header.hash(), header, (), genesis, None, 0.0)
        self.blocks: dict[Hash, RecordedBlock] = {self.genesis.hash: self.genesis}
        """In the order in which they were first imported."""
        self.final: dict[str, RecordedBlock] = {}
        """By node, the last block that it said is final."""
        self.on_block: list[Callable[[RecordedBlock], None]] = []
        """Called with each new block."""

    def add(self, block: RecordedBlock) -> None:
        self.blocks[block.hash] = block
        for listener in self.on_block:
            listener(block)

    def best(self) -> RecordedBlock:
        """The end of the longest chain; of several, the one that came first."""
        return max(self.blocks.values(), key=lambda block: block.number)

    def last_final(self) -> RecordedBlock:
        """The highest block that any node holds for final."""
        return max(self.final.values(), key=lambda block: block.number, default=self.genesis)
