"""Block authorship: what the node puts into a block that it may author (A104)."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial

import trio

from parahost.chain.errors import StateUnavailable, UnknownBlock
from parahost.consensus.babe.epochs import BabeParameters
from parahost.node.messages.base import Unanswered
from parahost.node.messages.utility import (
    BlockAuthorshipData,
    RequestBlockAuthorshipData,
)
from parahost.node.overseer import Overseer
from parahost.ports import Clock, Executor, Journal
from parahost.primitives.basic import Hash, Slot
from parahost.primitives.consensus import BabeEquivocationProof, GrandpaEquivocationProof
from parahost.primitives.header import Block, Extrinsic, Header, PreRuntime
from parahost.primitives.inherent import ParachainsInherentData
from parahost.primitives.misbehavior import (
    CandidateValidityDisagreement,
    DoubleVote,
    MisbehaviorReport,
    SelfContradiction,
)
from parahost.runtime import inherents
from parahost.runtime.babe import ReportBabeEquivocation
from parahost.runtime.contradictions import ReportContradiction
from parahost.runtime.errors import (
    BlockTooHeavy,
    BodyTooLong,
    InvalidBlock,
    InvalidTransaction,
    KnownDeed,
)
from parahost.runtime.executive import BlockBuilder, Runtime
from parahost.runtime.extrinsic import inherent
from parahost.runtime.grandpa import ReportGrandpaEquivocation
from parahost.runtime.module import RuntimeCall
from parahost.runtime.parachains.sanitize import NO_CHECKS
from parahost.runtime.parachains.validity import NoteChecks
from parahost.runtime.storage import State

log = logging.getLogger(__name__)

MAX_WAIT_S = 1.0
"""How long the Provisioner may take; a block without parachains is better than none."""

MAX_UNFIT = 8
"""After so many transactions that no longer fit into the block, it is full."""


class BlockProposer:
    """Makes blocks from what the Provisioner and the transaction pool have ready."""

    def __init__(
        self,
        overseer: Overseer,
        runtime: Runtime,
        clock: Clock,
        journal: Journal,
        executor: Executor,
        *,
        header_of: Callable[[Hash], Header | None],
        state_of: Callable[[Hash], State],
        transactions: Callable[[], Iterable[Extrinsic]],
        parameters: BabeParameters,
    ) -> None:
        """``transactions`` gives those that are ready on the best block, in order."""
        self._overseer, self._runtime = overseer, runtime
        self._clock, self._journal, self._executor = clock, journal, executor
        self._header_of, self._state_of = header_of, state_of
        self._transactions = transactions
        self._parameters = parameters

    async def propose(
        self, parent: Hash, slot: Slot, pre_digest: PreRuntime, deadline: float
    ) -> Block | None:
        """A block on ``parent`` without its seal; ``None`` when the parent is gone or nothing
        acceptable could be made."""
        header = self._header_of(parent)
        if header is None:
            return None
        data = await self._authorship_data(parent, header)
        try:
            state = self._state_of(parent)
        except (UnknownBlock, StateUnavailable) as why:  # finality has left it while we waited
            self._journal.record("author.parent_gone", relay_parent=parent, reason=str(why))
            log.warning("slot %d is given up: %s", slot, why)
            return None

        timestamp = inherents.timestamp(self._timestamp_ms(slot, state))

        def begun(paras: ParachainsInherentData, checks: NoteChecks) -> BlockBuilder:
            builder = self._runtime.new_block(state, header, (pre_digest,))
            builder.apply(timestamp)
            builder.apply(inherents.parachains(paras))
            if checks:
                builder.apply(inherents.checks(checks))
            return builder

        async def begin(
            paras: ParachainsInherentData, checks: NoteChecks = NO_CHECKS
        ) -> BlockBuilder:
            return await self._executor.run(partial(begun, paras, checks))

        async def whole() -> BlockBuilder:
            builder = await begin(data.inherent, data.checks)
            await self._add(builder, reports_for_chain(data.misbehavior), deadline)
            await self._add(builder, self._transactions(), deadline)
            return builder

        empty = _nothing_of_paras(header)
        attempts = (whole, partial(begin, data.inherent), partial(begin, empty))
        return await self._first_acceptable(parent, slot, attempts)

    async def _first_acceptable(
        self, parent: Hash, slot: Slot, attempts: Sequence[Callable[[], Awaitable[BlockBuilder]]]
    ) -> Block | None:
        """Whatever import would refuse is not made: something smaller is, and loudly."""
        for attempt in attempts:
            try:
                builder = await attempt()
                block, _ = await self._executor.run(builder.finish)
            except (InvalidBlock, InvalidTransaction) as why:
                self._journal.record("author.refused", relay_parent=parent, reason=str(why))
                log.warning("slot %d: our block would be refused: %s", slot, why)
            else:
                return block
        return None

    async def _authorship_data(self, parent: Hash, header: Header) -> BlockAuthorshipData:
        with trio.move_on_after(min(MAX_WAIT_S, self._parameters.slot_duration_s / 4)):
            try:
                return await self._overseer.ask(RequestBlockAuthorshipData(parent))
            except Unanswered:
                pass
        return BlockAuthorshipData(_nothing_of_paras(header), NO_CHECKS, ())

    def _timestamp_ms(self, slot: Slot, parent: State) -> int:
        """Our time, moved into the slot if it lies outside, and not before what the parent's
        author leaves us: one that says the last moment of its slot must not silence the next."""
        duration = self._parameters.slot_duration_ms
        start = slot * duration
        now = min(max(int(self._clock.now() * 1000), start), start + duration - 1)
        return max(now, self._runtime.modules.timestamp.earliest_ms(parent))

    async def _add(
        self, builder: BlockBuilder, extrinsics: Iterable[Extrinsic], deadline: float
    ) -> None:
        """Add what fits and is fit, others having their turns between."""
        unfit = 0
        for extrinsic in extrinsics:
            await trio.lowlevel.checkpoint()
            if self._clock.now() >= deadline:
                return
            try:
                builder.apply(extrinsic)
            except (BodyTooLong, BlockTooHeavy):
                unfit += 1
                if unfit == MAX_UNFIT:
                    return
            except KnownDeed:  # this fork has punished it; another may have to
                continue
            except (InvalidTransaction, InvalidBlock) as why:
                self._journal.record("author.extrinsic_skipped", reason=str(why))


def _nothing_of_paras(parent: Header) -> ParachainsInherentData:
    return ParachainsInherentData((), (), (), parent)


def reports_for_chain(reports: Iterable[MisbehaviorReport]) -> list[Extrinsic]:
    """What of the reports proves something to the chain, as extrinsics. A disagreement does not: it
    is settled by a dispute."""
    calls = (_report_call(report) for report in reports)
    return [inherent(call) for call in calls if call is not None]


def _report_call(report: MisbehaviorReport) -> RuntimeCall | None:
    match report:
        case BabeEquivocationProof():
            return ReportBabeEquivocation(report)
        case GrandpaEquivocationProof():
            return ReportGrandpaEquivocation(report)
        case SelfContradiction() | DoubleVote():
            return ReportContradiction(report)
        case CandidateValidityDisagreement():
            return None
