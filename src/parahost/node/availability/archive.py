"""The Availability Store's tables: available data, chunks, and the records that prune them.

Everything is on disk and nothing in memory, so a kill at any instant leaves a legal archive. What
others rely on (data, chunks) is durable when a call returns. What can be read from the chain
again (records) is not, and then lost only together with the mark that it has been read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice, takewhile
from typing import cast

from parahost.node.availability.retention import (
    BlockNote,
    CandidateRecord,
    Expiry,
    RelayBlock,
    Retention,
)
from parahost.ports import Batch, Database
from parahost.primitives.availability import ErasureChunk
from parahost.primitives.basic import H256, U32, U64, BlockNumber, CandidateHash, ChunkIndex, Hash
from parahost.primitives.candidates import AvailableData
from parahost.primitives.scale import decode, encode

DATA = "availability.data"
"""Candidate hash -> ``AvailableData``."""
CHUNKS = "availability.chunks"
"""Candidate hash ++ index (u32, big-endian) -> ``ErasureChunk``."""
RECORDS = "availability.records"
"""Candidate hash -> ``CandidateRecord``."""
DUE = "availability.due"
"""When its record is due (ms, u64, big-endian) ++ candidate hash -> nothing."""
BLOCKS = "availability.blocks"
"""Number (u32, big-endian) ++ hash of a block that finality has not judged -> ``BlockNote``."""
META = "availability.meta"
_SETTLED = b"settled"

RecordUpdate = Callable[[CandidateRecord], CandidateRecord]


@dataclass(slots=True)
class Archive:
    """The tables, and each change of them as one batch. Times are in ms since the Unix epoch."""

    database: Database
    retention: Retention

    # What is kept

    def available_data(self, candidate: CandidateHash) -> AvailableData | None:
        form = self.database.get(DATA, candidate)
        return None if form is None else cast(AvailableData, decode(AvailableData, form))

    def chunk(self, candidate: CandidateHash, index: ChunkIndex) -> ErasureChunk | None:
        form = self.database.get(CHUNKS, _chunk_key(candidate, index))
        return None if form is None else cast(ErasureChunk, decode(ErasureChunk, form))

    def has_chunk(self, candidate: CandidateHash, index: ChunkIndex) -> bool:
        return self.database.get(CHUNKS, _chunk_key(candidate, index)) is not None

    def chunks(self, candidate: CandidateHash) -> tuple[ErasureChunk, ...]:
        """All that are kept of a candidate, ascending by index."""
        found = self.database.scan(CHUNKS, prefix=candidate)
        return tuple(decode(ErasureChunk, form) for _, form in found)

    def record(self, candidate: CandidateHash) -> CandidateRecord | None:
        form = self.database.get(RECORDS, candidate)
        return None if form is None else cast(CandidateRecord, decode(CandidateRecord, form))

    def keep(
        self,
        candidate: CandidateHash,
        now: U64,
        *,
        data: AvailableData | None = None,
        chunks: Sequence[ErasureChunk] = (),
    ) -> None:
        """Keep data and chunks, durably by the return; what is kept already is not rewritten.

        :raises DatabaseError: when the disk refuses; then nothing is changed.
        """
        batch = Batch()
        if data is not None and self.database.get(DATA, candidate) is None:
            batch.put(DATA, candidate, encode(data))
        for chunk in chunks:
            key = _chunk_key(candidate, chunk.index)
            if self.database.get(CHUNKS, key) is None:
                batch.put(CHUNKS, key, encode(chunk))
        if not batch.changes:
            return
        self._amend(batch, candidate, now, lambda record: record)
        self.database.write(batch, durable=True)

    # What the chain says

    @property
    def settled(self) -> BlockNumber | None:
        """Up to this number finality has judged all blocks; ``None`` in a new archive."""
        form = self.database.get(META, _SETTLED)
        return None if form is None else BlockNumber(U32(int.from_bytes(form, "big")))

    def has_noted(self, block: RelayBlock) -> bool:
        """Whether the block has been taken account of, or comes too late to be."""
        settled = self.settled
        if settled is not None and block.number <= settled:
            return True
        return self.database.get(BLOCKS, _block_key(block)) is not None

    def note(self, block: RelayBlock, note: BlockNote, now: U64) -> None:
        """Take account of what a block did. A candidate that is not stored yet gets a record too,
        so that a chunk that comes later is pruned rightly."""
        batch = Batch()
        for candidate in note.candidates():
            self._amend(batch, candidate, now, partial(_noted, candidate, block, note, now))
        batch.put(BLOCKS, _block_key(block), encode(note))
        self.database.write(batch, durable=False)

    def unsettled(self, up_to: BlockNumber) -> list[tuple[RelayBlock, BlockNote]]:
        """The noted blocks up to that number, ascending."""
        entries = ((_block_of(key), form) for key, form in self.database.scan(BLOCKS))
        below = takewhile(lambda entry: entry[0].number <= up_to, entries)
        return [(block, decode(BlockNote, form)) for block, form in below]

    def settle(self, block: RelayBlock, note: BlockNote, *, is_final: bool, now: U64) -> None:
        """Finality has judged a noted block."""
        batch = Batch()
        for candidate in note.candidates():
            self._amend(
                batch,
                candidate,
                now,
                lambda record: (
                    record.finalized(block, now) if is_final else record.orphaned(block, now)
                ),
            )
        batch.delete(BLOCKS, _block_key(block))
        self.database.write(batch, durable=False)

    def settle_up_to(self, number: BlockNumber) -> None:
        """All noted blocks up to that number have been judged."""
        batch = Batch()
        batch.put(META, _SETTLED, number.to_bytes(4, "big"))
        self.database.write(batch, durable=False)

    # Pruning

    def due(self, now: U64, limit: int) -> list[tuple[U64, CandidateHash]]:
        """Candidates whose records are due, with the time at which they became so, the oldest
        first, at most ``limit``."""
        entries = (_due_of(key) for key, _ in self.database.scan(DUE))
        return list(islice(takewhile(lambda entry: entry[0] <= now, entries), limit))

    def prune(self, entry: tuple[U64, CandidateHash], now: U64) -> Expiry | None:
        """Take an entry of :meth:`due` and delete what it stands for; tells what that was. It is
        nothing when the retention has changed since the entry was made: then there is a new one."""
        at, candidate = entry
        batch = Batch()
        batch.delete(DUE, _due_key(at, candidate))
        record = self.record(candidate)
        due = None if record is None else record.due(self.retention)
        expired = due[1] if due is not None and due[0] <= now else None
        if expired is None and record is not None:
            self._amend(batch, candidate, now, lambda record: record)
        elif expired is Expiry.POV:
            batch.delete(DATA, candidate)
            self._amend(batch, candidate, now, CandidateRecord.without_pov)
        elif expired is Expiry.ALL:
            batch.delete(DATA, candidate)
            for key, _ in self.database.scan(CHUNKS, prefix=candidate):
                batch.delete(CHUNKS, key)
            batch.delete(RECORDS, candidate)
        self.database.write(batch, durable=False)
        return expired

    def postpone(self, candidate: CandidateHash, now: U64) -> None:
        """There is a sign of the candidate: its hour begins anew."""
        batch = Batch()
        self._amend(batch, candidate, now, lambda record: record.renewed(now))
        self.database.write(batch, durable=False)

    # Records

    def _amend(
        self, batch: Batch, candidate: CandidateHash, now: U64, change: RecordUpdate
    ) -> None:
        """Put a candidate's changed record, new if need be, and when it is due into the batch."""
        old = self.record(candidate)
        new = change(old or CandidateRecord(since=now))
        if old is not None and (due := old.due(self.retention)) is not None:
            batch.delete(DUE, _due_key(due[0], candidate))
        if (due := new.due(self.retention)) is not None:
            batch.put(DUE, _due_key(due[0], candidate), b"")
        batch.put(RECORDS, candidate, encode(new))


def _noted(
    candidate: CandidateHash, block: RelayBlock, note: BlockNote, now: U64, record: CandidateRecord
) -> CandidateRecord:
    """The candidate's record, with what the block did to it."""
    if candidate in note.backed:
        record = record.backed(block, now)
    return record.included(block) if candidate in note.included else record


def _chunk_key(candidate: CandidateHash, index: ChunkIndex) -> bytes:
    return candidate + index.to_bytes(4, "big")


def _due_key(due: U64, candidate: CandidateHash) -> bytes:
    return due.to_bytes(8, "big") + candidate


def _due_of(key: bytes) -> tuple[U64, CandidateHash]:
    return U64(int.from_bytes(key[:8], "big")), CandidateHash(H256(key[8:]))


def _block_key(block: RelayBlock) -> bytes:
    return block.number.to_bytes(4, "big") + block.hash


def _block_of(key: bytes) -> RelayBlock:
    return RelayBlock(BlockNumber(U32(int.from_bytes(key[:4], "big"))), Hash(H256(key[4:])))
