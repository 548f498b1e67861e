"""What each peer has and knows."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import InitVar, dataclass, field

from parahost.chain.sync.messages import Status
from parahost.primitives.basic import BlockNumber, Hash, PeerId
from parahost.primitives.limits import KIB

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
class Allowance:
    """What a peer may do: so much at once after a rest, and so much a second."""

    per_s: float
    at_once: float
    _left: float = field(init=False)
    _at: float = 0.0

    def __post_init__(self) -> None:
        self._left = self.at_once

    def left(self, now: float) -> float:
        """At ``now``, in seconds by our clock; below 0 when more was taken than there was."""
        self._left = min(self.at_once, self._left + self.per_s * max(0.0, now - self._at))
        self._at = now
        return self._left

    def take(self, amount: float) -> None:
        self._left -= amount


@dataclass(slots=True)
class Peer:
    """One connected peer. What it claims to have is not believed, only tried.

    ``status`` is ``None`` until it tells; ``busy``: a request for blocks is under way.
    """

    id: PeerId
    slot_s: InitVar[float]
    status: Status | None = None
    busy: bool = False
    served: Allowance = field(default_factory=lambda: Allowance(SERVED_PER_S, SERVED_AT_ONCE))
    unattached: Allowance = field(init=False)
    """For announcements of blocks whose parents we lack."""
    _known: OrderedDict[Hash, None] = field(default_factory=OrderedDict)

    def __post_init__(self, slot_s: float) -> None:
        self.unattached = Allowance(UNATTACHED_PER_SLOT / slot_s, UNATTACHED_AT_ONCE)

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
        return self.served.left(now) > 0

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
