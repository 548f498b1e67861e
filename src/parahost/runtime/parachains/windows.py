"""Windows: until when which included candidate is needed (A53, A55).

A candidate's window begins with its inclusion and ends after the acceptance period, unless it is
extended: checks are missing, or it is disputed. What a candidate is judged by lives as long as the
longest window: code, keys, accounts, the session's validators.
"""

from __future__ import annotations

from parahost.primitives.basic import U32, BlockNumber, CandidateHash, SessionIndex, block_at
from parahost.runtime.errors import RuntimeBug
from parahost.runtime.module import Module
from parahost.runtime.pallets import Pallet
from parahost.runtime.storage import Overlay, Reader, StorageMap, StorageValue

# Types

CandidateKey = tuple[SessionIndex, CandidateHash]
"""The session in which a candidate was included, and its hash."""

IncludingBlock = tuple[BlockNumber, SessionIndex, U32]
"""A block, the session of the candidates that it has included, and how many are needed still."""


class Windows(Module, pallet=Pallet(74, "Validity")):
    """Until when which included candidate is needed."""

    # Storage

    blocks = StorageValue("IncludingBlocks", tuple[IncludingBlock, ...], default=())
    """The blocks whose candidates are needed still; ascending."""
    due = StorageMap("WindowsDue", BlockNumber, tuple[CandidateKey, ...], default=())
    """The candidates whose windows end with a block, unless they are extended."""

    # Routines

    def open(self, store: Overlay, key: CandidateKey, now: BlockNumber, until: int) -> None:
        """A candidate is included, and needed up to block ``until``."""
        blocks = self.blocks.get(store)
        if blocks and blocks[-1][0] == now:
            count = blocks[-1][2] + 1
            blocks = blocks[:-1]
        else:
            count = 1
        self.blocks.put(store, (*blocks, (now, key[0], U32(count))))
        self.extend(store, key, until)

    def extend(self, store: Overlay, key: CandidateKey, until: int) -> None:
        """It is needed up to block ``until``; its former end has been taken."""
        self.due.mutate(store, block_at(until + 1), lambda keys: (*keys, key))

    def take_due(self, store: Overlay, now: BlockNumber) -> tuple[CandidateKey, ...]:
        """The candidates whose windows end now: each is to be extended or closed."""
        return self.due.take(store, now)

    def close(self, store: Overlay, included_in: BlockNumber) -> None:
        """A candidate of that block is not needed any more."""

        def one_less(block: IncludingBlock) -> IncludingBlock:
            number, session, count = block
            return number, session, U32(count - (number == included_in))

        blocks = tuple(map(one_less, self.blocks.get(store)))
        self.blocks.put(store, tuple(block for block in blocks if block[2]))

    def first_block(self, store: Reader) -> BlockNumber | None:
        """The first block of which a candidate is needed; ``None`` when none is."""
        blocks = self.blocks.get(store)
        return blocks[0][0] if blocks else None

    def session_of(self, store: Reader, block: BlockNumber) -> SessionIndex | None:
        """The session of the candidates that a block has included; ``None`` when none of them is
        needed."""
        return next((session for at, session, _ in self.blocks.get(store) if at == block), None)

    def first_session(self, store: Reader) -> SessionIndex | None:
        """The first session of which a candidate is needed; ``None`` when none is."""
        blocks = self.blocks.get(store)
        return blocks[0][1] if blocks else None

    # Consistency

    def check(self, store: Reader) -> None:
        """:raises RuntimeBug: when the blocks are out of order, or more or fewer windows end than
        there are."""
        blocks = self.blocks.get(store)
        numbers = [number for number, _, _ in blocks]
        if numbers != sorted(set(numbers)) or not all(count for _, _, count in blocks):
            raise RuntimeBug(f"Windows: including blocks {blocks}")
        ends = [key for keys in self.due.values(store) for key in keys]
        if len(ends) != sum(count for _, _, count in blocks) or len(set(ends)) != len(ends):
            raise RuntimeBug(f"Windows: {blocks} are needed, windows end {ends}")
