"""What the port promises, for both databases; and that they agree on everything."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from parahost.ports.database import Batch, Database, DatabaseError
from parahost.storage import LmdbDatabase, MemoryDatabase
from parahost.storage import lmdb as lmdb_module


class NeverDone(LmdbDatabase):
    """LMDB whose commits in the background last until it is closed: what is written is now before
    a commit, now in one."""

    def __init__(self, path: Path) -> None:
        self.closing = threading.Event()
        super().__init__(path)

    def _put(self, *what: Any) -> Any:
        self.closing.wait()
        return super()._put(*what)

    def close(self) -> None:
        self.closing.set()
        super().close()


@pytest.fixture(params=["lmdb", "lmdb, all committed", "lmdb, never done", "memory"])
def database(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Database]:
    if request.param == "lmdb, all committed":
        monkeypatch.setattr(lmdb_module, "_PENDING_CHANGES", 0)
    if request.param == "lmdb, never done":
        monkeypatch.setattr(lmdb_module, "_PENDING_CHANGES", 1)
        monkeypatch.setattr(lmdb_module, "_MOST_PENDING", 1 << 20)
    made: Database
    if request.param == "memory":
        made = MemoryDatabase()
    elif request.param == "lmdb, never done":
        made = NeverDone(tmp_path / "db")
    else:
        made = LmdbDatabase(tmp_path / "db")
    yield made
    made.close()


def put(database: Database, *keys: bytes, table: str = "t", durable: bool = False) -> None:
    batch = Batch()
    for key in keys:
        batch.put(table, key, b"v" + key)
    database.write(batch, durable=durable)


def keys(database: Database, **how: Any) -> list[bytes]:
    return [key for key, _ in database.scan("t", **how)]


def test_what_was_put_is_there_until_it_is_deleted(database: Database) -> None:
    assert database.get("t", b"a") is None
    put(database, b"a", b"b", durable=True)
    put(database, b"c")
    batch = Batch()
    batch.delete("t", b"a")
    batch.delete("t", b"never there")
    batch.put("t", b"b", b"")
    database.write(batch, durable=False)
    assert database.get("t", b"a") is None
    assert list(database.scan("t")) == [(b"b", b""), (b"c", b"vc")]
    assert list(database.scan("other")) == []


def test_tables_are_apart(database: Database) -> None:
    put(database, b"a", table="one")
    assert database.get("two", b"a") is None
    put(database, b"b", table="two")
    assert [key for key, _ in database.scan("one")] == [b"a"]


def test_ranges(database: Database) -> None:
    every = [b"a", b"a\xff", b"a\xff\xff", b"b", b"b\x00", b"c", b"\xff", b"\xff\xff"]
    put(database, *every[::2], durable=True)
    put(database, *every[1::2])
    assert keys(database) == every
    assert keys(database, reverse=True) == every[::-1]
    assert keys(database, prefix=b"a") == every[:3]
    assert keys(database, prefix=b"a\xff", reverse=True) == [b"a\xff\xff", b"a\xff"]
    assert keys(database, prefix=b"\xff") == every[-2:]
    assert keys(database, prefix=b"\xff", reverse=True) == every[:-3:-1]
    assert keys(database, start=b"b") == every[3:]
    assert keys(database, start=b"b", reverse=True) == every[3::-1]
    assert keys(database, start=b"b\x00\x00", reverse=True) == every[4::-1]
    assert keys(database, prefix=b"b", start=b"a") == [b"b", b"b\x00"]
    assert keys(database, prefix=b"b", start=b"c") == []
    assert keys(database, prefix=b"b", start=b"a", reverse=True) == []


def test_a_scan_sees_what_was_there_when_it_began(database: Database) -> None:
    put(database, b"a", b"b", durable=True)
    put(database, b"c")
    scan = database.scan("t")
    batch = Batch()
    batch.delete("t", b"c")
    batch.put("t", b"b", b"new")
    batch.put("t", b"d", b"new")
    database.write(batch, durable=True)
    assert list(scan) == [(b"a", b"va"), (b"b", b"vb"), (b"c", b"vc")]


@pytest.mark.parametrize(
    ("table", "key"), [("t", b""), ("t", bytes(501)), ("", b"k"), ("_journal", b"k")]
)
def test_what_no_database_takes(database: Database, table: str, key: bytes) -> None:
    batch = Batch()
    batch.put("t", b"fine", b"")
    batch.put(table, key, b"")
    with pytest.raises(ValueError):
        database.write(batch, durable=True)
    assert keys(database) == [], "nothing of a refused batch is applied"


def test_the_longest_keys_and_a_large_value(database: Database) -> None:
    put(database, bytes(500), b"\xff" * 500, durable=True)
    batch = Batch()
    batch.put("t", b"large", bytes(5 << 20))
    database.write(batch, durable=False)
    assert database.get("t", b"large") == bytes(5 << 20)
    assert keys(database) == [bytes(500), b"large", b"\xff" * 500]
    assert keys(database, start=b"\xff" * 500, reverse=True)[0] == b"\xff" * 500


def test_a_closed_database_takes_nothing(database: Database) -> None:
    put(database, b"a")
    database.close()
    database.close()
    with pytest.raises(DatabaseError):
        database.get("t", b"a")
    with pytest.raises(DatabaseError):
        database.scan("t")
    with pytest.raises(DatabaseError):
        put(database, b"b")


some_keys = st.sampled_from([b"a", b"a\x00", b"a\xff", b"b", b"\xff", b"\xff\xff"])
some_prefixes = st.just(b"") | some_keys
some_tables = st.sampled_from(["one", "two"])
changes = st.dictionaries(
    st.tuples(some_tables, some_keys), st.none() | st.binary(max_size=3), max_size=5
)


class Agreement(RuleBasedStateMachine):
    """LMDB, with commits and restarts at any time, is the database in memory."""

    @initialize()
    def open(self) -> None:
        self.directory = tempfile.TemporaryDirectory()
        self.disk = LmdbDatabase(Path(self.directory.name))
        self.memory = MemoryDatabase()

    @rule(changes=changes, durable=st.booleans())
    def write(self, changes: Mapping[tuple[str, bytes], bytes | None], durable: bool) -> None:
        self.disk.write(Batch(dict(changes)), durable=durable)
        self.memory.write(Batch(dict(changes)), durable=durable)

    @rule()
    def commit(self) -> None:
        self.disk._commit()

    @rule()
    def commit_meanwhile(self) -> None:
        self.disk._commit_in_background()

    @rule()
    def reopen(self) -> None:
        self.disk.close()
        self.disk = LmdbDatabase(Path(self.directory.name))

    @rule(table=some_tables, prefix=some_prefixes, start=some_prefixes, reverse=st.booleans())
    def scan(self, table: str, prefix: bytes, start: bytes, reverse: bool) -> None:
        how: dict[str, Any] = {"prefix": prefix, "start": start, "reverse": reverse}
        assert list(self.disk.scan(table, **how)) == list(self.memory.scan(table, **how))

    @rule(table=some_tables, key=some_keys)
    def get(self, table: str, key: bytes) -> None:
        assert self.disk.get(table, key) == self.memory.get(table, key)

    def teardown(self) -> None:
        if hasattr(self, "disk"):
            self.disk.close()
            self.directory.cleanup()


Agreement.TestCase.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
test_the_databases_agree = Agreement.TestCase
