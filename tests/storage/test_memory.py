"""The crashes and faults of the database in memory."""

import pytest

from parahost.ports.database import Batch, DatabaseError
from parahost.storage import MemoryDatabase


def write(database: MemoryDatabase, value: int, *, durable: bool = False) -> None:
    batch = Batch()
    batch.put("t", b"first", bytes((value,)))
    batch.put("t", b"second", bytes((value,)))
    if value % 2:
        batch.delete("t", b"even")
    else:
        batch.put("t", b"even", b"yes")
    database.write(batch, durable=durable)


@pytest.mark.parametrize("lose", range(4))
def test_a_crash_loses_the_last_batches_whole(lose: int) -> None:
    database = MemoryDatabase()
    write(database, 1)
    write(database, 2, durable=True)
    for value in (3, 4, 5):
        write(database, value)
    assert database.unsynced == 3
    found = database.crash(lose)
    last = 5 - lose
    assert found.get("t", b"first") == found.get("t", b"second") == bytes((last,))
    assert found.get("t", b"even") == (None if last % 2 else b"yes")
    assert found.unsynced == 0


def test_what_was_durable_is_never_lost() -> None:
    database = MemoryDatabase()
    write(database, 1)
    write(database, 2, durable=True)
    with pytest.raises(ValueError):
        database.crash(1)
    assert database.get("t", b"first") == b"\x02"


def test_the_dead_process_writes_no_more() -> None:
    database = MemoryDatabase()
    write(database, 1)
    found = database.crash()
    with pytest.raises(DatabaseError):
        write(database, 2, durable=True)
    assert found.get("t", b"first") == b"\x01"


def test_damage_is_no_write() -> None:
    database = MemoryDatabase()
    write(database, 1)
    database.before_write = refuse
    database.damage("t", b"first", b"\x09")
    assert database.get("t", b"first") == b"\x09"
    assert database.unsynced == 1


def refuse(batch: Batch, durable: bool) -> None:
    raise DatabaseError("disk full")


def test_a_fault_applies_nothing_and_can_end() -> None:
    full = DatabaseError("disk full")
    seen: list[tuple[int, bool]] = []

    def fail(batch: Batch, durable: bool) -> None:
        seen.append((len(batch.changes), durable))
        raise full

    database = MemoryDatabase()
    write(database, 1)
    database.before_write = fail
    with pytest.raises(DatabaseError) as raised:
        write(database, 2, durable=True)
    assert raised.value is full
    assert seen == [(3, True)]
    assert database.get("t", b"first") == b"\x01"
    database.before_write = None
    write(database, 3)
    assert database.get("t", b"first") == b"\x03"
