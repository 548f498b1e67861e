"""What can befall the database on disk: kills, power failures, a full or damaged disk."""

from __future__ import annotations

import errno
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from parahost.ports.database import Batch, DatabaseDamaged, DatabaseError
from parahost.storage import LmdbDatabase
from parahost.storage import lmdb as lmdb_module
from parahost.storage.journal import WriteAheadLog

WRITER = """
import sys
from pathlib import Path
from typing import Any
from parahost.ports.database import Batch
from parahost.storage import LmdbDatabase
from parahost.storage import lmdb as lmdb_module

lmdb_module._PENDING_CHANGES = 40
database = LmdbDatabase(Path(sys.argv[1]))
number = int.from_bytes(database.get("t", b"left") or b"", "big")
while True:
    number += 1
    batch = Batch()
    batch.put("t", b"left", number.to_bytes(8, "big"))
    batch.put("u", b"right", number.to_bytes(8, "big"))
    batch.put("u", b"at %d" % (number % 50), bytes(number % 5000))
    batch.delete("u", b"at %d" % ((number + 25) % 50))
    if number % 13 == 0:  # written in the background
        batch.put("t", b"large", number.to_bytes(8, "big") * (1 << 18))
    durable = number % 5 == 0
    database.write(batch, durable=durable)
    print(number, flush=True)
"""


def write(database: LmdbDatabase, number: int, *, durable: bool = False) -> None:
    batch = Batch()
    batch.put("t", b"left", bytes((number,)))
    batch.put("u", b"right", bytes((number,)))
    batch.put("u", b"at %d" % number, b"")
    database.write(batch, durable=durable)


def read(database: LmdbDatabase) -> int:
    left, right = database.get("t", b"left"), database.get("u", b"right")
    assert left == right, "a batch is whole"
    return left[0] if left else 0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "db"


def test_a_kill_at_any_instant_loses_nothing_durable(path: Path) -> None:
    """What is there is a beginning of what was written, in order, and whole."""
    last = 0
    for written_before_kill in (1, 39, 40, 41, 97, 230):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        for _ in range(written_before_kill):
            last = int(writer.stdout.readline())
        writer.send_signal(signal.SIGKILL)
        rest = writer.stdout.read().splitlines()
        writer.wait()
        writer.stdout.close()
        last = int(rest[-1]) if rest else last
        database = LmdbDatabase(path)
        left = database.get("t", b"left")
        assert left is not None
        assert left == database.get("u", b"right")
        found = int.from_bytes(left, "big")
        assert last - last % 5 <= found <= last + 1, "one that was not reported may be there"
        entry = database.get("u", b"at %d" % (found % 50))
        assert entry == bytes(found % 5000)
        assert database.get("u", b"at %d" % ((found + 25) % 50)) is None
        large = found - found % 13
        assert database.get("t", b"large") == (
            large.to_bytes(8, "big") * (1 << 18) if large else None
        )
        last = found
        database.close()


def copy_as_after_power_failure(path: Path, journal_bytes: int | None = None) -> Path:
    """The files as they are, without closing; the journal as far as it reached the disk."""
    copy = path.with_name("after")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(path, copy)
    if journal_bytes is not None:
        os.truncate(copy / "journal", journal_bytes)
    return copy


def test_a_power_failure_leaves_a_beginning_of_what_was_written(path: Path) -> None:
    """Cut at each byte of the journal: always whole batches, and each durable one."""
    database = LmdbDatabase(path)
    ends = [0]
    for number in range(1, 6):
        write(database, number)
        ends.append((path / "journal").stat().st_size)
    for size in range(ends[-1] + 1):
        survivor = LmdbDatabase(copy_as_after_power_failure(path, size))
        assert read(survivor) == sum(end <= size for end in ends[1:])
        survivor.close()
    database.close()


@pytest.mark.parametrize("size", [0, (1 << 16) - 1, 1 << 16, 70_000])
def test_values_of_any_size_come_back_from_the_journal(path: Path, size: int) -> None:
    database = LmdbDatabase(path)
    batch = Batch()
    batch.put("t", b"first", bytes(size))
    batch.delete("t", b"gone")
    batch.put("u", b"second", b"\xff" * size)
    batch.put("u", b"third", b"small")
    database.write(batch, durable=True)
    survivor = LmdbDatabase(copy_as_after_power_failure(path))
    for each in (database, survivor):
        assert list(each.scan("t")) == [(b"first", bytes(size))]
        assert list(each.scan("u")) == [(b"second", b"\xff" * size), (b"third", b"small")]
        each.close()


def flip(file: Path, position: int) -> None:
    content = bytearray(file.read_bytes())
    content[position] ^= 1
    file.write_bytes(content)


def test_a_tail_that_was_never_synced_may_be_torn_anywhere(path: Path) -> None:
    """The disk may have a later page and lack an earlier one: what follows the first record that is
    not whole is gone, as it is after a power failure."""
    database = LmdbDatabase(path)
    write(database, 1, durable=True)
    second = (path / "journal").stat().st_size
    write(database, 2)
    write(database, 3)
    copy = copy_as_after_power_failure(path)
    flip(copy / "journal", second + 30)
    survivor = LmdbDatabase(copy)
    assert read(survivor) == 1, "what follows a lost batch is not applied either"
    write(survivor, 9)
    survivor.close()
    reopened = LmdbDatabase(copy)
    assert read(reopened) == 9
    reopened.close()
    database.close()


def test_damage_before_a_durable_batch_is_no_torn_tail(path: Path) -> None:
    """Whatever byte of the first two records is damaged: the third was synced after them, so the
    database says that it is damaged, each time, and changes nothing."""
    database = LmdbDatabase(path)
    write(database, 1)
    write(database, 2, durable=True)
    third = (path / "journal").stat().st_size
    write(database, 3, durable=True)
    for position in range(third):
        copy = copy_as_after_power_failure(path)
        flip(copy / "journal", position)
        before = (copy / "journal").read_bytes()
        for _ in range(2):
            with pytest.raises(DatabaseDamaged, match=r"journal is damaged"):
                LmdbDatabase(copy)
        assert (copy / "journal").read_bytes() == before
    database.close()


@pytest.mark.parametrize(("left_over", "is_damage"), [(3, False), (5, False), (7, True)])
def test_an_old_durable_batch_behind_a_torn_tail_is_no_damage(
    tmp_path: Path, left_over: int, is_damage: bool
) -> None:
    """A file that was cut and has grown again may hold behind its tail what was there before: a
    batch that is older than the last whole one."""
    batch = Batch()
    batch.put("t", b"key", b"value")
    before, now = WriteAheadLog(tmp_path / "before"), WriteAheadLog(tmp_path / "now")
    before.append(left_over, batch, durable=True)
    now.append(5, batch, durable=False)
    now.append(6, batch, durable=False)
    with (tmp_path / "now").open("r+b") as file:
        file.seek(now.size - 1)
        file.write((tmp_path / "before").read_bytes())
    before.close()
    now.close()
    journal = WriteAheadLog(tmp_path / "now")
    if is_damage:
        with pytest.raises(DatabaseDamaged, match="is not whole"):
            list(journal.replay(4))
    else:
        assert [each.changes for each in journal.replay(4)] == [batch.changes]
    journal.close()


def test_a_batch_that_lmdb_lost_is_damage(path: Path) -> None:
    database = LmdbDatabase(path)
    write(database, 1, durable=True)
    database.close()
    database = LmdbDatabase(path)
    write(database, 2, durable=True)
    copy = copy_as_after_power_failure(path)
    database.close()
    empty = path.with_name("empty")
    LmdbDatabase(empty).close()
    shutil.copy(empty / "data.mdb", copy / "data.mdb")
    with pytest.raises(DatabaseDamaged, match="no batch before number 2"):
        LmdbDatabase(copy)


def test_batches_that_change_nothing_leave_no_gap(path: Path) -> None:
    """Neither when the database is closed nor when the journal is played."""
    for number in (1, 2, 3):
        database = LmdbDatabase(path)
        database.write(Batch(), durable=False)
        if number == 2:
            shutil.copytree(path, path.with_name("killed"))
        database.close()
    killed = LmdbDatabase(path.with_name("killed"))
    write(killed, 7, durable=True)
    shutil.copytree(path.with_name("killed"), path.with_name("killed again"))
    killed.close()
    assert read(LmdbDatabase(path.with_name("killed again"))) == 7


def test_an_old_journal_is_not_played_again(path: Path) -> None:
    """As if the machine failed after LMDB's commit, before the journal was cleared."""
    database = LmdbDatabase(path)
    write(database, 1)
    write(database, 2)
    old = (path / "journal").read_bytes()
    database._commit()
    database.close()
    (path / "journal").write_bytes(old[: len(old) // 2])
    database = LmdbDatabase(path)
    assert read(database) == 2
    database.close()


def background_done(database: LmdbDatabase) -> None:
    """Each of its threads does one thing at a time, in order."""
    for background in (database._journalling, database._commits):
        background._thread.submit(bool).result()


@pytest.mark.parametrize(
    ("changes", "size", "pending"), [(1, 1 << 20, range(3, 6)), (700, 8, range(2, 4))]
)
def test_what_is_pending_is_bounded_in_bytes_and_in_changes(
    path: Path, changes: int, size: int, pending: range
) -> None:
    """At 4 MiB or 2,048 changes it goes to LMDB, and is counted from nothing again."""
    database = LmdbDatabase(path)
    batches: list[int] = []
    active = None
    for _ in range(20):
        batch = Batch()
        for number in range(changes):
            batch.put("t", b"%d" % number, bytes(size))
        background_done(database)
        database.write(batch, durable=False)
        if database._journal is not active:
            batches.append(0)
            active = database._journal
        else:
            batches[-1] += 1
    database.close()
    assert len(batches) >= 4
    assert all(count in pending for count in batches[1:-1])


class HeldUp(LmdbDatabase):
    """Its commits wait until they are let go."""

    def __init__(self, path: Path) -> None:
        self.go = threading.Event()
        self.waited_with: list[int] = []
        """How much was pending when a write waited for a commit."""
        super().__init__(path)

    def _put(self, *what: Any) -> Any:
        self.go.wait()
        return super()._put(*what)

    def _note_commit(self, *, wait: bool = False) -> None:
        if wait:
            self.waited_with.append(self._pending.count)
            self.go.set()
        super()._note_commit(wait=wait)


@pytest.fixture
def held_up(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HeldUp]:
    """A commit of five batches that does not end, and the first batch after it, synced."""
    monkeypatch.setattr(lmdb_module, "_PENDING_CHANGES", 15)
    database = HeldUp(path)
    database.waited_with.clear()
    database.go.clear()
    for number in range(1, 7):
        write(database, number)
    database._journalling.wait()
    yield database
    database.go.set()
    database.close()


def test_writes_go_on_while_lmdb_commits(held_up: HeldUp) -> None:
    """Until 16 times as much is pending as begins a commit."""
    number = 6
    while not held_up.waited_with:
        assert read(held_up) == number
        assert held_up.get("u", b"at 1") == b""
        number += 1
        write(held_up, number)
    assert held_up.waited_with == [240]
    assert read(held_up) == number


def test_a_power_failure_during_a_commit(held_up: HeldUp, path: Path) -> None:
    """The younger journal may be cut anywhere; of the older one nothing may be missing."""
    write(held_up, 7)
    held_up._journalling.wait()
    younger, older = held_up._journal._path, held_up._spare._path
    whole = younger.stat().st_size
    for size in range(whole + 1):
        copy = copy_as_after_power_failure(path)
        os.truncate(copy / younger.name, size)
        survivor = LmdbDatabase(copy)
        assert read(survivor) == 5 + size // (whole // 2)
        survivor.close()
    for size in range(older.stat().st_size):
        copy = copy_as_after_power_failure(path)
        os.truncate(copy / older.name, size)
        for _ in range(2):
            with pytest.raises(DatabaseDamaged, match="no batch before number 6"):
                LmdbDatabase(copy)


def test_a_journal_is_synced_before_the_other_begins(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lmdb_module, "_PENDING_CHANGES", 15)
    database = LmdbDatabase(path)
    for number in range(1, 6):
        write(database, number)
    synced: list[int] = []
    sync = os.fdatasync

    def counted(file: int) -> None:
        sync(file)
        synced.append(file)

    monkeypatch.setattr(os, "fdatasync", counted)
    older = database._journal

    def begin(*_: object, **__: object) -> None:
        synced.append(-1)

    monkeypatch.setattr(database._spare, "append", begin)
    write(database, 6)
    background_done(database)
    assert synced.index(older._file) < synced.index(-1)
    monkeypatch.undo()


@pytest.fixture
def go() -> Iterator[threading.Event]:
    """What a thread may be made to wait for; at the latest it comes at the end."""
    event = threading.Event()
    yield event
    event.set()


def large_batch() -> Batch:
    batch = Batch()
    batch.put("t", b"large", bytes(2 << 20))
    return batch


def test_a_large_batch_is_written_and_synced_in_the_background(
    path: Path, go: threading.Event
) -> None:
    """It is read at once, what follows is written behind it, and a durable write waits for it."""
    database = LmdbDatabase(path)
    database._journalling.start(go.wait)
    database.write(large_batch(), durable=False)
    write(database, 1)
    assert database.get("t", b"large") == bytes(2 << 20)
    assert read(database) == 1
    assert (path / "journal").stat().st_size == 0
    go.set()
    background_done(database)
    assert (path / "journal").stat().st_size > 2 << 20
    assert database._journal.unsynced < 100
    go.clear()
    database._journalling.start(go.wait)
    database._journalling.wait = go.set  # type: ignore[method-assign]
    write(database, 2, durable=True)
    assert go.is_set(), "a durable write waits"
    survivor = LmdbDatabase(copy_as_after_power_failure(path))
    assert read(survivor) == 2
    assert survivor.get("t", b"large") == bytes(2 << 20)
    survivor.close()
    del database._journalling.wait
    database.close()


def test_many_small_writes_are_synced_in_the_background(path: Path) -> None:
    database = LmdbDatabase(path)
    for number in range(20):
        batch = Batch()
        batch.put("t", b"%d" % number, bytes(100_000))
        database.write(batch, durable=False)
        background_done(database)
        assert database._journal.unsynced < (1 << 20) + 200_000
    database.close()


def test_a_full_disk_that_is_found_in_the_background(
    path: Path, monkeypatch: pytest.MonkeyPatch, go: threading.Event
) -> None:
    """The next write says so, nothing is written behind what is missing, and what was there before
    is there at the next start."""
    database = LmdbDatabase(path)
    write(database, 1)
    database._journalling.start(go.wait)
    database.write(large_batch(), durable=False)
    write(database, 2)
    real = os.pwrite

    def fill_up(file: int, data: bytes, offset: int) -> int:
        if len(data) > 1 << 20:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(file, data, offset)

    monkeypatch.setattr(os, "pwrite", fill_up)
    go.set()
    background_done(database)
    monkeypatch.undo()
    for durable in (False, True):
        with pytest.raises(DatabaseError, match="No space left"):
            write(database, 3, durable=durable)
    with pytest.raises(DatabaseError):
        database.close()
    database = LmdbDatabase(path)
    assert read(database) == 1
    assert database.get("t", b"large") is None
    database.close()


def test_durable_means_synced(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = LmdbDatabase(path)
    write(database, 1)
    synced: list[int] = []
    sync = os.fdatasync

    def counted(file: int) -> None:
        sync(file)
        synced.append(file)

    monkeypatch.setattr(os, "fdatasync", counted)
    write(database, 2)
    assert synced == []
    write(database, 3, durable=True)
    assert len(synced) == 2, "what was written before is on the disk before the durable batch is"
    write(database, 4, durable=True)
    assert len(synced) == 3
    database.close()


def test_a_full_disk_applies_nothing_and_can_end(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = LmdbDatabase(path)
    write(database, 1)
    real = os.pwrite

    def fill_up(file: int, data: bytes, offset: int) -> int:
        if len(data) > 10:
            return real(file, data[:10], offset)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", fill_up)
    with pytest.raises(DatabaseError, match="No space left"):
        write(database, 2, durable=True)
    monkeypatch.undo()
    assert read(database) == 1
    write(database, 3)
    survivor = LmdbDatabase(copy_as_after_power_failure(path))
    assert read(survivor) == 3
    survivor.close()
    database.close()


def test_lmdb_without_room_takes_nothing_more(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it took before it found out, it keeps."""
    monkeypatch.setattr(lmdb_module, "_MAP_SIZE", 1 << 18)
    monkeypatch.setattr(lmdb_module, "_PENDING_CHANGES", 1)
    database = LmdbDatabase(path)
    batch = Batch()
    batch.put("t", b"large", bytes(1 << 19))
    database.write(batch, durable=True)
    write(database, 1)
    background_done(database)
    for _ in range(2):
        with pytest.raises(DatabaseError, match="MAP_FULL"):
            write(database, 2)
    assert read(database) == 1
    assert database.get("t", b"large") == bytes(1 << 19)
    with pytest.raises(DatabaseError):
        database.close()
    monkeypatch.undo()
    database = LmdbDatabase(path)
    assert read(database) == 1
    assert database.get("t", b"large") == bytes(1 << 19), "with more room it is all there"
    database.close()


def test_after_a_failed_sync_nothing_more_is_taken(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = LmdbDatabase(path)
    write(database, 1, durable=True)

    def fail(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fdatasync", fail)
    with pytest.raises(DatabaseError):
        write(database, 2, durable=True)
    monkeypatch.undo()
    assert read(database) == 1
    with pytest.raises(DatabaseError, match="anew"):
        write(database, 3)
    with pytest.raises(DatabaseError, match="anew"):
        database.close()
    database = LmdbDatabase(path)
    assert read(database) == 1
    write(database, 4)
    assert read(database) == 4
    database.close()


def test_a_sync_that_failed_in_the_background_is_told_by_the_next_write(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = LmdbDatabase(path)

    def fail(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fdatasync", fail)
    database.write(large_batch(), durable=False)
    background_done(database)
    monkeypatch.undo()
    for _ in range(2):
        with pytest.raises(DatabaseError, match="cannot sync"):
            write(database, 1)
    assert read(database) == 0
    with pytest.raises(DatabaseError):
        database.close()
    LmdbDatabase(path).close()


@pytest.mark.parametrize("content", [random.Random(0).randbytes(50_000), b"\x00" * 8192, b"short"])
def test_a_damaged_file_is_said_to_be_damaged(path: Path, content: bytes) -> None:
    LmdbDatabase(path).close()
    (path / "data.mdb").write_bytes(content)
    for _ in range(2):
        with pytest.raises(DatabaseDamaged, match=r"data\.mdb is damaged"):
            LmdbDatabase(path)


def test_a_file_that_was_cut_off_is_said_to_be_damaged(path: Path) -> None:
    database = LmdbDatabase(path)
    batch = Batch()
    batch.put("t", b"large", bytes(1 << 20))
    database.write(batch, durable=True)
    database.close()
    os.truncate(path / "data.mdb", 1 << 19)
    with pytest.raises(DatabaseError, match="shorter"):
        LmdbDatabase(path)


def test_one_process_at_a_time(path: Path) -> None:
    database = LmdbDatabase(path)
    other = "from pathlib import Path; from parahost.storage import LmdbDatabase as D; "
    other += f"D(Path({str(path)!r}))"
    for open_again in (
        lambda: LmdbDatabase(path),
        lambda: subprocess.run([sys.executable, "-c", other], check=True, capture_output=True),
    ):
        with pytest.raises((DatabaseError, subprocess.CalledProcessError)) as refused:
            open_again()
        said = getattr(refused.value, "stderr", b"").decode() or str(refused.value)
        assert "open already" in said
        assert "another base path" in said
    write(database, 1)
    database.close()
    LmdbDatabase(path).close()


def test_a_place_that_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DatabaseError, match="file"):
        LmdbDatabase(tmp_path / "file" / "db")
