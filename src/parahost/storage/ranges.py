"""What the databases have in common: which batches they take, and where a scan begins and ends."""

from __future__ import annotations

from dataclasses import dataclass

from parahost.ports.database import Batch

MAX_KEY_LENGTH = 500
MAX_VALUE_LENGTH = 1 << 30


def check_batch(batch: Batch) -> None:
    """:raises ValueError: when a change is outside what the port allows: a bug of the caller's."""
    for (table, key), value in batch.changes.items():
        if not table or table.startswith("_"):
            raise ValueError(f"{table!r} is no name for a table")
        if not 1 <= len(key) <= MAX_KEY_LENGTH:
            raise ValueError(
                f"a key in table {table} has {len(key)} bytes; 1 to {MAX_KEY_LENGTH} are allowed"
            )
        if value is not None and len(value) > MAX_VALUE_LENGTH:
            raise ValueError(
                f"{table}/{key.hex()}: {len(value)} bytes are over the limit of {MAX_VALUE_LENGTH}"
            )


@dataclass(frozen=True, slots=True)
class Range:
    """The keys of a scan: from ``low`` on, and below ``end`` (``None``: without end)."""

    low: bytes
    end: bytes | None

    @classmethod
    def of(cls, prefix: bytes, start: bytes, reverse: bool) -> Range:
        """Keys with ``prefix``; and not below ``start``, or, in reverse, not above it."""
        end = _successor(prefix)
        if not reverse:
            return cls(max(prefix, start), end)
        if start:
            just_above = start + b"\x00"
            end = just_above if end is None else min(end, just_above)
        return cls(prefix, end)

    def __contains__(self, key: bytes) -> bool:
        return self.low <= key and (self.end is None or key < self.end)


def _successor(prefix: bytes) -> bytes | None:
    """The smallest key above all that have this prefix; ``None`` when there is none."""
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes((stem[-1] + 1,)) if stem else None
