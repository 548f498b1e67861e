"""Authority sets, and the changes of them that blocks announce.

A header's digest may announce the next voters, with a delay in blocks (``ScheduledChange``). The
change takes effect when the block that many blocks later, on the same fork, is final. Until then
the present set decides, and votes no further than that block, so that each change has a
justification of its own, signed by the set that it ends.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from parahost.consensus.grandpa.blocks import BlockRef
from parahost.primitives.basic import U32, U64, BlockNumber
from parahost.primitives.consensus import (
    GrandpaAuthorities,
    GrandpaConsensusLog,
    ScheduledChange,
)
from parahost.primitives.header import GRANDPA_ENGINE, Consensus, Header
from parahost.primitives.scale import ScaleDecodeError, decode

Descends = Callable[[BlockRef, BlockRef], bool]
"""Whether the first block is the second or descends from it."""


@dataclass(frozen=True, slots=True)
class PendingChange:
    """A change announced in ``signal`` and not yet in effect."""

    signal: BlockRef
    effective_number: BlockNumber
    next_authorities: GrandpaAuthorities


@dataclass(frozen=True, slots=True)
class AuthorityState:
    """The set that votes now, as of the final block ``finalized``, and the changes that may
    follow, on all forks: the pending ones form a tree by their signals."""

    set_id: U64
    authorities: GrandpaAuthorities
    finalized: BlockRef
    pending: tuple[PendingChange, ...] = ()

    def with_announced(self, block: BlockRef, header: Header) -> AuthorityState:
        """With the change that a header announces, if it does; the same one twice is one."""
        change = scheduled_change(header)
        if change is None or any(known.signal == block for known in self.pending):
            return self
        effective = BlockNumber(U32(block.number + change.delay))
        pending = PendingChange(block, effective, change.next_authorities)
        return replace(
            self, pending=tuple(sorted((*self.pending, pending), key=lambda p: p.signal.number))
        )

    def limit(self, block: BlockRef, descends: Descends) -> int | None:
        """The number of the highest block on the block's fork that the present set may make
        final; ``None`` when nothing limits it."""
        ahead = [p.effective_number for p in self.pending if descends(block, p.signal)]
        return min(ahead, default=None)

    def finalize(self, block: BlockRef, descends: Descends) -> AuthorityState:
        """After ``block`` became final: changes in effect, those of dead forks forgotten."""
        state = replace(self, finalized=block)
        alive: list[PendingChange] = []
        for change in self.pending:
            if descends(block, change.signal):
                if change.effective_number <= block.number:
                    state = replace(
                        state,
                        set_id=U64(state.set_id + 1),
                        authorities=change.next_authorities,
                    )
                else:
                    alive.append(change)
            elif descends(change.signal, block):
                alive.append(change)
        return replace(state, pending=tuple(alive))


def scheduled_change(header: Header) -> ScheduledChange | None:
    """The change of voters that a header announces."""
    for item in header.digest:
        if isinstance(item, Consensus) and item.engine == GRANDPA_ENGINE:
            try:
                log: GrandpaConsensusLog = decode(GrandpaConsensusLog, item.data)
            except ScaleDecodeError:
                continue  # logs of kinds that this chain does not have
            if isinstance(log, ScheduledChange):
                return log
    return None
