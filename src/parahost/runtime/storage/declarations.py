"""Storage items as runtime modules declare them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from types import UnionType
from typing import Any, Generic, TypeVar, cast, overload

from parahost.crypto.hashing import twox_128
from parahost.primitives import scale
from parahost.runtime.storage.cell import Cell, Form
from parahost.runtime.storage.hashers import Hasher
from parahost.runtime.storage.overlay import Overlay
from parahost.runtime.storage.state import Reader

K = TypeVar("K")
K1 = TypeVar("K1")
K2 = TypeVar("K2")
V = TypeVar("V")
E = TypeVar("E")
Q = TypeVar("Q")
"""What ``get`` gives: ``V`` for an item with a default, ``V | None`` for one without."""

MAX_CACHED_KEYS = 4096
"""Storage keys that each map remembers: some sets of 1,000 validators."""


class StorageItem(Generic[V, Q]):
    """What all storage items have. ``pallet``, ``prefix`` and ``form`` are set when the module
    class that declares the item is complete.

    ``default`` is what an absent value reads as; ``None`` if the item is optional.
    """

    pallet: str
    prefix: bytes
    """twox_128(pallet) ++ twox_128(name), 32 bytes: every key of the item begins with it."""
    form: Form

    def __init__(self, name: str, value_type: Any, default: Any) -> None:
        self.name = name
        self.value_type = value_type
        self.default = default

    @property
    def is_optional(self) -> bool:
        return self.default is None

    def bind(self, pallet: str) -> None:
        """Give the item its place in the state; the module calls this, once."""
        if hasattr(self, "pallet"):
            raise TypeError(f"{self} cannot be declared again in {pallet}")
        self.pallet = pallet
        self.prefix = twox_128(pallet.encode()) + twox_128(self.name.encode())
        self.form = Form(str(self), self.value_type)

    def __str__(self) -> str:
        return f"{getattr(self, 'pallet', '?')}.{self.name}"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self}>"

    def _read(self, store: Reader, key: bytes) -> Q:
        cell = store.cell(key)
        return cast(Q, self.default if cell is None else cell.decoded(self.form))

    def _write(self, store: Overlay, key: bytes, value: Any) -> None:
        store.set_cell(key, None if value is None else Cell.of(value, self.form))

    def _take(self, store: Overlay, key: bytes) -> Q:
        value = self._read(store, key)
        store.set_cell(key, None)
        return value

    def _mutate(self, store: Overlay, key: bytes, change: Callable[[Q], Q]) -> Q:
        value = change(self._read(store, key))
        self._write(store, key, value)
        return value


class StorageValue(StorageItem[V, Q]):
    """One value: ``StorageValue("Parachains", tuple[ParaId, ...], default=())``.

    Its storage key is :attr:`prefix`.
    """

    @overload
    def __init__(
        self: StorageValue[V, V | None], name: str, value_type: type[V] | UnionType
    ) -> None: ...
    @overload
    def __init__(
        self: StorageValue[V, V], name: str, value_type: type[V] | UnionType, *, default: V
    ) -> None: ...
    def __init__(self, name: str, value_type: Any, *, default: Any = None) -> None:
        super().__init__(name, value_type, default)

    def get(self, store: Reader) -> Q:
        return self._read(store, self.prefix)

    def exists(self, store: Reader) -> bool:
        """Whether a value is stored, be it equal to the default."""
        return store.cell(self.prefix) is not None

    def put(self, store: Overlay, value: V) -> None:
        self._write(store, self.prefix, value)

    def kill(self, store: Overlay) -> None:
        """Remove the value: the item reads as its default again."""
        store.set_cell(self.prefix, None)

    def take(self, store: Overlay) -> Q:
        """The value, removed."""
        return self._take(store, self.prefix)

    def mutate(self, store: Overlay, change: Callable[[Q], Q]) -> Q:
        """Put what ``change`` makes of the value (``None`` removes it); gives the new value."""
        return self._mutate(store, self.prefix, change)


class StorageList(StorageValue[tuple[E, ...], tuple[E, ...]], Generic[E]):
    """A tuple that grows at its end: ``StorageList("Events", EventRecord)``. Absent, it is empty.

    Its form and key are those of ``StorageValue("Events", tuple[EventRecord, ...], default=())``,
    but :meth:`append` costs the same however long it is.
    """

    def __init__(self, name: str, element_type: type[E] | UnionType) -> None:
        value_type: Any = tuple[element_type, ...]  # type: ignore[valid-type]
        super().__init__(name, value_type, default=())

    def append(self, store: Overlay, element: E) -> None:
        before = store.cell(self.prefix)
        store.set_cell(self.prefix, Cell.appended(before, element, self.form))


class StorageMap(StorageItem[V, Q], Generic[K, V, Q]):
    """One value per key: ``StorageMap("Heads", ParaId, HeadData)``.

    A key's storage key is :attr:`prefix` ++ hasher(SCALE key). Iteration is in ascending order
    of storage keys, as in Substrate; what is iterated is fixed when the iteration begins, so
    entries may be written and removed meanwhile.

    ``keys_and_hashers``: the SCALE type of each part of the key, with its hasher.
    """

    @overload
    def __init__(
        self: StorageMap[K, V, V | None],
        name: str,
        key_type: type[K],
        value_type: type[V] | UnionType,
        *,
        hasher: Hasher = Hasher.TWOX_64_CONCAT,
    ) -> None: ...
    @overload
    def __init__(
        self: StorageMap[K, V, V],
        name: str,
        key_type: type[K],
        value_type: type[V] | UnionType,
        *,
        hasher: Hasher = Hasher.TWOX_64_CONCAT,
        default: V,
    ) -> None: ...
    def __init__(
        self,
        name: str,
        key_type: Any,
        value_type: Any,
        *,
        hasher: Hasher = Hasher.TWOX_64_CONCAT,
        default: Any = None,
    ) -> None:
        super().__init__(name, value_type, default)
        self.keys_and_hashers: tuple[tuple[Any, Hasher], ...] = ((key_type, hasher),)
        self.storage_key: Callable[[K], bytes] = lru_cache(MAX_CACHED_KEYS)(self._storage_key)

    def get(self, store: Reader, key: K) -> Q:
        return self._read(store, self.storage_key(key))

    def contains(self, store: Reader, key: K) -> bool:
        """Whether a value is stored under the key, be it equal to the default."""
        return store.cell(self.storage_key(key)) is not None

    def put(self, store: Overlay, key: K, value: V) -> None:
        self._write(store, self.storage_key(key), value)

    def remove(self, store: Overlay, key: K) -> None:
        store.set_cell(self.storage_key(key), None)

    def take(self, store: Overlay, key: K) -> Q:
        """The value under the key, removed."""
        return self._take(store, self.storage_key(key))

    def mutate(self, store: Overlay, key: K, change: Callable[[Q], Q]) -> Q:
        """Put what ``change`` makes of the value (``None`` removes it); gives the new value."""
        return self._mutate(store, self.storage_key(key), change)

    def iterate(self, store: Reader) -> Iterator[tuple[K, V]]:
        """Stored keys and values, by ascending storage key."""
        return self._iterate(store, self.prefix)

    def keys(self, store: Reader) -> Iterator[K]:
        """Stored keys, by ascending storage key."""
        return (self._key_of(raw) for raw in store.keys(self.prefix))

    def values(self, store: Reader) -> Iterator[V]:
        """Stored values, by ascending storage key."""
        return (value for _, value in self.iterate(store))

    def remove_all(self, store: Overlay) -> None:
        self._remove_under(store, self.prefix)

    def _iterate(self, store: Reader, prefix: bytes) -> Iterator[tuple[K, V]]:
        for raw in store.keys(prefix):
            cell = store.cell(raw)
            if cell is not None:
                yield self._key_of(raw), cell.decoded(self.form)

    def _remove_under(self, store: Overlay, prefix: bytes) -> None:
        for raw in store.keys(prefix):
            store.set_cell(raw, None)

    def _storage_key(self, key: K) -> bytes:
        return self._prefix_of((key,))

    def _prefix_of(self, parts: tuple[Any, ...]) -> bytes:
        """The storage key for all parts of a key, or the prefix for the first few."""
        hashed = (
            hasher.hash(scale.encode(part, type_))
            for part, (type_, hasher) in zip(parts, self.keys_and_hashers, strict=False)
        )
        return self.prefix + b"".join(hashed)

    def _key_of(self, raw: bytes) -> K:
        return cast(K, self._parts_of(raw)[0])

    def _parts_of(self, raw: bytes) -> tuple[Any, ...]:
        parts = []
        offset = len(self.prefix)
        for type_, hasher in self.keys_and_hashers:
            part, offset = scale.decode_prefix(type_, raw, offset + hasher.prefix_length)
            parts.append(part)
        return tuple(parts)


class StorageDoubleMap(StorageMap[tuple[K1, K2], V, Q], Generic[K1, K2, V, Q]):
    """One value per pair of keys, which can be walked by the first:
    ``StorageDoubleMap("PastCode", ParaId, BlockNumber, ValidationCode)``.

    The key is the pair: ``past_code.get(store, (para, number))``. A pair's storage key is
    :attr:`prefix` ++ hasher(SCALE first) ++ hasher(SCALE second).
    """

    @overload
    def __init__(
        self: StorageDoubleMap[K1, K2, V, V | None],
        name: str,
        first_type: type[K1],
        second_type: type[K2],
        value_type: type[V] | UnionType,
        *,
        hashers: tuple[Hasher, Hasher] = (Hasher.TWOX_64_CONCAT, Hasher.TWOX_64_CONCAT),
    ) -> None: ...
    @overload
    def __init__(
        self: StorageDoubleMap[K1, K2, V, V],
        name: str,
        first_type: type[K1],
        second_type: type[K2],
        value_type: type[V] | UnionType,
        *,
        hashers: tuple[Hasher, Hasher] = (Hasher.TWOX_64_CONCAT, Hasher.TWOX_64_CONCAT),
        default: V,
    ) -> None: ...
    def __init__(
        self,
        name: str,
        first_type: Any,
        second_type: Any,
        value_type: Any,
        *,
        hashers: tuple[Hasher, Hasher] = (Hasher.TWOX_64_CONCAT, Hasher.TWOX_64_CONCAT),
        default: Any = None,
    ) -> None:
        StorageItem.__init__(self, name, value_type, default)
        self.keys_and_hashers = ((first_type, hashers[0]), (second_type, hashers[1]))
        self.storage_key = lru_cache(MAX_CACHED_KEYS)(self._storage_key)

    def iterate_first(self, store: Reader, first: K1) -> Iterator[tuple[K2, V]]:
        """Second keys and values under one first key, by ascending storage key."""
        entries = self._iterate(store, self._prefix_of((first,)))
        return ((second, value) for (_, second), value in entries)

    def remove_first(self, store: Overlay, first: K1) -> None:
        """Remove all entries under one first key."""
        self._remove_under(store, self._prefix_of((first,)))

    def _storage_key(self, key: tuple[K1, K2]) -> bytes:
        return self._prefix_of(key)

    def _key_of(self, raw: bytes) -> tuple[K1, K2]:
        return cast("tuple[K1, K2]", self._parts_of(raw))
