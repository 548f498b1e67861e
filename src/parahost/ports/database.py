"""The disk, as the node sees it: named tables of ordered byte keys, changed in atomic batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from parahost.primitives.errors import InputError, OperationalError


class DatabaseError(OperationalError):
    """The database cannot be opened, read or written; says which and why."""


class DatabaseDamaged(DatabaseError, InputError):
    """What the disk gives back is not what was written: something that was durable is lost. The
    files stay as they are. What to do depends on what the database held."""

    def __init__(self, place: str, why: str) -> None:
        super().__init__(f"the database {place} is damaged: {why}")
        self.place = place
        self.why = why


class DatabaseInUse(DatabaseError, InputError):
    """The database is open already: one process may have it."""

    def __init__(self, place: str) -> None:
        super().__init__(
            f"the database {place} is open already, here or in another process: stop that one, or"
            " give this node another base path"
        )
        self.place = place


@dataclass(slots=True)
class Batch:
    """Changes that happen together or not at all. A value of ``None`` deletes its key. Once it is
    written, it does not change."""

    changes: dict[tuple[str, bytes], bytes | None] = field(default_factory=dict)

    def put(self, table: str, key: bytes, value: bytes) -> None:
        self.changes[table, key] = value

    def delete(self, table: str, key: bytes) -> None:
        self.changes[table, key] = None


class Database(Protocol):
    """An ordered key-value store. Keys are 1 to 500 bytes; values at most 1 GiB."""

    def get(self, table: str, key: bytes) -> bytes | None:
        """The value under ``key``, or ``None``."""
        ...

    def scan(
        self, table: str, *, prefix: bytes = b"", start: bytes = b"", reverse: bool = False
    ) -> Iterator[tuple[bytes, bytes]]:
        """Keys with ``prefix`` in ascending order from ``start`` on, with their values, as they
        stood when the scan began. In ``reverse``: in descending order from ``start`` down, or from
        the last if ``start`` is empty."""
        ...

    def write(self, batch: Batch, *, durable: bool) -> None:
        """Apply a batch: whoever reads from now on sees it. When ``durable``, it has reached the
        disk by the return, and with it everything written before; else it may be lost if the
        process or the machine dies, but never in part and never out of order.

        :raises DatabaseError: when the disk is full or fails; then nothing of it is applied. What
            was not durable may fail later: then this write, and each that follows, says so.
        """
        ...

    def close(self) -> None: ...
