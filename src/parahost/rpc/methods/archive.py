"""``archive_v1_*``: blocks by number or hash, as far back as this node has them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import islice
from typing import Final

from parahost.primitives.basic import BlockNumber, Hash
from parahost.primitives.hashing import blake2_256
from parahost.rpc.errors import BadBlockRange, InvalidParams, NoSuchBlock, RpcError
from parahost.rpc.forms import extrinsic_form
from parahost.rpc.limits import MAX_KEYS
from parahost.rpc.params import (
    AskedItem,
    BlockHash,
    Count,
    DifferenceItem,
    DifferenceQuery,
    HexBytes,
)
from parahost.rpc.served import CallContext, ServedNode
from parahost.rpc.storage_items import storage_items
from parahost.rpc.table import Family, Subscription, Tell
from parahost.rpc.values import Json, hex_of
from parahost.runtime.api_trait import RefusedStateCall
from parahost.runtime.storage import State
from parahost.trie import ChangedValue, difference

ARCHIVE = Family(ends_quietly=True)

CHANGES_AT_ONCE: Final = 64
"""So many are looked for before they are told."""


@ARCHIVE.method("archive_v1_genesisHash")
def genesis_hash(context: CallContext) -> Json:
    """The hash of the genesis block."""
    return hex_of(context.served.chain.genesis_hash)


@ARCHIVE.method("archive_v1_finalizedHeight")
def finalized_height(context: CallContext) -> Json:
    """The number of the last final block."""
    return context.served.chain.finalized.number


@ARCHIVE.method("archive_v1_hashByHeight")
def hash_by_height(context: CallContext, height: Count) -> Json:
    """The hashes of the blocks of a number: of the final one, or of those on all forks."""
    chain = context.served.chain
    if height <= chain.finalized.number:
        hash = chain.hash_of(BlockNumber(height))  # type: ignore[arg-type]
        return [] if hash is None else [hex_of(hash)]
    level: list[Hash] = [chain.finalized_hash]
    for _ in range(height - chain.finalized.number):
        level = [child for block in level for child in chain.children(block)]
        if not level:
            break
    return [hex_of(block) for block in level]


@ARCHIVE.method("archive_v1_header")
def header(context: CallContext, hash: BlockHash) -> Json:
    """A block's header in SCALE, null when it is not known."""
    found = context.served.header(hash)
    return None if found is None else hex_of(found.encoded())


@ARCHIVE.method("archive_v1_body")
def body(context: CallContext, hash: BlockHash) -> Json:
    """A block's extrinsics, null when it is not known."""
    found = context.served.body(hash)
    return None if found is None else [extrinsic_form(extrinsic) for extrinsic in found]


@ARCHIVE.method("archive_v1_call", calls=10)
async def call(
    context: CallContext, hash: BlockHash, function: str, call_parameters: HexBytes
) -> Json:
    """What a function of the Runtime API answers about a block's children; null when the block is
    not known."""
    served = context.served
    if served.header(hash) is None:
        return None
    try:
        state = served.state(hash)
        output = await served.ask_runtime(function, call_parameters, state)
    except RefusedStateCall as why:
        return {"success": False, "error": str(why)}
    except RpcError as why:
        return {"success": False, "error": why.message}
    return {"success": True, "value": hex_of(output)}


@ARCHIVE.subscription(
    "archive_v1_storage", notifies="archive_v1_storageEvent", ends="archive_v1_stopStorage"
)
def storage(
    context: CallContext,
    hash: BlockHash,
    items: tuple[AskedItem, ...],
    child_trie: HexBytes | None,
) -> Subscription:
    """Tells what is in a block's state, an item at a time, and then `storageDone`. There are no
    child tries."""
    if len(items) > MAX_KEYS:
        raise InvalidParams(f"items: at most {MAX_KEYS}")
    asked = () if child_trie is not None else items

    async def run(tell: Tell) -> None:
        try:
            state = context.served.state(hash)
        except RpcError as why:
            await tell({"event": "storageError", "error": why.message})
            return
        for item, _ in storage_items(state, asked):
            assert isinstance(item, dict)
            await tell({"event": "storage", **item})
        await tell({"event": "storageDone"})

    return run


@ARCHIVE.subscription(
    "archive_v1_storageDiff",
    notifies="archive_v1_storageDiffEvent",
    ends="archive_v1_stopStorageDiff",
)
def storage_diff(
    context: CallContext,
    hash: BlockHash,
    items: tuple[DifferenceItem, ...] | None,
    previous_hash: BlockHash | None,
) -> Subscription:
    """Tells what is different in a block's state and in that of an ancestor, or of its parent: a
    key at a time, and then `storageDiffDone`. There are no child tries."""
    asked = (DifferenceQuery(b"", hashes=False, child_trie=None),) if items is None else items
    if len(asked) > MAX_KEYS:
        raise InvalidParams(f"items: at most {MAX_KEYS}")

    async def run(tell: Tell) -> None:
        try:
            before, after = _states_to_compare(context.served, hash, previous_hash)
            for query in asked:
                if query.child_trie is None:
                    changes = difference(before.trie, after.trie, query.prefix)
                    while some := await context.served.work(partial(_next_of, changes)):
                        for change in some:
                            await tell(difference_form(change, hashes=query.hashes))
        except RpcError as why:
            await tell({"event": "storageDiffError", "error": why.message})
            return
        await tell({"event": "storageDiffDone"})

    return run


def _next_of(changes: Iterator[ChangedValue]) -> list[ChangedValue]:
    """Off the loop: between two changes there may be a whole state that is the same."""
    return [*islice(changes, CHANGES_AT_ONCE)]


def _states_to_compare(
    served: ServedNode, block: Hash, ancestor: Hash | None
) -> tuple[State, State]:
    """:raises RpcError: when one of them is not here, or the second is no ancestor of the first."""
    header = served.chain.header(block)
    if header is None:
        raise NoSuchBlock(block)
    before = header.parent_hash if ancestor is None else ancestor
    if ancestor is not None and not served.chain.is_ancestor(ancestor, block):
        raise BadBlockRange(ancestor, block, "the first one is no ancestor of the other")
    return served.state(before), served.state(block)


def difference_form(change: ChangedValue, *, hashes: bool) -> Json:
    """Of a key that is there no more, the value is told that it had."""
    kind, value = "modified", change.after
    if change.before is None:
        kind = "added"
    elif value is None:
        kind, value = "deleted", change.before
    assert value is not None, "what is different was there, or is"
    shown = {"hash": hex_of(blake2_256(value))} if hashes else {"value": hex_of(value)}
    return {"event": "storageDiff", "key": hex_of(change.key), "type": kind, **shown}
