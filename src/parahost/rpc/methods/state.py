"""``state_*``: what a block's state holds, and what its runtime answers."""

from __future__ import annotations

from functools import partial
from itertools import islice

import trio

from parahost.primitives.basic import Hash
from parahost.primitives.events import BlockImportEvent
from parahost.primitives.hashing import blake2_256
from parahost.primitives.scale import decode
from parahost.rpc.code import stored_value
from parahost.rpc.errors import CallFailed, TooManyKeys
from parahost.rpc.forms import version_form
from parahost.rpc.limits import MAX_KEYS
from parahost.rpc.params import BlockHash, Count, HexBytes, StorageKey
from parahost.rpc.served import AnswerRoom, CallContext, ServedNode
from parahost.rpc.table import Family, Subscription, Tell
from parahost.rpc.values import Json, hex_of, optional_hex
from parahost.runtime.api_trait import RefusedStateCall
from parahost.runtime.runtime_apis import state_call
from parahost.runtime.storage import State
from parahost.runtime.version import RUNTIME_VERSION

STATE = Family()


# The runtime


@STATE.method("state_call", "state_callAt", calls=10)
async def call(context: CallContext, method: str, data: HexBytes, hash: BlockHash | None) -> Json:
    """What a function of the Runtime API answers about a block's children, in SCALE. ``data`` are
    its arguments in SCALE, one after the other."""
    return hex_of(await _called(context.served, method, data, hash))


async def _called(served: ServedNode, function: str, arguments: bytes, hash: Hash | None) -> bytes:
    state = served.state(hash)
    try:
        return await served.work(partial(state_call, function, arguments, state))
    except RefusedStateCall as why:
        raise CallFailed(str(why)) from None


@STATE.method("state_getMetadata", calls=10)
async def get_metadata(context: CallContext, at: BlockHash | None) -> Json:
    """The runtime's metadata, version 14."""
    answer = await _called(context.served, "Metadata_metadata", b"", at)
    return hex_of(decode(bytes, answer))


@STATE.method("state_getRuntimeVersion", "chain_getRuntimeVersion")
def get_runtime_version(context: CallContext, at: BlockHash | None) -> Json:
    """Which runtime a block's children are executed by."""
    context.served.state(at)
    return version_form(RUNTIME_VERSION)


@STATE.subscription(
    "state_subscribeRuntimeVersion",
    "chain_subscribeRuntimeVersion",
    notifies="state_runtimeVersion",
    ends=("state_unsubscribeRuntimeVersion", "chain_unsubscribeRuntimeVersion"),
)
def subscribe_runtime_version(context: CallContext) -> Subscription:
    """Which runtime it is. It does not change while a node runs, so it is told once."""

    async def run(tell: Tell) -> None:
        await tell(version_form(RUNTIME_VERSION))
        await trio.sleep_forever()

    return run


# Values


@STATE.method("state_getStorage", "state_getStorageAt")
def get_storage(context: CallContext, key: StorageKey, hash: BlockHash | None) -> Json:
    """The value under a storage key, null when there is none."""
    return optional_hex(stored_value(context.served.state(hash), key))


@STATE.method("state_getStorageHash", "state_getStorageHashAt")
def get_storage_hash(context: CallContext, key: StorageKey, hash: BlockHash | None) -> Json:
    """The blake2-256 hash of the value under a storage key."""
    value = stored_value(context.served.state(hash), key)
    return None if value is None else hex_of(blake2_256(value))


@STATE.method("state_getStorageSize", "state_getStorageSizeAt")
def get_storage_size(context: CallContext, key: StorageKey, hash: BlockHash | None) -> Json:
    """How many bytes are under a storage key."""
    value = stored_value(context.served.state(hash), key)
    return None if value is None else len(value)


@STATE.method("state_getKeysPaged", "state_getKeysPagedAt", calls=10)
def get_keys_paged(
    context: CallContext,
    prefix: StorageKey | None,
    count: Count,
    start_key: StorageKey | None,
    hash: BlockHash | None,
) -> Json:
    """Up to ``count`` keys that begin with ``prefix`` and come after ``start_key``, ascending."""
    if count > MAX_KEYS:
        raise TooManyKeys(count, MAX_KEYS)
    items = context.served.state(hash).items_raw(prefix or b"", after=start_key)
    return [hex_of(key) for key, _ in islice(items, count)]


@STATE.method("state_getKeys", unsafe=True)
async def get_keys(context: CallContext, prefix: StorageKey, hash: BlockHash | None) -> Json:
    """All keys that begin with ``prefix``."""
    items = context.served.state(hash).items_raw(prefix)

    def collect() -> list[Json]:
        room = AnswerRoom()
        return [hex_of(room.take(key)) for key, _ in items]

    return await context.served.work(collect)


@STATE.method("state_getPairs", unsafe=True)
async def get_pairs(context: CallContext, prefix: StorageKey, hash: BlockHash | None) -> Json:
    """All keys that begin with ``prefix``, with their values."""
    items = context.served.state(hash).items_raw(prefix)

    def collect() -> list[Json]:
        room = AnswerRoom()
        return [[hex_of(room.take(key)), hex_of(room.take(value))] for key, value in items]

    return await context.served.work(collect)


@STATE.method("state_queryStorageAt", calls=10)
def query_storage_at(
    context: CallContext, keys: tuple[StorageKey, ...], at: BlockHash | None
) -> Json:
    """The values under storage keys, as a list with one set of changes."""
    _check_count(keys)
    served = context.served
    values = _values(served.state(at), keys)
    return [_change_set(served.block(at), values)]


@STATE.method("state_getReadProof", calls=10)
async def get_read_proof(
    context: CallContext, keys: tuple[StorageKey, ...], hash: BlockHash | None
) -> Json:
    """Nodes of the state trie that prove to who knows the block's header what is under the
    keys."""
    _check_count(keys)
    served = context.served
    state = served.state(hash)

    def prove() -> list[Json]:
        room = AnswerRoom()
        return [hex_of(room.take(node)) for node in state.prove(keys)]

    return {"at": hex_of(served.block(hash)), "proof": await served.work(prove)}


@STATE.subscription(
    "state_subscribeStorage", notifies="state_storage", ends="state_unsubscribeStorage"
)
def subscribe_storage(context: CallContext, keys: tuple[StorageKey, ...]) -> Subscription:
    """The values under storage keys on the best block; then, of each best block, those that are
    others than were told last."""
    _check_count(keys)
    served = context.served
    _values(served.state(None), keys)

    async def run(tell: Tell) -> None:
        with served.feed.reading() as reader:
            best = served.chain.best_hash
            told = _values(served.state(best), keys)
            await tell(_change_set(best, told))
            while True:
                event = await reader.next()
                if not isinstance(event, BlockImportEvent) or not event.new_best:
                    continue
                state = served.node.state_of(event.hash)
                if state is None:
                    continue  # Finality has left it since.
                values = _values(state, keys)
                changed = {key: value for key, value in values.items() if value != told[key]}
                told = values
                if changed:
                    await tell(_change_set(event.hash, changed))

    return run


def _check_count(keys: tuple[bytes, ...]) -> None:
    if len(keys) > MAX_KEYS:
        raise TooManyKeys(len(keys), MAX_KEYS)


def _values(state: State, keys: tuple[bytes, ...]) -> dict[bytes, bytes | None]:
    """:raises AnswerTooLarge: when they have more bytes than an answer may have."""
    room = AnswerRoom()
    values = {}
    for key in keys:
        values[key] = stored_value(state, key)
        room.take(key)
        room.take(values[key] or b"")
    return values


def _change_set(block: Hash, values: dict[bytes, bytes | None]) -> Json:
    changes: list[Json] = [[hex_of(key), optional_hex(value)] for key, value in values.items()]
    return {"block": hex_of(block), "changes": changes}
