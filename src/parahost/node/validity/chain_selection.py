"""Chain Selection: forks with invalid candidates are left, and come back when a dispute turns; and
votes on finality go no further than all is well (D23, D27).

The fork choice itself is the chain's, so that author, sync, pool and finality see one best block.
This subsystem hears what disputes come to, and has the chain consider its forks again. What is
final is never reverted: then the paras freeze, and the operator is told.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import ClassVar, Protocol

import trio

from parahost.consensus.grandpa import BlockRef
from parahost.metrics.metric import Gauge, Reading
from parahost.node.messages.base import Message, Unanswered
from parahost.node.messages.signals import BlockFinalized, OverseerSignal, StartWork
from parahost.node.messages.validity import (
    ApprovalsMoved,
    ApprovedAncestor,
    BlockCandidates,
    DisputeMoved,
    UndisputedChain,
)
from parahost.node.overseer import Context, Subsystem
from parahost.node.validity.viability import Viability
from parahost.node.validity.voting_limit import VotingLimit
from parahost.primitives.basic import FIRST_BLOCK, BlockNumber, CandidateHash, Hash, block_at
from parahost.primitives.header import Header
from parahost.runtime import api
from parahost.runtime.storage import State

APPROVAL_LAG = Gauge(
    "polkadot_parachain_approval_checking_finality_lag",
    "How many blocks behind the best one this node's votes on finality stop for lack of checks.",
)
DISPUTE_LAG = Gauge(
    "polkadot_parachain_disputes_finality_lag",
    "How many blocks behind the best one they stop, disputes counted too.",
)

log = logging.getLogger(__name__)


class SelectedChain(Protocol):
    """What Chain Selection reads of the chain."""

    @property
    def best(self) -> Header:
        """The head of the fork that the node builds on."""
        ...

    @property
    def best_hash(self) -> Hash: ...

    @property
    def finalized(self) -> Header:
        """The last final block."""
        ...

    @property
    def finalized_hash(self) -> Hash: ...

    def state(self, block: Hash, /) -> State:
        """The state after a block."""
        ...

    def is_ancestor(self, ancestor: Hash, block: Hash, /) -> bool:
        """Whether the first is the second or one of its ancestors."""
        ...

    def ancestors(self, block: Hash, count: int, /) -> list[Hash]:
        """Up to so many ancestors of a block, the parent first."""
        ...


@dataclass(frozen=True, slots=True)
class Consequences:
    """What is done about what Chain Selection finds."""

    reconsider_forks: Callable[[], None]
    """Ask of all forks anew whether they are to be left."""
    limit_moved: Callable[[], None]
    """Votes on finality may go further, or less far, than before."""


class ChainSelection(Subsystem):
    """Leaves forks, takes them up again, limits votes on finality, and raises the alarm."""

    name = "chain-selection"
    receives = (ApprovalsMoved, DisputeMoved)
    sends: ClassVar[tuple[type[Message], ...]] = (ApprovedAncestor, UndisputedChain)
    metrics = (APPROVAL_LAG, DISPUTE_LAG)

    def __init__(
        self,
        chain: SelectedChain,
        viability: Viability,
        limit: VotingLimit,
        consequences: Consequences,
    ) -> None:
        self._chain = chain
        self._viability = viability
        self._limit = limit
        self._consequences = consequences
        self._approved = limit.block
        """The last block of the best chain up to which all was approved when that was asked."""
        self._are_disputes = False
        """Whether there has been a dispute: until then nobody need be asked about any."""
        self._alarmed: BlockNumber | None = None
        """The first block of which it has been said that an invalid candidate in it is final."""
        self._stirred = trio.Event()

    def start(self, ctx: Context) -> None:
        super().start(ctx)
        ctx.spawn(None, self._follow, "follow what may be voted for")

    # Signals

    def on_signal(self, signal: OverseerSignal) -> None:
        match signal:
            case StartWork():
                self._stirred.set()
            case BlockFinalized():
                self._look_at_finality()
                self._stirred.set()

    # Handlers

    def on_message(self, message: Message) -> None:
        if isinstance(message, DisputeMoved):
            self._on_dispute(message)
        self._stirred.set()

    def _on_dispute(self, moved: DisputeMoved) -> None:
        self._are_disputes = True
        key = moved.session, moved.candidate
        if self._viability.note(key, towards_invalid=moved.towards_invalid):
            self._consequences.reconsider_forks()
            self._look_at_finality()

    def readings(self) -> Iterable[Reading]:
        best = self._chain.best.number
        return (
            APPROVAL_LAG.of(max(best - self._approved.number, 0)),
            DISPUTE_LAG.of(max(best - self._limit.block.number, 0)),
        )

    # Jobs

    async def _follow(self) -> None:
        """Keep the limit up to date. What happens meanwhile is looked at right after."""
        while True:
            await self._stirred.wait()
            self._stirred = trio.Event()
            try:
                limit = await self._find_limit()
            except Unanswered:
                continue
            if limit != self._limit.block:
                self._limit.block = limit
                self._consequences.limit_moved()

    async def _find_limit(self) -> BlockRef:
        final = BlockRef(self._chain.finalized_hash, self._chain.finalized.number)
        best = BlockRef(self._chain.best_hash, self._chain.best.number)
        since = self._approved if self._is_between(final, self._approved, best) else final
        asked = ApprovedAncestor((since.hash, since.number), (best.hash, best.number))
        self._approved = BlockRef(*await self.ctx.ask(asked))
        if self._are_disputes:
            return await self._undisputed(final, self._approved)
        return self._approved

    async def _undisputed(self, final: BlockRef, last: BlockRef) -> BlockRef:
        """The last block up to ``last`` below the first with a disputed candidate. What the state
        does not record is not looked at: it was accepted undisputed."""
        included: dict[int, list[CandidateHash]] = {}
        for record in api.included_candidates(self._chain.state(last.hash)):
            included.setdefault(record.included_in, []).append(record.receipt.hash())
        first = min((n for n in included if n > final.number), default=last.number + 1)
        base, *blocks = self._line(first - 1, last)
        asked = UndisputedChain(
            base.hash,
            tuple(
                BlockCandidates(block.hash, tuple(included.get(block.number, ())))
                for block in blocks
            ),
        )
        undisputed = await self.ctx.ask(asked)
        return next((block for block in blocks if block.hash == undisputed), base)

    # Routines

    def _line(self, number: int, high: BlockRef) -> list[BlockRef]:
        """The blocks from that number on the way to a block, up to that one, ascending."""
        line = [high.hash, *self._chain.ancestors(high.hash, high.number - number)]
        return [
            BlockRef(block, block_at(number + place)) for place, block in enumerate(reversed(line))
        ]

    def _is_between(self, low: BlockRef, block: BlockRef, high: BlockRef) -> bool:
        return self._chain.is_ancestor(low.hash, block.hash) and self._chain.is_ancestor(
            block.hash, high.hash
        )

    def _look_at_finality(self) -> None:
        """Raise the alarm, once, when what is final includes an invalid candidate."""
        final = self._chain.state(self._chain.finalized_hash)
        number = self._viability.first_unviable(final, above=FIRST_BLOCK)
        if number is None or number == self._alarmed:
            return
        self._alarmed = number
        self.ctx.journal.record("chain.invalid_is_final", number=number)
        log.error(
            "block %d is final and includes a candidate that is invalid, or may be: nothing is "
            "reverted, paras freeze when a supermajority says so, and governance has to decide",
            number,
        )
