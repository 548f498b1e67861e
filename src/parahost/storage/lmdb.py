"""The database on disk: LMDB, with a journal for what LMDB has not committed yet.

A write goes to the journal, and to a dictionary that reads look into first; that is all, until the
dictionary has grown large. Then LMDB commits it, with a sync, and the journal starts anew. So a
durable write costs one sync of one file (two after writes that were not durable), any other write
none, and a power failure loses at most the last of the writes, in whole batches.
"""

from __future__ import annotations

import fcntl
import heapq
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from operator import itemgetter
from pathlib import Path

import lmdb

from parahost.ports.database import Batch, DatabaseDamaged, DatabaseError, DatabaseInUse
from parahost.storage.journal import Journal
from parahost.storage.ranges import Range, check_batch

_DATA = "data.mdb"
_MAP_SIZE = 64 << 30
"""The most that LMDB may hold, in bytes of address space; the file is as large as its contents."""
_MAX_TABLES = 32
_OWN_TABLE = b"_journal"
_SEQUENCE = b"sequence"
"""Under this key: the number of the last batch that LMDB has committed."""

_PENDING_BYTES = 4 << 20
_PENDING_CHANGES = 2048
"""At either, what is pending is committed. The committing thread is the loop's: it takes up to 20
ms of its time for so much, and 30 for one value of 16 MiB; how long the disk takes for the sync
depends on the disk."""

_Pending = dict[bytes, bytes | None]


class LmdbDatabase:
    """The database in a directory. It is used by one thread, and the directory by one process."""

    def __init__(self, path: Path) -> None:
        """Open the database, or make a new one.

        :raises DatabaseDamaged: when the files are; they stay as they are.
        :raises DatabaseInUse: when it is open already.
        :raises DatabaseError: when the disk refuses.
        """
        self._path = path
        self._pending: dict[str, _Pending] = {}
        self._pending_changes = 0
        self._closed = False
        with ExitStack() as opened:
            self._lock = _lock_directory(path)
            opened.callback(os.close, self._lock)
            self._env = opened.enter_context(_open_environment(path))
            self._journal = Journal(path / "journal")
            opened.callback(self._journal.close)
            _sync_directory(path)
            self._check_length()
            with self._reporting("open"):
                self._tables = self._open_tables()
                self._sequence = self._committed_sequence()
            self._replay()
            self._opened = opened.pop_all()

    def get(self, table: str, key: bytes) -> bytes | None:
        pending = self._pending.get(table)
        if pending is not None and key in pending:
            return pending[key]
        handle = self._tables.get(table)
        if handle is None or not key:
            return None
        with self._reporting("read"), self._env.begin(db=handle) as transaction:
            return transaction.get(key)

    def scan(
        self, table: str, *, prefix: bytes = b"", start: bytes = b"", reverse: bool = False
    ) -> Iterator[tuple[bytes, bytes]]:
        """See the port; in reverse, keys above ``start`` are passed over unless it is empty.

        A scan that is not finished keeps LMDB from reusing space: do not hold one for long.
        """
        keys = Range.of(prefix, start, reverse)
        pending = sorted(
            (item for item in self._pending.get(table, {}).items() if item[0] in keys),
            key=itemgetter(0),
            reverse=reverse,
        )
        handle = self._tables.get(table)
        if handle is None:
            return ((key, value) for key, value in pending if value is not None)
        with self._reporting("read"):
            snapshot = self._env.begin(db=handle)
        return self._merge(pending, _stored(snapshot, keys, reverse), reverse)

    def write(self, batch: Batch, *, durable: bool) -> None:
        check_batch(batch)
        if self._journal.size >= _PENDING_BYTES or self._pending_changes >= _PENDING_CHANGES:
            self._commit()
        self._make_tables(batch)
        self._journal.append(self._sequence + 1, batch, durable=durable)
        self._accept(batch)

    def close(self) -> None:
        """Commit what is pending and let go of the directory."""
        if not self._closed:
            self._closed = True
            with self._opened:
                self._commit()

    # Pending changes

    def _accept(self, batch: Batch) -> None:
        for (table, key), value in batch.changes.items():
            self._pending.setdefault(table, {})[key] = value
        self._pending_changes += len(batch.changes)
        self._sequence += 1

    def _commit(self) -> None:
        """Move what is pending into LMDB, durably, and start the journal anew."""
        if self._pending:
            with self._reporting("write"), self._env.begin(write=True) as transaction:
                for table, changes in self._pending.items():
                    handle = self._tables[table]
                    for key in sorted(changes):
                        value = changes[key]
                        if value is None:
                            transaction.delete(key, db=handle)
                        else:
                            transaction.put(key, value, db=handle)
                sequence = self._sequence.to_bytes(8, "little")
                transaction.put(_SEQUENCE, sequence, db=self._tables[_OWN_TABLE.decode()])
            self._lengthen_file()
            self._pending.clear()
            self._pending_changes = 0
        self._journal.clear()

    def _replay(self) -> None:
        for batch in self._journal.replay(self._sequence):
            self._make_tables(batch)
            self._accept(batch)
        self._commit()

    # LMDB

    def _merge(
        self,
        pending: list[tuple[bytes, bytes | None]],
        stored: Iterator[tuple[bytes, bytes]],
        reverse: bool,
    ) -> Iterator[tuple[bytes, bytes]]:
        """Both in order of keys; a pending change hides what is stored."""
        last: bytes | None = None
        with self._reporting("read"):
            for key, value in heapq.merge(pending, stored, key=itemgetter(0), reverse=reverse):
                if key != last and value is not None:
                    yield key, value
                last = key

    def _open_tables(self) -> dict[str, lmdb._Database]:
        self._env.open_db(_OWN_TABLE)
        with self._env.begin() as transaction:
            names = [bytes(name) for name, _ in transaction.cursor()]
        return {name.decode(): self._env.open_db(name, create=False) for name in names}

    def _make_tables(self, batch: Batch) -> None:
        for table, _ in batch.changes:
            if table not in self._tables:
                with self._reporting("write"):
                    self._tables[table] = self._env.open_db(table.encode())

    def _committed_sequence(self) -> int:
        with self._env.begin(db=self._tables[_OWN_TABLE.decode()]) as transaction:
            return int.from_bytes(transaction.get(_SEQUENCE, b""), "little")

    def _missing_bytes(self) -> int:
        """How much shorter the file is than LMDB's own count of pages."""
        pages = self._env.info()["last_pgno"] + 1
        needed = pages * self._env.stat()["psize"]
        return max(0, needed - (self._path / _DATA).stat().st_size)

    def _lengthen_file(self) -> None:
        """Make the file as long as LMDB counts. It may be shorter after a commit, when the last
        pages are free ones, which are not written."""
        if missing := self._missing_bytes():
            data = self._path / _DATA
            os.truncate(data, data.stat().st_size + missing)

    def _check_length(self) -> None:
        """Reading behind the end of a mapped file kills the process, so a file that was cut off
        must be found out before. One that is short for want of :meth:`_lengthen_file` has a
        journal yet, because that is cleared after."""
        if self._missing_bytes() and not self._journal.size:
            raise DatabaseDamaged(
                str(self._path / _DATA), "the file is shorter than its own table of pages says"
            )
        self._lengthen_file()

    @contextmanager
    def _reporting(self, action: str) -> Iterator[None]:
        try:
            yield
        except lmdb.CorruptedError as why:
            raise DatabaseDamaged(str(self._path / _DATA), str(why)) from why
        except lmdb.Error as why:
            raise DatabaseError(f"cannot {action} the database {self._path}: {why}") from why


def _stored(
    snapshot: lmdb.Transaction[bytes], keys: Range, reverse: bool
) -> Iterator[tuple[bytes, bytes]]:
    """What one table of a snapshot holds in that range; ends the snapshot after the last."""
    with snapshot, snapshot.cursor() as cursor:
        if reverse:
            items = cursor.iterprev() if _place_below(cursor, keys.end) else iter(())
        else:
            found = cursor.set_range(keys.low) if keys.low else cursor.first()
            items = cursor.iternext() if found else iter(())
        for key, value in items:
            if key not in keys:
                break
            yield key, value


def _place_below(cursor: lmdb.Cursor[bytes], end: bytes | None) -> bool:
    """Put the cursor on the last key below ``end``; whether there is one."""
    if end is None or not cursor.set_range(end):
        return cursor.last()
    return cursor.prev()


def _lock_directory(path: Path) -> int:
    """Take the directory for this process, until the descriptor is closed or the process ends."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as why:
        raise DatabaseError(f"cannot open the database {path}: {why.strerror}") from why
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as why:
        os.close(descriptor)
        raise DatabaseInUse(str(path)) from why
    return descriptor


def _open_environment(path: Path) -> lmdb.Environment:
    try:
        return lmdb.open(str(path), map_size=_MAP_SIZE, max_dbs=_MAX_TABLES + 1, mode=0o600)
    except (lmdb.InvalidError, lmdb.VersionMismatchError, lmdb.CorruptedError) as why:
        raise DatabaseDamaged(str(path / _DATA), str(why)) from why
    except lmdb.Error as why:
        raise DatabaseError(f"cannot open the database {path}: {why}") from why


def _sync_directory(path: Path) -> None:
    """So that files that were just made are still there after a power failure."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
