"""What each peer has and knows."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from parahost.chain.sync.messages import Status
from parahost.primitives.basic import BlockNumber, Hash, PeerId
from parahost.primitives.limits import KIB

KNOWN_BLOCKS = 1024
SERVED_PER_S = 500.0
SERVED_AT_ONCE = 4096.0
"""What a peer may make us serve: in blocks that it asks for, or 32 KiB of answer each."""
SERVED_UNIT_BYTES = 32 * KIB


@dataclass(slots=True)
class Peer:
    """One connected peer. What it claims to have is not believed, only tried.

    ``status`` is ``None`` until it tells; ``busy``: a request for blocks is under way.
    """

    id: PeerId
    status: Status | None = None
    busy: bool = False
    _allowance: float = SERVED_AT_ONCE
    _allowed_at: float = 0.0
    _known: OrderedDict[Hash, None] = field(default_factory=OrderedDict)

    def knows(self, block: Hash) -> bool:
        """Whether the peer told us of the block, or we told it."""
        return block in self._known

    def note_known(self, block: Hash) -> None:
        self._known[block] = None
        self._known.move_to_end(block)
        if len(self._known) > KNOWN_BLOCKS:
            self._known.popitem(last=False)

    def may_ask(self, now: float) -> bool:
        """Whether it has an allowance left, at ``now`` in seconds by our clock."""
        grown = SERVED_PER_S * max(0.0, now - self._allowed_at)
        self._allowance = min(SERVED_AT_ONCE, self._allowance + grown)
        self._allowed_at = now
        return self._allowance > 0

    def note_served(self, blocks: int, size: int) -> None:
        """It has asked for so many blocks, and was sent so many bytes."""
        self._allowance -= 1 + blocks + size / SERVED_UNIT_BYTES

    @property
    def best_number(self) -> int:
        """The number of the best block that it claims; -1 when it claims none."""
        return -1 if self.status is None else self.status.best_number

    def note_best(self, number: BlockNumber, hash: Hash) -> None:
        """It has announced a new best block."""
        if self.status is not None:
            final = self.status.final_number, self.status.final_hash
            self.status = Status(number, hash, *final)
