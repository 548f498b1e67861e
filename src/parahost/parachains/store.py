"""What a collator keeps on disk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from parahost.ports import Batch, Database

_TABLE = "parachain"


class Store:
    """An ordered key-value store of the collator's own, within its node's database. Keys have 1 to
    500 bytes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, key: bytes) -> bytes | None:
        return self._database.get(_TABLE, key)

    def scan(self, prefix: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Keys with that prefix, ascending, with their values."""
        return self._database.scan(_TABLE, prefix=prefix)

    def write(self, changes: Mapping[bytes, bytes | None]) -> None:
        """Make all changes or none; ``None`` deletes. They are on disk by the return.

        :raises DatabaseError: when the disk is full or fails.
        """
        batch = Batch()
        for key, value in changes.items():
            if value is None:
                batch.delete(_TABLE, key)
            else:
                batch.put(_TABLE, key, value)
        self._database.write(batch, durable=True)
