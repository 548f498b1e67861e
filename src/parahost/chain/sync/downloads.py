"""What shows that our head is left behind.

A peer's word that it has more shows nothing. A header that an authority has sealed on our best
block does, and so does a block that has become our best one: without an authority's key nobody
makes either.
"""

from __future__ import annotations

from parahost.chain.chain import Chain
from parahost.ports import Clock
from parahost.primitives.basic import Hash
from parahost.primitives.header import Header

STALE_SLOTS = 8
"""A head whose slot is more than so many slots ago is old. So long we wait for a block that follows
it before we author on it: who has shown one, and does not deliver, stops nobody."""


class Download:
    """Blocks that one peer is being asked for."""

    def __init__(self, chain: Chain, clock: Clock) -> None:
        self._chain = chain
        self._clock = clock
        self.heard_at = clock.now()
        """When the last block came of it, or it began."""
        self.leads_on = False
        """Whether what it has brought shows that our head is left behind."""

    def showed(self, header: Header) -> None:
        """The peer has given a header, and not yet the block."""
        hash = header.hash()
        follows = header.parent_hash == self._chain.best_hash and hash not in self._chain
        if follows and not self._chain.is_bad(hash) and self._chain.sealed_by(header) is not None:
            self.leads_on = True

    def gave(self, block: Hash) -> None:
        """A block was new, and is in the chain."""
        self.heard_at = self._clock.now()
        if block == self._chain.best_hash:
            self.leads_on = True


class Downloads:
    """All that are under way, and whether an author should wait for them."""

    def __init__(self, chain: Chain, clock: Clock) -> None:
        self._chain = chain
        self._clock = clock
        self._under_way: list[Download] = []
        self._better_at = clock.now()
        """When the best block was last replaced by a better one, or we began."""

    def begin(self) -> Download:
        download = Download(self._chain, self._clock)
        self._under_way.append(download)
        return download

    def end(self, download: Download) -> None:
        """Nothing more is expected of it."""
        self._under_way.remove(download)

    def note_better(self) -> None:
        """The best block has just been replaced by a better one."""
        self._better_at = self._clock.now()

    @property
    def head_is_old(self) -> bool:
        """By its slot, and our clock."""
        parameters, slot = self._chain.parameters, self._chain.slot(self._chain.best_hash)
        return slot is None or parameters.slot_at(self._clock.now()) - slot > STALE_SLOTS

    @property
    def leave_us_behind(self) -> bool:
        """Whether our head is old, and one that follows it is on its way."""
        slot_s = self._chain.parameters.slot_duration_s
        follows = self._clock.now() - self._better_at < STALE_SLOTS * slot_s
        return follows and any(one.leads_on for one in self._under_way) and self.head_is_old
