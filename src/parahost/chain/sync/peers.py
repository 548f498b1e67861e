"""What each peer has and knows."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import InitVar, dataclass, field

from parahost.chain.sync.messages import Status
from parahost.ports import Clock, ObservedRole
from parahost.primitives.basic import BlockNumber, Hash, PeerId
from parahost.primitives.limits import KIB
from parahost.token_bucket import TokenBucket

KNOWN_BLOCKS = 1024
SERVED_PER_S = 500.0
SERVED_AT_ONCE = 4096.0
"""What a peer may make us serve: in blocks that it asks for, or 32 KiB of answer each."""
SERVED_UNIT_BYTES = 32 * KIB


UNATTACHED_PER_SLOT = 4.0
UNATTACHED_AT_ONCE = 128.0
"""Blocks that a peer may announce on parents that we lack. An honest one announces what it has just
imported: while we are behind, a block or two a slot, and after a rest a whole fork."""


@dataclass(slots=True)
class Peer:
    """One connected peer. What it claims to have is not believed, only tried.

    ``role`` is what it says it is, ``status`` is ``None`` until it tells; ``busy``: a request for
    blocks is under way.
    """

    id: PeerId
    clock: InitVar[Clock]
    slot_s: InitVar[float]
    role: ObservedRole = ObservedRole.FULL
    status: Status | None = None
    busy: bool = False
    served: TokenBucket = field(init=False)
    unattached: TokenBucket = field(init=False)
    """For announcements of blocks whose parents we lack."""
    _known: OrderedDict[Hash, None] = field(default_factory=OrderedDict)

    def __post_init__(self, clock: Clock, slot_s: float) -> None:
        self.served = TokenBucket(clock, SERVED_PER_S, SERVED_AT_ONCE)
        self.unattached = TokenBucket(clock, UNATTACHED_PER_SLOT / slot_s, UNATTACHED_AT_ONCE)

    def knows(self, block: Hash) -> bool:
        """Whether the peer told us of the block, or we told it."""
        return block in self._known

    def note_known(self, block: Hash) -> None:
        self._known[block] = None
        self._known.move_to_end(block)
        if len(self._known) > KNOWN_BLOCKS:
            self._known.popitem(last=False)

    @property
    def may_ask(self) -> bool:
        """Whether we serve it now."""
        return self.served.left > 0

    def note_served(self, blocks: int, size: int) -> None:
        """It has asked for so many blocks, and was sent so many bytes."""
        self.served.take(1 + blocks + size / SERVED_UNIT_BYTES)

    @property
    def best_number(self) -> int:
        """The number of the best block that it claims; -1 when it claims none."""
        return -1 if self.status is None else self.status.best_number

    def note_best(self, number: BlockNumber, hash: Hash) -> None:
        """It has announced a new best block."""
        if self.status is not None:
            final = self.status.final_number, self.status.final_hash
            self.status = Status(number, hash, *final)
