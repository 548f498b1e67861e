"""The changes of one block while it executes, on top of its parent's state."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from parahost.runtime.storage.cell import Cell
from parahost.runtime.storage.state import State

_UNTOUCHED: Final[Any] = object()


class Overlay:
    """Reads fall through to the parent's state; writes stay here until :meth:`commit`.

    Transactions nest: what is written inside one that rolls back has never happened. They are
    undo logs: reads and writes cost the same at any depth.
    """

    __slots__ = ("_changes", "_parent", "_undo_logs")

    def __init__(self, parent: State) -> None:
        self._parent = parent
        self._changes: dict[bytes, Cell | None] = {}
        self._undo_logs: list[dict[bytes, Cell | None]] = []

    # Cells and raw bytes

    def cell(self, key: bytes) -> Cell | None:
        cell: Cell | None = self._changes.get(key, _UNTOUCHED)
        return self._parent.cell(key) if cell is _UNTOUCHED else cell

    def set_cell(self, key: bytes, cell: Cell | None) -> None:
        """Store a cell under a full storage key, or remove what is there."""
        if self._undo_logs:
            self._undo_logs[-1].setdefault(key, self._changes.get(key, _UNTOUCHED))
        self._changes[key] = cell

    def get_raw(self, key: bytes) -> bytes | None:
        """The SCALE bytes under a full storage key; for keys that no module declares."""
        cell = self.cell(key)
        return None if cell is None else cell.raw

    def put_raw(self, key: bytes, value: bytes | None) -> None:
        """Store bytes under a full storage key, or remove what is there."""
        self.set_cell(key, None if value is None else Cell(value))

    def keys(self, prefix: bytes = b"") -> Sequence[bytes]:
        changed = {key: cell for key, cell in self._changes.items() if key.startswith(prefix)}
        found = [key for key in self._parent.keys(prefix) if key not in changed]
        found.extend(key for key, cell in changed.items() if cell is not None)
        found.sort()
        return found

    # Transactions

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Keep what the body writes if it ends well; undo it if it raises, and raise on."""
        self.begin_transaction()
        try:
            yield
        except BaseException:
            self.rollback_transaction()
            raise
        self.commit_transaction()

    def begin_transaction(self) -> None:
        self._undo_logs.append({})

    def commit_transaction(self) -> None:
        """Hand the innermost transaction's writes to the one around it."""
        undo = self._undo_logs.pop()
        if self._undo_logs:
            outer = self._undo_logs[-1]
            for key, before in undo.items():
                outer.setdefault(key, before)

    def rollback_transaction(self) -> None:
        """Undo the innermost transaction's writes."""
        for key, before in self._undo_logs.pop().items():
            if before is _UNTOUCHED:
                del self._changes[key]
            else:
                self._changes[key] = before

    # The end of the block

    def changes(self) -> dict[bytes, bytes | None]:
        """What differs from the parent's state, by ascending key: bytes, or ``None`` if removed.

        This is what the database keeps of a block: ``State.apply`` makes the same state of it.
        """
        return {
            key: None if cell is None else cell.raw for key, cell in self._changed_cells().items()
        }

    def commit(self) -> State:
        """The state after the block. The overlay may be used on, as one of the same parent."""
        assert not self._undo_logs, "a transaction is open at the end of the block"
        return self._parent.with_cells(self._changed_cells())

    def _changed_cells(self) -> dict[bytes, Cell | None]:
        """The cells that differ from the parent's, not merely were written."""
        return {
            key: cell
            for key, cell in sorted(self._changes.items(), key=lambda change: change[0])
            if not _same(cell, self._parent.cell(key))
        }


def _same(one: Cell | None, other: Cell | None) -> bool:
    if one is None or other is None:
        return one is other
    return one is other or one.raw == other.raw
