"""The database of a simulation: in memory, with the crashes and faults of a disk."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Iterator

from parahost.ports.database import Batch, DatabaseError
from parahost.storage.ranges import Range, check_batch

_MAX_UNSYNCED = 4096
"""Older batches count as written back by then, as an operating system does after a while."""

BeforeWrite = Callable[[Batch, bool], None]
"""Called before each write with the batch and whether it is durable; what it raises is raised by
``write``, and nothing is applied."""


class MemoryDatabase:
    """Tables in memory. :meth:`crash` gives the database as the machine's next start finds it."""

    def __init__(self, before_write: BeforeWrite | None = None) -> None:
        self.before_write = before_write
        """May be changed at any time, to bring on a fault and to end it."""
        self._tables: dict[str, _Table] = {}
        self._undo: deque[Batch] = deque(maxlen=_MAX_UNSYNCED)
        """For each batch that may still be lost, the oldest first, what it replaced."""
        self._closed = False

    @property
    def unsynced(self) -> int:
        """How many of the last batches a crash may lose."""
        return len(self._undo)

    def get(self, table: str, key: bytes) -> bytes | None:
        self._check_open()
        found = self._tables.get(table)
        return found.values.get(key) if found else None

    def scan(
        self, table: str, *, prefix: bytes = b"", start: bytes = b"", reverse: bool = False
    ) -> Iterator[tuple[bytes, bytes]]:
        """See the port; in reverse, keys above ``start`` are passed over unless it is empty."""
        self._check_open()
        found = self._tables.get(table)
        items = found.items(Range.of(prefix, start, reverse)) if found else []
        return reversed(items) if reverse else iter(items)

    def write(self, batch: Batch, *, durable: bool) -> None:
        self._check_open()
        check_batch(batch)
        if self.before_write is not None:
            self.before_write(batch, durable)
        replaced = self._apply(batch)
        if durable:
            self._undo.clear()
        else:
            self._undo.append(replaced)

    def damage(self, table: str, key: bytes, value: bytes) -> None:
        """Change a row as a failing disk does: nobody writes, so nothing refuses it, and what is
        not synced is so still."""
        self._tables[table].set(key, value)

    def close(self) -> None:
        self._closed = True

    def crash(self, lose: int = 0) -> MemoryDatabase:
        """Kill the process that has this database, and lose the last ``lose`` batches with it.

        :param lose: 0 when only the process dies; up to :attr:`unsynced` when power fails.
        :returns: the database as it is found at the next start. This object is closed: what is
            left of the dead process cannot write any more.
        :raises ValueError: when there are fewer batches to lose.
        """
        if not 0 <= lose <= len(self._undo):
            raise ValueError(f"a crash can lose 0 to {len(self._undo)} batches, not {lose}")
        for _ in range(lose):
            self._apply(self._undo.pop())
        found = MemoryDatabase(self.before_write)
        found._tables, self._tables = self._tables, {}
        self._undo.clear()
        self.close()
        return found

    def _apply(self, batch: Batch) -> Batch:
        """Make the changes and return those that would take them back."""
        replaced = Batch()
        for (name, key), value in batch.changes.items():
            table = self._tables.setdefault(name, _Table())
            replaced.changes[name, key] = table.values.get(key)
            table.set(key, value)
        return replaced

    def _check_open(self) -> None:
        if self._closed:
            raise DatabaseError("the database in memory is closed")


class _Table:
    """Values by key, and the keys in order."""

    def __init__(self) -> None:
        self.values: dict[bytes, bytes] = {}
        self._keys: list[bytes] = []

    def set(self, key: bytes, value: bytes | None) -> None:
        present = key in self.values
        if value is not None:
            self.values[key] = value
            if not present:
                insort(self._keys, key)
        elif present:
            del self.values[key]
            del self._keys[bisect_left(self._keys, key)]

    def items(self, keys: Range) -> list[tuple[bytes, bytes]]:
        first = bisect_left(self._keys, keys.low)
        end = len(self._keys) if keys.end is None else bisect_left(self._keys, keys.end)
        return [(key, self.values[key]) for key in self._keys[first:end]]
