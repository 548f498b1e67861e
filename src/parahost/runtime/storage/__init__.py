"""The relay chain's storage: declared by modules, immutable between blocks, overlaid within.

A module (:mod:`parahost.runtime.module`) declares its items as class attributes, with the guide's
names and SCALE types, and reads and writes them through the store that it is handed::

    class Paras(Module, pallet=Pallet(56, "Paras")):
        parachains = StorageValue("Parachains", tuple[ParaId, ...], default=())
        heads = StorageMap("Heads", ParaId, HeadData)
        past_code = StorageDoubleMap("PastCode", ParaId, BlockNumber, ValidationCode)

        def note_new_head(self, store: Overlay, para: ParaId, head: HeadData) -> None:
            if para in self.parachains.get(store):
                self.heads.put(store, para, head)

- An item with a ``default`` reads as it when absent; one without is optional and reads as
  ``None``. A type checker knows which: ``parachains.get(store)`` is ``tuple[ParaId, ...]``,
  ``heads.get(store, para)`` is ``HeadData | None``.
- A value type that is a union, ``StorageValue[Phase, Phase | None]("ExecutionPhase", Phase)``,
  is named to the type checker, as it cannot infer one.
- Values: ``get put kill take mutate exists``. Maps, with a key after the store: ``get put
  remove take mutate contains``, and ``iterate keys values remove_all``. A double map's key is a
  pair; ``iterate_first`` and ``remove_first`` work on all entries of one first key.
- ``mutate(store, f)`` puts ``f(old)`` and gives it; a result of ``None`` removes the entry.
- ``StorageList("Events", EventRecord)`` is a value that is a tuple; ``append`` costs the same
  however long it is.
- Values are immutable: frozen dataclasses (change them with ``dataclasses.replace``), tuples,
  integers, bytes. They are encoded once, when the block ends; a value that does not fit its
  declared type fails there, with the item's name.
- ``Module.storage_items`` lists an item's name, pallet, hashers, types and default for metadata.

A block executes on an :class:`Overlay` of its parent's :class:`State`::

    store = Overlay(parent_state)
    with store.transaction():         # nests; an exception undoes what was written inside
        dispatch(extrinsic, store)
    delta = store.changes()           # for the database: raw key -> bytes, None if removed
    state = store.commit()            # == parent_state.apply(delta)
    state.root                        # for the header

A function that only reads takes a :class:`Reader`: a ``State`` or an ``Overlay``. Keys outside
any module (``:code``) go through ``get_raw`` and ``put_raw``.
"""

from parahost.runtime.storage.declarations import (
    StorageDoubleMap,
    StorageItem,
    StorageList,
    StorageMap,
    StorageValue,
)
from parahost.runtime.storage.hashers import Hasher
from parahost.runtime.storage.overlay import Overlay
from parahost.runtime.storage.state import Reader, State
from parahost.trie import StateVersion

__all__ = [
    "Hasher",
    "Overlay",
    "Reader",
    "State",
    "StateVersion",
    "StorageDoubleMap",
    "StorageItem",
    "StorageList",
    "StorageMap",
    "StorageValue",
]
