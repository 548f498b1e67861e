"""The whole state after one block: immutable, and cheap to derive another from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import immutables

from parahost.primitives.basic import Hash
from parahost.runtime.storage.cell import Cell
from parahost.trie import StateVersion, Trie, prove


class Reader(Protocol):
    """What storage items read from: a :class:`State`, or an ``Overlay`` on one."""

    def cell(self, key: bytes) -> Cell | None:
        """What is stored under a full storage key."""
        ...

    def keys(self, prefix: bytes = b"") -> Sequence[bytes]:
        """The full keys that begin with ``prefix``, ascending, as of now."""
        ...


class State:
    """The state after a block (or at genesis): full storage key to :class:`Cell`, and its trie.

    States share what is equal in them: a child of a state costs memory and time for its changes
    only, so the states of all forks can be held at once.
    """

    __slots__ = ("_cells", "_trie")

    def __init__(self, cells: immutables.Map[bytes, Cell], trie: Trie) -> None:
        self._cells = cells
        self._trie = trie

    @classmethod
    def from_raw(
        cls,
        items: Mapping[bytes, bytes] | Iterable[tuple[bytes, bytes]],
        version: StateVersion = StateVersion.V1,
    ) -> State:
        """A state from full storage keys and SCALE bytes, as in a chain spec's raw genesis."""
        raw = dict(items)
        cells = immutables.Map({key: Cell(value) for key, value in raw.items()})
        return cls(cells, Trie(version).insert_many(raw))

    @property
    def root(self) -> Hash:
        """The state root, as a header carries it."""
        return self._trie.root

    @property
    def trie(self) -> Trie:
        return self._trie

    def cell(self, key: bytes) -> Cell | None:
        return self._cells.get(key)

    def get_raw(self, key: bytes) -> bytes | None:
        """The SCALE bytes under a full storage key."""
        cell = self._cells.get(key)
        return None if cell is None else cell.raw

    def keys(self, prefix: bytes = b"") -> Sequence[bytes]:
        return [key for key, _ in self._trie.items(prefix)]

    def items_raw(
        self, prefix: bytes = b"", *, after: bytes | None = None
    ) -> Iterable[tuple[bytes, bytes]]:
        """Full keys that begin with ``prefix``, ascending, with their SCALE bytes; with ``after``,
        only those that come after that key."""
        return self._trie.items(prefix, after=after)

    def prove(self, keys: Iterable[bytes]) -> list[bytes]:
        """A storage proof for what is, or is not, under these keys; against :attr:`root`."""
        return prove(self._trie, keys)

    def apply(self, delta: Mapping[bytes, bytes | None]) -> State:
        """The state after changes that an overlay has reported: bytes, or ``None`` if removed."""
        return self.with_cells(
            {key: None if raw is None else Cell(raw) for key, raw in delta.items()}
        )

    def with_cells(self, changes: Mapping[bytes, Cell | None]) -> State:
        """As :meth:`apply`, keeping the decoded values in the cells."""
        with self._cells.mutate() as cells:
            for key, cell in changes.items():
                if cell is None:
                    cells.pop(key, None)
                else:
                    cells[key] = cell
            merged = cells.finish()
        raw = {key: None if cell is None else cell.raw for key, cell in changes.items()}
        return State(merged, self._trie.insert_many(raw))
