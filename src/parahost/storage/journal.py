"""A journal of a database: batches in a file, in order, each whole or not there.

LMDB makes no promise about a commit that was not synced: after a power failure its tree may point
at pages that never reached the disk. So a batch is written here first, and LMDB only ever commits
with a sync. A record is

    length of the payload (u64) | xxh3-64 of mark and payload (u64) | mark (u64) | payload

all little-endian; the payload is SCALE. The mark is the batch's sequence number, with the highest
bit set when the batch was durable. What stands before a durable record is on the disk before that
record is written. Reading stops at the first record that is not whole. When no whole durable record
follows, a power failure has torn the tail: it counts for nothing, and what is left is a beginning
of what was written. When one follows, the disk has lost what it had: the journal is damaged.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from xxhash import xxh3_64

from parahost.ports.database import Batch, DatabaseDamaged, DatabaseError
from parahost.primitives.scale import codec_of, decode, encode_compact

_HEADER = struct.Struct("<QQQ")
_DURABLE = 1 << 63
_Change = tuple[str, bytes, bytes | None]
_Changes = tuple[_Change, ...]
_CHANGE = codec_of(_Change)
_PLACE = codec_of(tuple[str, bytes])
_SOME = b"\x01"
_LARGE_VALUE = 1 << 16


class WriteAheadLog:
    """An open journal file; one process has it at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._failed = False
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self.size = os.fstat(self._file).st_size
        except OSError as why:
            raise DatabaseError(f"cannot open the journal {path}: {why.strerror}") from why
        self._synced = self.size

    @property
    def unsynced(self) -> int:
        """How many of its bytes a power failure may take."""
        return self.size - self._synced

    def first(self) -> int | None:
        """The number of its first batch; ``None`` when there is none."""
        record = self._read(0)
        return None if record is None else record[0]

    def replay(self, after: int) -> Iterator[Batch]:
        """The batches that follow number ``after``, in order and without a gap, up to where a power
        failure may have torn the tail.

        :raises DatabaseDamaged: when a durable batch is whole and one before it is not.
        """
        position = 0
        previous: int | None = None
        while (record := self._read(position)) is not None:
            sequence, batch, end = record
            if sequence > after:
                if sequence != (after if previous is None else previous) + 1:
                    raise DatabaseDamaged(str(self._path), f"no batch before number {sequence}")
                yield batch
            previous, position = sequence, end
        last = after if previous is None else max(after, previous)
        if (durable := self._durable_record_behind(position, last)) is not None:
            raise DatabaseDamaged(
                str(self._path),
                f"the record at byte {position} is not whole, and one that was written after it, at"
                f" byte {durable}, is",
            )

    def append(self, sequence: int, batch: Batch, *, durable: bool) -> None:
        """Write a batch behind the others; when ``durable``, all of the journal reaches the disk,
        what was written before it first.

        :raises DatabaseError: when the disk is full or fails; then the batch is not in the journal.
        """
        self._check_usable()
        payload = _payload(batch)
        mark = sequence | _DURABLE if durable else sequence
        header = _HEADER.pack(sum(map(len, payload)), _checksum(mark, *payload), mark)
        before = self.size
        try:
            if durable and self.unsynced:
                self._sync()
            for part in (header, *payload):
                self._write(part)
            if durable:
                self._sync()
        except OSError as why:
            self._cut(before)
            raise DatabaseError(f"cannot write the journal {self._path}: {why.strerror}") from why

    def sync(self) -> None:
        """Have the disk take all batches.

        :raises DatabaseError: when the disk fails; then the journal takes nothing more.
        """
        self._check_usable()
        try:
            if self.unsynced:
                self._sync()
        except OSError as why:
            raise DatabaseError(f"cannot sync the journal {self._path}: {why.strerror}") from why

    def clear(self) -> None:
        """Forget all batches: they are safe elsewhere."""
        self._cut(0)

    def close(self) -> None:
        os.close(self._file)
        self._file = -1

    def _check_usable(self) -> None:
        if self._failed:
            raise DatabaseError(f"{self._path} failed to sync earlier: stop, and open it anew")

    def _read(self, position: int) -> tuple[int, Batch, int] | None:
        """The record there with its sequence number and its end; ``None`` if there is no whole
        one."""
        header = os.pread(self._file, _HEADER.size, position)
        if len(header) < _HEADER.size:
            return None
        length, checksum, mark = _HEADER.unpack(header)
        start = position + _HEADER.size
        if length > self.size - start:
            return None
        payload = os.pread(self._file, length, start)
        if len(payload) < length or _checksum(mark, payload) != checksum:
            return None
        batch = Batch()
        for table, key, value in decode(_Changes, payload):
            batch.changes[table, key] = value
        return mark & ~_DURABLE, batch, start + length

    def _durable_record_behind(self, position: int, last: int) -> int | None:
        """Where a whole durable record of a batch later than ``last`` begins behind ``position``;
        at any byte, for the damage may be in a length."""
        rest = os.pread(self._file, self.size - position, position)
        for offset in _plausible_durable_headers(rest):
            length, checksum, mark = _HEADER.unpack_from(rest, offset)
            start = offset + _HEADER.size
            is_later = mark & ~_DURABLE > last
            if is_later and _checksum(mark, rest[start : start + length]) == checksum:
                return position + offset
        return None

    def _write(self, part: bytes) -> None:
        rest = memoryview(part)
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
        self._synced = self.size

    def _cut(self, size: int) -> None:
        self.size = size
        self._synced = min(self._synced, size)
        try:
            os.ftruncate(self._file, size)
        except OSError as why:
            raise DatabaseError(f"cannot cut the journal {self._path}: {why.strerror}") from why


def _payload(batch: Batch) -> list[bytes]:
    """The SCALE form of its changes, in parts. A large value is a part as it is: copying it would
    keep the interpreter's lock from the event loop."""
    parts: list[bytes] = []
    part = bytearray()
    encode_compact(part, len(batch.changes))
    for (table, key), value in batch.changes.items():
        if value is None or len(value) < _LARGE_VALUE:
            _CHANGE.encode_into(part, (table, key, value))
            continue
        _PLACE.encode_into(part, (table, key))
        part += _SOME
        encode_compact(part, len(value))
        parts += (bytes(part), value)
        part = bytearray()
    return [*parts, bytes(part)]


def _checksum(mark: int, *payload: bytes) -> int:
    checksum = xxh3_64(seed=mark)
    for part in payload:
        checksum.update(part)
    return int(checksum.intdigest())


def _plausible_durable_headers(data: bytes) -> list[int]:
    """Offsets behind the first byte at which a header may stand: its payload ends within the data,
    and its mark is that of a durable batch, with a number below 2**48."""
    found: list[int] = []
    if len(data) <= _HEADER.size + 8:
        return found
    for shift in range(8):
        words = np.frombuffer(data, "<u8", offset=shift, count=(len(data) - shift) // 8)
        lengths, marks = words[:-2], words[2:]
        ends = np.arange(len(lengths), dtype=np.uint64) * 8 + np.uint64(shift + _HEADER.size)
        fits = lengths <= np.uint64(len(data)) - np.minimum(ends, np.uint64(len(data)))
        durable = marks >> np.uint64(48) == np.uint64(_DURABLE >> 48)
        found += (np.flatnonzero(fits & durable) * 8 + shift).tolist()
    return sorted(offset for offset in found if offset > 0)
