"""Authority sets, and what blocks announce about them.

A header's digest may announce, with a delay in blocks, what takes effect when the block that many
blocks later, on the same fork, is *final*: the next voters (``ScheduledChange``), or that nobody
votes (``Pause``). Until then the present set decides, and votes no further than that block, so
that each change has a justification of its own, signed by the set that it ends.

Where finality is what has failed, nothing may wait for it: ``ForcedChange`` and ``Resume`` take
effect when that block is on the *best* chain. As in Polkadot, a forced change waits for those
scheduled ones that came before the block from which it goes on, so that all count sets alike.
This chain's runtime writes scheduled changes only. ``OnDisabled`` changes nothing here: voters
that left out somebody's votes on some forks would no longer count the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from parahost.consensus.grandpa.blocks import BlockRef
from parahost.primitives.basic import U32, U64, BlockNumber
from parahost.primitives.consensus import (
    ForcedChange,
    GrandpaAuthorities,
    GrandpaConsensusLog,
    GrandpaOnDisabled,
    Pause,
    Resume,
    ScheduledChange,
)
from parahost.primitives.header import GRANDPA_ENGINE, Consensus, Header
from parahost.primitives.scale import ScaleDecodeError, decode

Descends = Callable[[BlockRef, BlockRef], bool]
"""Whether the first block is the second or descends from it."""
Signal = ScheduledChange | ForcedChange | Pause | Resume
NEVER: Final = (1 << 32) - 1
"""No block has a higher number."""


@dataclass(frozen=True, slots=True)
class PendingSignal:
    """What is announced in a block and not yet in effect."""

    announced_in: BlockRef
    effective_number: BlockNumber
    signal: Signal

    @property
    def waits_for_finality(self) -> bool:
        return isinstance(self.signal, ScheduledChange | Pause)


@dataclass(frozen=True, slots=True)
class AuthorityState:
    """The set that votes now, as of the final block ``finalized``, and what may follow, on all
    forks: the pending signals form a tree by the blocks that announce them."""

    set_id: U64
    authorities: GrandpaAuthorities
    finalized: BlockRef
    pending: tuple[PendingSignal, ...] = ()
    paused: bool = False
    """Nobody votes."""
    base: BlockRef | None = None
    """From where a set goes on that a forced change brought in, until it finalises."""
    overtaken: tuple[BlockRef, ...] = ()
    """Blocks after the final one whose signals have had their effect or lost it."""

    def with_announced(self, block: BlockRef, header: Header) -> AuthorityState:
        """With what a header announces, if it does; the same block twice is one."""
        known = {pending.announced_in for pending in self.pending}
        if block in known or block in self.overtaken:
            return self
        news = [
            PendingSignal(
                block,
                BlockNumber(U32(min(block.number + signal.delay, NEVER))),
                signal,
            )
            for signal in signals(header)
        ]
        if not news:
            return self
        return replace(
            self,
            pending=tuple(sorted((*self.pending, *news), key=lambda p: p.announced_in.number)),
        )

    def limit(self, block: BlockRef, descends: Descends) -> int | None:
        """The number of the highest block on the block's fork that the present set may make
        final; ``None`` when nothing limits it."""
        ahead = [
            p.effective_number
            for p in self.pending
            if p.waits_for_finality and descends(block, p.announced_in)
        ]
        return min(ahead, default=None)

    def finalize(self, block: BlockRef, descends: Descends) -> AuthorityState:
        """After ``block`` became final: signals in effect, those of dead forks forgotten."""
        state = replace(
            self,
            finalized=block,
            base=None,
            overtaken=tuple(b for b in self.overtaken if b.number > block.number),
        )
        alive: list[PendingSignal] = []
        for pending in self.pending:
            if descends(block, pending.announced_in):
                due = pending.waits_for_finality and pending.effective_number <= block.number
                if due:
                    state = state._in_effect(pending.signal)
                else:
                    alive.append(pending)
            elif descends(pending.announced_in, block):
                alive.append(pending)
        return replace(state, pending=tuple(alive))

    def on_best(
        self, best: BlockRef, descends: Descends, ancestor: Callable[[BlockRef, int], BlockRef]
    ) -> AuthorityState:
        """With what takes effect because ``best`` is the head of the best chain. ``ancestor``
        gives the block of a number on the way to another."""
        state = self
        for pending in self.pending:
            due = not pending.waits_for_finality and pending.effective_number <= best.number
            if due and pending in state.pending and descends(best, pending.announced_in):
                state = state._overtaking(pending, best, descends, ancestor)
        return state

    def _overtaking(
        self,
        pending: PendingSignal,
        best: BlockRef,
        descends: Descends,
        ancestor: Callable[[BlockRef, int], BlockRef],
    ) -> AuthorityState:
        """A forced change overtakes all that its fork has announced before it, a resumption the
        pauses."""
        before = [p for p in self.pending if descends(pending.announced_in, p.announced_in)]
        forced = pending.signal
        base = self.base
        if isinstance(forced, ForcedChange):
            if any(
                isinstance(p.signal, ScheduledChange) and p.effective_number <= forced.last_final
                for p in before
            ):
                return self
            gone = before
            base = ancestor(best, min(forced.last_final, best.number))
        else:
            gone = [p for p in before if p == pending or isinstance(p.signal, Pause)]
        left = tuple(p for p in self.pending if p not in gone)
        still_there = {p.announced_in for p in left}
        overtaken = {p.announced_in: None for p in gone if p.announced_in not in still_there}
        return replace(
            self._in_effect(pending.signal),
            pending=left,
            base=base,
            overtaken=(*self.overtaken, *overtaken),
        )

    def _in_effect(self, signal: Signal) -> AuthorityState:
        match signal:
            case ScheduledChange() | ForcedChange():
                return replace(
                    self,
                    set_id=U64(self.set_id + 1),
                    authorities=signal.next_authorities,
                    paused=False,
                )
            case Pause():
                return replace(self, paused=True)
            case Resume():
                return replace(self, paused=False)


def signals(header: Header) -> list[Signal]:
    """What a header announces: of each kind the first; a forced change in place of a scheduled
    one."""
    first: dict[type, Signal] = {}
    for item in header.digest:
        if isinstance(item, Consensus) and item.engine == GRANDPA_ENGINE:
            try:
                log: GrandpaConsensusLog = decode(GrandpaConsensusLog, item.data)
            except ScaleDecodeError:
                continue  # of a later version of the specification
            if not isinstance(log, GrandpaOnDisabled):
                first.setdefault(type(log), log)
    if ForcedChange in first:
        first.pop(ScheduledChange, None)
    return list(first.values())
