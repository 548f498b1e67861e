"""Reading a chain's storage by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from parahost.client.codec import MetadataCodec
from parahost.client.rpc import JsonRpc
from parahost.client.writing import BadValue
from parahost.crypto.hashing import (
    blake2_128,
    blake2_128_concat,
    blake2_256,
    twox_64_concat,
    twox_128,
    twox_256,
)
from parahost.primitives.errors import OperationalError
from parahost.runtime.metadata.layouts import (
    MapEntry,
    PlainEntry,
    StorageEntry,
    StorageHasher,
    StorageModifier,
)
from parahost.runtime.metadata.portable import TupleDef, TypeId

PAGE: Final = 500
"""Keys that are asked for at a time."""
_HASHERS: Final[Mapping[StorageHasher, Callable[[bytes], bytes]]] = {
    StorageHasher.BLAKE2_128: blake2_128,
    StorageHasher.BLAKE2_256: blake2_256,
    StorageHasher.BLAKE2_128_CONCAT: blake2_128_concat,
    StorageHasher.TWOX_128: twox_128,
    StorageHasher.TWOX_256: twox_256,
    StorageHasher.TWOX_64_CONCAT: twox_64_concat,
    StorageHasher.IDENTITY: bytes,
}
_READABLE_AFTER: Final = {
    StorageHasher.BLAKE2_128_CONCAT: 16,
    StorageHasher.TWOX_64_CONCAT: 8,
    StorageHasher.IDENTITY: 0,
}
"""Bytes of the hash before the key itself, where that is there."""


class StorageReader:
    """Finds items by the names in metadata."""

    def __init__(self, rpc: JsonRpc, codec: MetadataCodec) -> None:
        self._rpc = rpc
        self._codec = codec

    def query(self, pallet: str, item: str, keys: Sequence[Any], block_hash: str) -> Any:
        """See :meth:`ChainClient.query`."""
        entry = self._codec.metadata.storage(pallet, item)
        prefix = self._prefix(pallet, item)
        if isinstance(entry.type, PlainEntry):
            if keys:
                raise BadValue(f"{pallet}.{item}", "it is no map and has no keys")
            return self._value(entry, prefix, block_hash)
        types = self._key_types(entry.type)
        if len(keys) > len(types):
            raise BadValue(f"{pallet}.{item}", f"it has {len(types)} keys, not {len(keys)}")
        hashers = entry.type.hashers
        for type_id, hasher, key in zip(types, hashers, keys, strict=False):
            prefix += _HASHERS[hasher](self._codec.encode(type_id, key))
        if len(keys) == len(types):
            return self._value(entry, prefix, block_hash)
        return self._entries(entry, prefix, len(keys), block_hash)

    def _prefix(self, pallet: str, item: str) -> bytes:
        storage = self._codec.metadata.pallet(pallet).storage
        assert storage is not None, "the item has been found in it"
        return twox_128(storage.prefix.encode()) + twox_128(item.encode())

    def _value(self, entry: StorageEntry, key: bytes, block_hash: str) -> Any:
        found = self._rpc.ask("state_getStorage", "0x" + key.hex(), block_hash)
        if found is None:
            if entry.modifier is StorageModifier.OPTIONAL:
                return None
            return self._codec.decode(entry.type.value, entry.default)
        return self._codec.decode(entry.type.value, bytes.fromhex(found[2:]))

    def _entries(
        self, entry: StorageEntry, prefix: bytes, known: int, block_hash: str
    ) -> list[dict[str, Any]]:
        """All entries under a part of the key, with the rest of it."""
        assert isinstance(entry.type, MapEntry)
        found: list[dict[str, Any]] = []
        start = None
        while True:
            page = self._rpc.ask("state_getKeysPaged", "0x" + prefix.hex(), PAGE, start, block_hash)
            if not page:
                return found
            changes = self._rpc.ask("state_queryStorageAt", page, block_hash)[0]["changes"]
            for key, value in changes:
                if value is not None:
                    rest = bytes.fromhex(key[2:])[len(prefix) :]
                    keys = self._rest_of_key(entry.type, rest, known)
                    read = self._codec.decode(entry.type.value, bytes.fromhex(value[2:]))
                    found.append({"keys": keys, "value": read})
            start = page[-1]

    def _rest_of_key(self, entry: MapEntry, raw: bytes, known: int) -> list[Any]:
        keys, offset = [], 0
        parts = list(zip(self._key_types(entry), entry.hashers, strict=True))[known:]
        for type_id, hasher in parts:
            if hasher not in _READABLE_AFTER:
                raise OperationalError("the map's keys are hashed, they cannot be listed")
            offset += _READABLE_AFTER[hasher]
            key, offset = self._codec.decode_prefix(type_id, raw, offset)
            keys.append(key)
        return keys

    def _key_types(self, entry: MapEntry) -> tuple[TypeId, ...]:
        if len(entry.hashers) == 1:
            return (entry.key,)
        definition = self._codec.metadata.types[entry.key].type_def
        assert isinstance(definition, TupleDef), "a key of several parts is a tuple"
        return definition.fields
