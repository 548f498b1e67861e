"""``state_*``: what a block's state holds, and what its runtime answers."""

from __future__ import annotations

from itertools import islice

import trio

from parahost.chain.chain import is_of_best
from parahost.primitives.basic import Hash
from parahost.primitives.hashing import blake2_256
from parahost.primitives.scale import decode
from parahost.rpc.code import stored_value
from parahost.rpc.errors import BadBlockRange, CallFailed, NoSuchBlock, TooManyKeys
from parahost.rpc.forms import version_form
from parahost.rpc.limits import MAX_KEYS, MAX_QUERIED_BLOCKS
from parahost.rpc.params import BlockHash, Count, HexBytes, StorageKey
from parahost.rpc.served import AnswerRoom, CallContext, ServedNode
from parahost.rpc.table import Family, Subscription, Tell
from parahost.rpc.values import Json, hex_of, optional_hex
from parahost.runtime.api_trait import RefusedStateCall
from parahost.runtime.storage import State
from parahost.runtime.version import RUNTIME_VERSION

STATE = Family()


# The runtime


@STATE.method("state_call", "state_callAt", calls=10)
async def call(context: CallContext, method: str, data: HexBytes, hash: BlockHash | None) -> Json:
    """What a function of the Runtime API answers about a block's children, in SCALE. ``data`` are
    its arguments in SCALE, one after the other. One that changes the node's keys is unsafe."""
    return hex_of(await _called(context, method, data, hash))


async def _called(
    context: CallContext, function: str, arguments: bytes, hash: Hash | None
) -> bytes:
    state = context.served.state(hash)
    try:
        return await context.served.ask_runtime(
            function, arguments, state, may_change_keys=context.unsafe
        )
    except RefusedStateCall as why:
        raise CallFailed(str(why)) from None


@STATE.method("state_getMetadata", calls=10)
async def get_metadata(context: CallContext, at: BlockHash | None) -> Json:
    """The runtime's metadata, version 14."""
    answer = await _called(context, "Metadata_metadata", b"", at)
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


@STATE.method("state_queryStorage", unsafe=True, calls=100)
async def query_storage(
    context: CallContext,
    keys: tuple[StorageKey, ...],
    from_block: BlockHash,
    to_block: BlockHash | None,
) -> Json:
    """The values under storage keys at a block, and what has changed of them in each block after it
    up to another, or to the best one."""
    _check_count(keys)
    served = context.served
    blocks = _range(served, from_block, served.block(to_block))
    states = []
    for block in blocks:
        states.append((block, served.state(block)))
        await trio.lowlevel.checkpoint()  # A state of the past is made again.

    def collect() -> list[Json]:
        room = AnswerRoom()
        told: _Values = {}
        change_sets: list[Json] = []
        for block, state in states:
            changed = _changed(told, _values(state, keys))
            told.update(changed)
            if changed:
                change_sets.append(_change_set(block, changed, room))
        return change_sets

    return await served.work(collect)


def _range(served: ServedNode, first: Hash, last: Hash) -> list[Hash]:
    """The blocks from one to the other, the oldest first.

    :raises NoSuchBlock:
    :raises BadBlockRange:
    """
    chain = served.chain
    ends = [chain.header(block) for block in (first, last)]
    for block, header in zip((first, last), ends, strict=True):
        if header is None:
            raise NoSuchBlock(block)
    numbers = [header.number for header in ends if header is not None]
    count = numbers[1] - numbers[0]
    if count >= MAX_QUERIED_BLOCKS:
        raise BadBlockRange(first, last, f"at most {MAX_QUERIED_BLOCKS} blocks are looked at")
    if not chain.is_ancestor(first, last):
        raise BadBlockRange(first, last, "the first one is no ancestor of the other")
    return [*chain.ancestors(last, count)[::-1], last]


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
    _change_set(served.chain.best_hash, _values(served.state(None), keys))

    async def run(tell: Tell) -> None:
        with served.feed.reading() as reader:
            best = served.chain.best_hash
            told = _values(served.state(best), keys)
            await tell(_change_set(best, told))
            while True:
                event = await reader.next()
                if not is_of_best(event):
                    continue
                state = served.node.state_of(event.hash)
                if state is None:
                    continue  # Finality has left it since.
                values = _values(state, keys)
                changed = _changed(told, values)
                told = values
                if changed:
                    await tell(_change_set(event.hash, changed))

    return run


def _check_count(keys: tuple[bytes, ...]) -> None:
    if len(keys) > MAX_KEYS:
        raise TooManyKeys(len(keys), MAX_KEYS)


_Values = dict[bytes, bytes | None]


def _values(state: State, keys: tuple[bytes, ...]) -> _Values:
    return {key: stored_value(state, key) for key in keys}


def _changed(before: _Values, now: _Values) -> _Values:
    """Those that are others, or were not there to compare with."""
    return {key: now[key] for key in now if key not in before or before[key] != now[key]}


def _change_set(block: Hash, values: _Values, room: AnswerRoom | None = None) -> Json:
    """:raises AnswerTooLarge: when they have more bytes than there is room for in the answer."""
    room = room or AnswerRoom()
    changes: list[Json] = []
    for key, value in values.items():
        told = None if value is None else hex_of(room.take(value))
        changes.append([hex_of(room.take(key)), told])
    return {"block": hex_of(block), "changes": changes}
