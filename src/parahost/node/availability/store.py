"""The Availability Store: keeps PoVs and chunks, and prunes them (A99-A101)."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

import trio

from parahost.node.availability.archive import Archive
from parahost.node.availability.encoding import Encoding, Made
from parahost.node.availability.retention import BlockNote, RelayBlock, Retention
from parahost.node.messages.availability import (
    QueryAvailableData,
    QueryChunk,
    QueryChunks,
    QueryPoV,
    StoreAvailableData,
    StoreChunk,
    Stored,
    TakeChunks,
    WaitChunks,
)
from parahost.node.messages.base import Message, Unanswered
from parahost.node.messages.signals import BlockFinalized, OverseerSignal, StartWork, StopWork
from parahost.node.messages.utility import BlockHeader, FinalizedHash, RuntimeApiRequest
from parahost.node.overseer import Context, Subsystem
from parahost.node.utility.new_blocks import new_blocks
from parahost.ports import Database, DatabaseError
from parahost.primitives.availability import ErasureChunk
from parahost.primitives.basic import U64, BlockNumber, CandidateHash, Hash
from parahost.primitives.candidates import AvailableData
from parahost.primitives.runtime_api import (
    CandidateBackedEvent,
    CandidateEvent,
    CandidateIncludedEvent,
)
from parahost.runtime import api

MAX_MISSED = 512
"""How far back blocks are read that passed unnoticed. What an older one included is kept for an
hour only, as what nobody included; a node that missed so much has no duty for it."""
PRUNED_AT_A_TIME = 64
"""Candidates pruned before other work has its turn."""


class AvailabilityStore(Subsystem):
    """Answers at once, from disk; encoding is a job. One long-lived job follows the chain and
    prunes.

    That job takes leaves, finality and time one after another, so that a block is never judged
    before it was read. ``prune_every_s`` is how often the time is looked at.
    """

    name = "availability-store"
    receives = (
        QueryPoV,
        QueryAvailableData,
        QueryChunk,
        QueryChunks,
        StoreChunk,
        StoreAvailableData,
        TakeChunks,
        WaitChunks,
    )
    sends: ClassVar[tuple[type[Message], ...]] = (RuntimeApiRequest, BlockHeader, FinalizedHash)

    def __init__(
        self,
        database: Database,
        retention: Retention | None = None,
        *,
        prune_every_s: float = 60.0,
    ) -> None:
        self._archive = Archive(database, retention or Retention())
        self._prune_every_s = prune_every_s
        self._made = Made()
        self._leaves: dict[Hash, RelayBlock] = {}
        self._final: RelayBlock | None = None
        self._wake = trio.Event()
        self._kept = trio.Event()
        """Set, and made anew, when something more is kept."""

    def start(self, ctx: Context) -> None:
        super().start(ctx)
        ctx.spawn(None, self._follow, "follow chain")
        ctx.spawn(None, self._tick, "tick")

    # Signals

    def on_signal(self, signal: OverseerSignal) -> None:
        match signal:
            case StartWork(leaf):
                self._leaves[leaf.hash] = RelayBlock(leaf.number, leaf.hash)
            case StopWork(relay_parent):  # its child, if it has one, leads back to it
                self._leaves.pop(relay_parent, None)
            case BlockFinalized(block, number):
                self._final = RelayBlock(number, block)
        self._wake.set()

    # Handlers

    def on_message(self, message: Message) -> None:
        archive = self._archive
        match message:
            case QueryPoV(candidate):
                data = archive.available_data(candidate)
                message.reply.answer(None if data is None else data.pov)
            case QueryAvailableData(candidate):
                message.reply.answer(archive.available_data(candidate))
            case QueryChunk(candidate, index):
                message.reply.answer(archive.chunk(candidate, index))
            case QueryChunks(candidate):
                message.reply.answer(archive.chunks(candidate))
            case WaitChunks():
                self._wait_for_chunks(message)
            case StoreChunk(candidate, chunk):
                message.reply.answer(self._store_chunk(candidate, chunk))
            case StoreAvailableData():
                self.ctx.spawn(None, partial(self._store_data, message), "encode and store")
            case TakeChunks():
                self.ctx.spawn(None, partial(self._hand_on, message), "hand chunks on")

    def _store_chunk(self, candidate: CandidateHash, chunk: ErasureChunk) -> bool:
        try:
            self._archive.keep(candidate, self._now(), chunks=(chunk,))
        except DatabaseError as error:
            self._refused(error, candidate)
            return False
        self._tell_waiting()
        return True

    def _wait_for_chunks(self, request: WaitChunks) -> None:
        """Most who ask have nothing to wait for."""
        if not self._missing(request):
            request.reply.answer(request.candidates)
        else:
            self.ctx.spawn(None, partial(self._answer_when_kept, request), "wait for chunks")

    def _missing(self, request: WaitChunks) -> list[CandidateHash]:
        archive = self._archive
        return [c for c in request.candidates if not archive.has_chunk(c, request.index)]

    # Jobs

    async def _answer_when_kept(self, request: WaitChunks) -> None:
        missing = self._missing(request)
        with trio.move_on_after(request.wait_s):
            while missing:
                await self._kept.wait()
                missing = self._missing(request)
        request.reply.answer(tuple(c for c in request.candidates if c not in missing))

    async def _store_data(self, request: StoreAvailableData) -> None:
        encoding = await self._encode(request.data, request.validators)
        request.reply.answer(self._keep(request, encoding))

    def _keep(self, request: StoreAvailableData, encoding: Encoding) -> Stored:
        if encoding.erasure_root != request.erasure_root:
            self.ctx.journal.record(
                "availability.wrong_root",
                candidate=request.candidate,
                reason="the data give another erasure root than the candidate's",
            )
            return Stored.WRONG_ROOT
        kept = () if request.own is None else (encoding.chunks[request.own],)
        try:
            self._archive.keep(request.candidate, self._now(), data=request.data, chunks=kept)
        except DatabaseError as error:
            self._refused(error, request.candidate)
            return Stored.REFUSED
        self._tell_waiting()
        self._made.put(request.candidate, encoding)
        self.ctx.journal.record("availability.stored", candidate=request.candidate)
        return Stored.KEPT

    async def _hand_on(self, request: TakeChunks) -> None:
        encoding = self._made.take(request.candidate)
        if encoding is None or len(encoding.chunks) != request.validators:
            data = self._archive.available_data(request.candidate)
            encoding = None if data is None else await self._encode(data, request.validators)
        request.reply.answer(encoding)

    async def _encode(self, data: AvailableData, validators: int) -> Encoding:
        return await self.ctx.executor.run(lambda: Encoding.of(data, validators))

    async def _tick(self) -> None:
        while True:
            await self.ctx.clock.sleep(self._prune_every_s)
            self._wake.set()

    async def _follow(self) -> None:
        while True:
            await self._wake.wait()
            self._wake = trio.Event()
            try:
                while self._leaves:
                    await self._read_up_to(self._leaves.pop(next(iter(self._leaves))))
                if self._final is not None:
                    await self._settle(self._final)
                await self._prune()
            except DatabaseError as error:
                self._refused(error)  # tried again at the next signal or tick

    async def _read_up_to(self, leaf: RelayBlock) -> None:
        """Take account of a block and of its ancestors that were missed, the oldest first, so that
        whatever was read has no gap below it."""
        missed = await new_blocks(self.ctx, leaf.hash, leaf.number, self._has_noted, MAX_MISSED)
        for block, header in missed:
            events = await self._events(block)
            if events is not None:
                self._archive.note(RelayBlock(header.number, block), note_of(events), self._now())

    def _has_noted(self, block: Hash, number: BlockNumber) -> bool:
        return self._archive.has_noted(RelayBlock(number, block))

    async def _events(self, block: Hash) -> tuple[CandidateEvent, ...] | None:
        """What a block did; ``None`` when it is too old and its state is gone."""
        if (leaf := self.ctx.leaves.get(block)) is not None:
            return leaf.events
        try:
            return await self.ctx.ask(RuntimeApiRequest(block, api.candidate_events, keep=False))
        except Unanswered:
            return None

    async def _settle(self, final: RelayBlock) -> None:
        """Judge all blocks up to the final one."""
        settled = self._archive.settled
        if settled is not None and final.number <= settled:
            return
        await self._read_up_to(final)
        for block, note in self._archive.unsettled(final.number):
            canonical = await self._hash_of_final(block.number, final)
            self._archive.settle(block, note, is_final=block.hash == canonical, now=self._now())
        self._archive.settle_up_to(final.number)

    async def _hash_of_final(self, number: BlockNumber, final: RelayBlock) -> Hash | None:
        if number == final.number:
            return final.hash
        return await self.ctx.ask(FinalizedHash(number))

    async def _prune(self) -> None:
        while due := self._archive.due(self._now(), PRUNED_AT_A_TIME):
            pending = self._pending()
            for entry in due:
                _, candidate = entry
                record = self._archive.record(candidate)
                if candidate in pending and record is not None and record.final_at is None:
                    self._archive.postpone(candidate, self._now())
                elif (expired := self._archive.prune(entry, self._now())) is not None:
                    self.ctx.journal.record(
                        "availability.pruned", candidate=candidate, reason=expired.value
                    )
            await self.ctx.clock.sleep(0)

    def _pending(self) -> dict[CandidateHash, None]:
        """Candidates that may become available in the next block, however long ago they were
        backed: the chain may have stood still."""
        return {candidate: None for leaf in self.ctx.leaves.values() for candidate in leaf.pending}

    # Routines

    def _tell_waiting(self) -> None:
        self._kept.set()
        self._kept = trio.Event()

    def _now(self) -> U64:
        return U64(int(self.ctx.clock.now() * 1000))

    def _refused(self, error: DatabaseError, candidate: CandidateHash | None = None) -> None:
        named = {} if candidate is None else {"candidate": candidate}
        self.ctx.journal.record("availability.not_stored", reason=str(error), **named)


def note_of(events: tuple[CandidateEvent, ...]) -> BlockNote:
    """What of a block's events the store wants to know."""
    return BlockNote(
        backed=tuple(e.receipt.hash() for e in events if isinstance(e, CandidateBackedEvent)),
        included=tuple(e.receipt.hash() for e in events if isinstance(e, CandidateIncludedEvent)),
    )
