"""The database on disk: LMDB, with a journal for what LMDB has not committed yet.

A write goes to the journal, and to a dictionary that reads look into first; that is all, until the
dictionary has grown large. Then a thread has LMDB commit it, with a sync, while writes go on in a
second journal; afterwards the first is cleared, and waits for its next turn. So a durable write
costs one sync of one file (two after writes that were not durable), any other write none, and a
power failure loses at most the last of the writes, in whole batches.

Writing a large batch to the journal would hold the event loop for too long: a thread does it, and
what comes before that is done waits its turn there. Only a durable write is waited for.

A journal is wholly on the disk before the other has its first batch. So only the younger may have a
tail that was torn off, and a gap between the two is damage.
"""

from __future__ import annotations

import fcntl
import heapq
import os
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from functools import partial
from operator import itemgetter
from pathlib import Path

import lmdb

from parahost.ports.database import Batch, DatabaseDamaged, DatabaseError, DatabaseInUse
from parahost.storage.background import Background
from parahost.storage.journal import WriteAheadLog
from parahost.storage.pending import Change, PendingChanges, changes_in, size_of
from parahost.storage.ranges import Range, check_batch

_DATA = "data.mdb"
_JOURNALS = ("journal", "journal2")
_MAP_SIZE = 64 << 30
"""The most that LMDB may hold, in bytes of address space; the file is as large as its contents."""
_MAX_TABLES = 32
_OWN_TABLE = "_journal"
_SEQUENCE = b"sequence"
"""Under this key: the number of the last batch that LMDB has committed."""

_PENDING_BYTES = 4 << 20
_PENDING_CHANGES = 2048
"""At either, what is pending is committed."""
_MOST_PENDING = 16
"""At so many times as much, a write waits for the commit that is under way."""
_LARGE_BYTES = 1 << 20
"""A batch of so many bytes is written in the background, and so much of a journal is synced there:
then the next durable write finds little to wait for."""

_Tables = dict[str, lmdb._Database]


class LmdbDatabase:
    """The database in a directory. It is used by one thread, and the directory by one process.

    What fails in the background is told by the next write, and ends all writing.
    """

    def __init__(self, path: Path) -> None:
        """Open the database, or make a new one.

        :raises DatabaseDamaged: when the files are; they stay as they are.
        :raises DatabaseInUse: when it is open already.
        :raises DatabaseError: when the disk refuses.
        """
        self._path = path
        self._pending = PendingChanges()
        self._committing: tuple[PendingChanges, Future[_Tables]] | None = None
        self._closed = False
        with ExitStack() as opened:
            self._lock = _lock_directory(path)
            opened.callback(os.close, self._lock)
            self._env = opened.enter_context(_open_environment(path))
            self._journal, self._spare = (WriteAheadLog(path / name) for name in _JOURNALS)
            for journal in (self._journal, self._spare):
                opened.callback(journal.close)
            _sync_directory(path)
            self._journalling = opened.enter_context(Background("journal"))
            self._commits = opened.enter_context(Background("commit"))
            self._check_length()
            with self._reporting("open"):
                self._tables = self._open_tables()
                self._sequence = self._commits_begun_to = self._committed_sequence()
            self._replay()
            self._opened = opened.pop_all()

    def get(self, table: str, key: bytes) -> bytes | None:
        for layer in reversed(self._layers()):
            pending = layer.tables.get(table)
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
        pending = changes_in(self._layers(), table, keys, reverse)
        handle = self._tables.get(table)
        if handle is None:
            return ((key, value) for key, value in pending if value is not None)
        with self._reporting("read"):
            snapshot = self._env.begin(db=handle)
        return self._merge(pending, _stored(snapshot, keys, reverse), reverse)

    def write(self, batch: Batch, *, durable: bool) -> None:
        if self._closed:
            raise DatabaseError(f"the database {self._path} is closed")
        check_batch(batch)
        self._journalling.check()
        self._note_commit()
        if self._holds(1):
            self._commit_in_background()
        self._append(batch, durable)
        self._accept(batch)

    def close(self) -> None:
        """Commit what is pending and let go of the directory."""
        if not self._closed:
            self._closed = True
            with self._opened:
                self._commit()

    # Pending changes

    def _layers(self) -> tuple[PendingChanges, ...]:
        """What LMDB may not have yet, the oldest first."""
        committing = () if self._committing is None else (self._committing[0],)
        return (*committing, self._pending)

    def _append(self, batch: Batch, durable: bool) -> None:
        append = partial(self._journal.append, self._sequence + 1, batch, durable=durable)
        large = size_of(batch) >= _LARGE_BYTES
        if durable or (self._journalling.is_idle and not large):
            self._journalling.wait()
            append()
            large = self._journal.unsynced >= _LARGE_BYTES
        else:
            self._journalling.start(append)
        if large:
            self._journalling.start(self._journal.sync)

    def _accept(self, batch: Batch) -> None:
        self._pending.accept(batch)
        self._sequence += 1

    def _holds(self, times: int) -> bool:
        """Whether so many times as much is pending as begins a commit."""
        pending = self._pending
        return pending.size >= times * _PENDING_BYTES or pending.count >= times * _PENDING_CHANGES

    def _commit(self) -> None:
        """Move what is pending into LMDB, durably, and start the journals anew."""
        self._note_commit(wait=True)
        if self._commits_begun_to != self._sequence:  # also when those since change nothing
            self._begin_commit()
            self._note_commit(wait=True)

    def _commit_in_background(self) -> None:
        """Begin a commit, unless one is under way; wait for that only if too much is pending."""
        if self._committing is not None and self._holds(_MOST_PENDING):
            self._note_commit(wait=True)
        if self._committing is None:
            self._begin_commit()

    def _begin_commit(self) -> None:
        """Have the background commit what is pending, and go on in the other journal."""
        synced = self._journalling.start(self._journal.sync)
        put = partial(self._put, synced, self._pending, self._sequence)
        self._committing = self._pending, self._commits.start(put)
        self._pending, self._commits_begun_to = PendingChanges(), self._sequence
        self._journal, self._spare = self._spare, self._journal

    def _note_commit(self, *, wait: bool = False) -> None:
        """If the commit that was under way is done, let go of what it has taken.

        :raises DatabaseError: when it failed.
        """
        if self._committing is not None and (wait or self._committing[1].done()):
            self._tables |= self._committing[1].result()
            self._spare.clear()
            self._committing = None

    def _put(self, synced: Future[None], pending: PendingChanges, sequence: int) -> _Tables:
        """Commit to LMDB what the journal has, once that is synced; gives the tables that were
        made."""
        synced.result()
        made: _Tables = {}
        with self._reporting("write"), self._env.begin(write=True) as transaction:
            for table, changes in pending.tables.items():
                handle = self._tables.get(table)
                if handle is None:
                    handle = made[table] = self._env.open_db(table.encode(), txn=transaction)
                for key in sorted(changes):
                    value = changes[key]
                    if value is None:
                        transaction.delete(key, db=handle)
                    else:
                        transaction.put(key, value, db=handle)
            last = sequence.to_bytes(8, "little")
            transaction.put(_SEQUENCE, last, db=self._tables[_OWN_TABLE])
        self._lengthen_file()
        return made

    def _replay(self) -> None:
        """Commit what the journals have, the older first."""
        firsts = {journal: journal.first() for journal in (self._journal, self._spare)}
        for journal in sorted(firsts, key=lambda each: firsts[each] or 0):
            for batch in journal.replay(self._sequence):
                self._accept(batch)
        self._commit()
        for journal in firsts:
            journal.clear()

    # LMDB

    def _merge(
        self,
        pending: list[Change],
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

    def _open_tables(self) -> _Tables:
        self._env.open_db(_OWN_TABLE.encode())
        with self._env.begin() as transaction:
            names = [bytes(name) for name, _ in transaction.cursor()]
        return {name.decode(): self._env.open_db(name, create=False) for name in names}

    def _committed_sequence(self) -> int:
        with self._env.begin(db=self._tables[_OWN_TABLE]) as transaction:
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
        if self._missing_bytes() and not (self._journal.size or self._spare.size):
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
