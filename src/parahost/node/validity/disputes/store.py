"""Disputes on disk.

Each change is one batch that leads from one legal database to another, so a kill at any instant
leaves a legal one. What this node or a peer has said is durable when a call returns. What blocks
say is not: a block is read again, unless the mark that it was read is durable, and with it all that
was written before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import cast

from parahost.node.validity.disputes.effects import Save
from parahost.node.validity.disputes.record import (
    Dispute,
    DisputeRow,
    Testimony,
    statement_key,
)
from parahost.ports import Batch, Database
from parahost.primitives.basic import (
    H256,
    H512,
    U32,
    BlockNumber,
    CandidateHash,
    Hash,
    SessionIndex,
    ValidatorIndex,
    ValidatorSignature,
)
from parahost.primitives.disputes import SignedDisputeStatement
from parahost.primitives.scale import decode, encode
from parahost.runtime.parachains.windows import CandidateKey

ROWS = "disputes.rows"
"""Session (u32, big-endian) ++ candidate hash -> ``DisputeRow``."""
STATEMENTS = "disputes.statements"
"""The same ++ validator (u32, big-endian) ++ form (u8) -> ``SignedDisputeStatement``."""
TESTIMONY = "disputes.testimony"
"""Session ++ candidate hash -> ``Testimony``."""
HOLDERS = "disputes.holders"
"""Session ++ candidate hash ++ validator -> its signature that it holds its chunk (64 bytes)."""
READ_BLOCKS = "disputes.blocks"
"""Number (u32, big-endian) ++ hash of a block that was read and is not final -> nothing."""
READ_MARK = "disputes.meta"
_READ_UP_TO = b"read"

Holder = tuple[ValidatorIndex, ValidatorSignature]


@dataclass(slots=True)
class DisputeStore:
    """The tables."""

    database: Database

    # Disputes

    def disputes(self) -> list[Dispute]:
        """All that were saved."""
        found = {}
        for row_key, form in self.database.scan(ROWS):
            row: DisputeRow = decode(DisputeRow, form)
            key = _key_of(row_key)
            found[key] = Dispute(key, row)
        for statement_row, form in self.database.scan(STATEMENTS):
            signed: SignedDisputeStatement = decode(SignedDisputeStatement, form)
            found[_key_of(statement_row)].add(signed)
        return list(found.values())

    def save(self, saves: Iterable[Save]) -> None:
        """Write all of it at once, durably.

        :raises DatabaseError: when the disk refuses; then nothing is changed.
        """
        batch = Batch()
        for save in saves:
            for key, row in save.rows.items():
                batch.put(ROWS, _row(key), encode(row))
            for key, signed in save.statements:
                validator, form = statement_key(signed)
                place = _row(key) + validator.to_bytes(4, "big") + bytes((form,))
                batch.put(STATEMENTS, place, encode(signed, SignedDisputeStatement))
        if batch.changes:
            self.database.write(batch, durable=True)

    def forget(self, first: SessionIndex) -> None:
        """Delete all of the sessions before that one."""
        batch = Batch()
        for table in (ROWS, STATEMENTS, TESTIMONY, HOLDERS):
            for key, _ in self.database.scan(table):
                if int.from_bytes(key[:4], "big") >= first:
                    break
                batch.delete(table, key)
        if batch.changes:
            self.database.write(batch, durable=False)

    # What blocks say

    def testimony(self, key: CandidateKey) -> Testimony | None:
        form = self.database.get(TESTIMONY, _row(key))
        return None if form is None else cast(Testimony, decode(Testimony, form))

    def has_read(self, block: Hash, number: BlockNumber) -> bool:
        """Whether the block has been read, or is final and so comes too late to be."""
        read = self.database.get(READ_MARK, _READ_UP_TO)
        if read is not None and number <= int.from_bytes(read, "big"):
            return True
        return self.database.get(READ_BLOCKS, _block(number, block)) is not None

    def note(
        self,
        more: Mapping[CandidateKey, Testimony],
        checks: Iterable[tuple[CandidateKey, tuple[SignedDisputeStatement, ...]]],
    ) -> None:
        """Add ``more`` that a block says of candidates that it backs or includes, and the
        ``checks`` that it brings of candidates of which something is known."""
        changed: dict[CandidateKey, Testimony] = {}
        for key, said in more.items():
            known = self.testimony(key) or said
            for inclusion in said.included_in:
                known = known.with_inclusion(inclusion)
            changed[key] = known.with_statements(said.statements)
        for key, statements in checks:
            seen = changed.get(key) or self.testimony(key)
            if seen is not None:
                changed[key] = seen.with_statements(statements)
        batch = Batch()
        for key, testimony in changed.items():
            batch.put(TESTIMONY, _row(key), encode(testimony))
        if batch.changes:
            self.database.write(batch, durable=False)

    def mark_read(self, block: Hash, number: BlockNumber) -> None:
        """All that the block says has been taken account of."""
        batch = Batch()
        batch.put(READ_BLOCKS, _block(number, block), b"")
        self.database.write(batch, durable=False)

    def read_up_to(self, number: BlockNumber) -> None:
        """What is final is not read any more."""
        batch = Batch()
        batch.put(READ_MARK, _READ_UP_TO, number.to_bytes(4, "big"))
        for key, _ in self.database.scan(READ_BLOCKS):
            if int.from_bytes(key[:4], "big") > number:
                break
            batch.delete(READ_BLOCKS, key)
        self.database.write(batch, durable=False)

    # Who holds what is disputed elsewhere

    def holders(self, key: CandidateKey) -> list[Holder]:
        """Who says that it holds its chunk of the candidate; ascending."""
        found = self.database.scan(HOLDERS, prefix=_row(key))
        return [
            (ValidatorIndex(U32(int.from_bytes(place[36:], "big"))), ValidatorSignature(H512(made)))
            for place, made in found
        ]

    def add_holder(self, key: CandidateKey, holder: Holder) -> None:
        """Keep it, durably.

        :raises DatabaseError: when the disk refuses.
        """
        validator, made = holder
        batch = Batch()
        batch.put(HOLDERS, _row(key) + validator.to_bytes(4, "big"), made)
        self.database.write(batch, durable=True)


def _row(key: CandidateKey) -> bytes:
    return key[0].to_bytes(4, "big") + key[1]


def _key_of(row: bytes) -> CandidateKey:
    session = SessionIndex(U32(int.from_bytes(row[:4], "big")))
    return session, CandidateHash(H256(row[4:36]))


def _block(number: BlockNumber, block: Hash) -> bytes:
    return number.to_bytes(4, "big") + block
