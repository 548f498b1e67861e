"""Changes that a journal has, and the database proper has not yet."""

from __future__ import annotations

from operator import itemgetter

from parahost.ports.database import Batch
from parahost.storage.ranges import Range

Change = tuple[bytes, bytes | None]
"""A key and its new value; ``None`` when it is deleted."""


class PendingChanges:
    """Changes by table; a later one replaces an earlier one."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[bytes, bytes | None]] = {}
        self.count = 0
        """Of changes, those that were replaced too."""
        self.size = 0
        """Bytes of all their values."""

    def accept(self, batch: Batch) -> None:
        for (table, key), value in batch.changes.items():
            self.tables.setdefault(table, {})[key] = value
        self.count += len(batch.changes)
        self.size += size_of(batch)


def size_of(batch: Batch) -> int:
    """Bytes of its values."""
    return sum(len(value) for value in batch.changes.values() if value is not None)


def changes_in(
    layers: tuple[PendingChanges, ...], table: str, keys: Range, reverse: bool
) -> list[Change]:
    """What the layers, the oldest first, change in that range of a table, in the order of keys."""
    merged: dict[bytes, bytes | None] = {}
    for layer in layers:
        merged.update(item for item in layer.tables.get(table, {}).items() if item[0] in keys)
    return sorted(merged.items(), key=itemgetter(0), reverse=reverse)
