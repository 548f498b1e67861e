"""Claims on the next block of a parathread, and the queue in which they wait (A22, A28-A31)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from parahost.primitives.basic import U32, CollatorId, CoreIndex, ParaId


@dataclass(frozen=True, slots=True)
class ParathreadClaim:
    """The right of a collator to author the next block of a parathread."""

    para_id: ParaId
    collator: CollatorId


@dataclass(frozen=True, slots=True)
class ParathreadEntry:
    """A claim, and how often it was scheduled in vain."""

    claim: ParathreadClaim
    retries: U32

    def retried(self) -> ParathreadEntry:
        return replace(self, retries=U32(self.retries + 1))


@dataclass(frozen=True, slots=True)
class QueuedParathread:
    claim: ParathreadEntry
    core: CoreIndex
    """Relative to the first of the cores that multiplex parathreads (D6)."""


_FIRST_CORE = CoreIndex(U32(0))


@dataclass(frozen=True, slots=True)
class ParathreadQueue:
    """First in, first out on each core. ``next_core``, relative too, takes the next claim; with
    no parathread cores it is 0 and the queue is empty."""

    queue: tuple[QueuedParathread, ...] = ()
    next_core: CoreIndex = _FIRST_CORE

    def enqueued(self, entry: ParathreadEntry, cores: int) -> ParathreadQueue:
        """With one entry more, on the core whose turn it is, of so many."""
        queued = QueuedParathread(entry, self.next_core)
        return ParathreadQueue((*self.queue, queued), CoreIndex(U32((self.next_core + 1) % cores)))

    def first_on_core(self, core: CoreIndex) -> ParathreadEntry | None:
        """Whose turn it is on a core."""
        return next((queued.claim for queued in self.queue if queued.core == core), None)

    def without_first_on_core(self, core: CoreIndex) -> ParathreadQueue:
        for place, queued in enumerate(self.queue):
            if queued.core == core:
                return replace(self, queue=self.queue[:place] + self.queue[place + 1 :])
        return self

    def retained(self, keep: Callable[[ParathreadEntry], bool]) -> ParathreadQueue:
        """Only the entries that ``keep`` approves of."""
        return replace(self, queue=tuple(queued for queued in self.queue if keep(queued.claim)))

    def rebalanced(self, cores: int) -> ParathreadQueue:
        """The entries spread evenly over so many cores, in their order (A28)."""
        queue = tuple(
            QueuedParathread(queued.claim, CoreIndex(U32(place % cores)))
            for place, queued in enumerate(self.queue)
        )
        return ParathreadQueue(queue, CoreIndex(U32(len(queue) % cores)))
