"""What the newer methods tell of storage, item by item."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from parahost.primitives.hashing import blake2_256
from parahost.rpc.code import stored_value
from parahost.rpc.limits import ITEMS_TOLD
from parahost.rpc.params import StorageQuery
from parahost.rpc.values import Json, hex_of
from parahost.runtime.storage import State

_TOLD_BYTES = 256 * 1024
"""Of values, in one event; one that is larger comes alone."""


def storage_items(state: State, queries: Sequence[StorageQuery]) -> Iterator[tuple[Json, int]]:
    """Each item that is there, with about how many bytes it has."""
    for query in queries:
        for key, value in _found(state, query):
            told = blake2_256(value) if query.kind in ("hash", "descendantsHashes") else value
            name = "value" if query.kind in ("value", "descendantsValues") else "hash"
            if query.kind == "closestDescendantMerkleValue":
                name = query.kind
            yield {"key": hex_of(key), name: hex_of(told)}, len(key) + len(told)


def _found(state: State, query: StorageQuery) -> Iterable[tuple[bytes, bytes]]:
    match query.kind:
        case "value" | "hash":
            value = stored_value(state, query.key)
        case "closestDescendantMerkleValue":
            value = state.trie.merkle_value_below(query.key)
        case _:
            return state.items_raw(query.key, after=query.start)
    return [] if value is None else [(query.key, value)]


def in_parts(items: Iterator[tuple[Json, int]]) -> Iterator[list[Json]]:
    """As many at a time as one event may have."""
    part: list[Json] = []
    size = 0
    for item, item_size in items:
        if part and (len(part) >= ITEMS_TOLD or size + item_size > _TOLD_BYTES):
            yield part
            part, size = [], 0
        part.append(item)
        size += item_size
    if part:
        yield part
