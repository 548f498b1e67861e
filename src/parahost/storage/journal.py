"""The journal of a database: batches in a file, in order, each whole or not there.

LMDB makes no promise about a commit that was not synced: after a power failure its tree may point
at pages that never reached the disk. So a batch is written here first, and LMDB only ever commits
with a sync. A record is

    length of the payload (u64) | xxh3-64 of sequence and payload (u64) | sequence (u64) | payload

all little-endian; the payload is SCALE. Reading stops at the first record that is cut off, damaged
or out of sequence: what a power failure leaves is a beginning of what was written.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path

from xxhash import xxh3_64_intdigest

from parahost.ports.database import Batch, DatabaseError
from parahost.primitives.scale import decode, encode

_HEADER = struct.Struct("<QQQ")
_Changes = tuple[tuple[str, bytes, bytes | None], ...]


class Journal:
    """An open journal file; one process has it at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._failed = False
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self.size = os.fstat(self._file).st_size
        except OSError as why:
            raise DatabaseError(f"cannot open the journal {path}: {why.strerror}") from why

    def replay(self, after: int) -> Iterator[Batch]:
        """The batches that follow number ``after``, in order and without a gap. What stands behind
        the last whole one is cut off the file at the end."""
        position = 0
        previous: int | None = None
        while (record := self._read(position)) is not None:
            sequence, batch, end = record
            if previous is not None and sequence != previous + 1:
                break
            if sequence > after:
                if previous is None and sequence != after + 1:
                    break
                yield batch
            previous, position = sequence, end
        self._cut(position)

    def append(self, sequence: int, batch: Batch, *, durable: bool) -> None:
        """Write a batch behind the others; when ``durable``, all of the journal reaches the disk.

        :raises DatabaseError: when the disk is full or fails; then the batch is not in the journal.
        """
        if self._failed:
            raise DatabaseError(f"{self._path} failed to sync earlier: stop, and open it anew")
        changes: _Changes = tuple((*where, value) for where, value in batch.changes.items())
        payload = encode(changes, _Changes)
        record = _HEADER.pack(len(payload), _checksum(sequence, payload), sequence) + payload
        before = self.size
        try:
            self._write(record)
            if durable:
                self._sync()
        except OSError as why:
            self._cut(before)
            raise DatabaseError(f"cannot write the journal {self._path}: {why.strerror}") from why

    def clear(self) -> None:
        """Forget all batches: they are safe elsewhere."""
        self._cut(0)

    def close(self) -> None:
        os.close(self._file)
        self._file = -1

    def _read(self, position: int) -> tuple[int, Batch, int] | None:
        """The record there with its sequence number and its end; ``None`` if there is no whole
        one."""
        header = os.pread(self._file, _HEADER.size, position)
        if len(header) < _HEADER.size:
            return None
        length, checksum, sequence = _HEADER.unpack(header)
        start = position + _HEADER.size
        if length > self.size - start:
            return None
        payload = os.pread(self._file, length, start)
        if len(payload) < length or _checksum(sequence, payload) != checksum:
            return None
        batch = Batch()
        for table, key, value in decode(_Changes, payload):
            batch.changes[table, key] = value
        return sequence, batch, start + length

    def _write(self, record: bytes) -> None:
        rest = memoryview(record)
        while rest:
            written = os.pwrite(self._file, rest, self.size)
            self.size += written
            rest = rest[written:]

    def _sync(self) -> None:
        """After a failed sync nobody knows what is on the disk, and trying again would not tell:
        so the journal takes nothing more."""
        try:
            os.fdatasync(self._file)
        except OSError:
            self._failed = True
            raise

    def _cut(self, size: int) -> None:
        self.size = size
        try:
            os.ftruncate(self._file, size)
        except OSError as why:
            raise DatabaseError(f"cannot cut the journal {self._path}: {why.strerror}") from why


def _checksum(sequence: int, payload: bytes) -> int:
    return int(xxh3_64_intdigest(payload, sequence))
