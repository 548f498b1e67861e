"""``chainHead_v1_*``: a client follows the chain, and asks about the blocks that it was told of.

The blocks are pinned: what they hold stays at hand until the client lets them go.
"""

from __future__ import annotations

from parahost.rpc.errors import InvalidParams, TooManyFollows
from parahost.rpc.follow import Follow, Operation
from parahost.rpc.forms import extrinsic_form
from parahost.rpc.limits import MAX_FOLLOWS_OF_CONNECTION, MAX_KEYS
from parahost.rpc.params import AskedItem, BlockHash, BlockHashes, HexBytes
from parahost.rpc.served import CallContext
from parahost.rpc.storage_items import in_parts, storage_items
from parahost.rpc.table import Family, Subscription, Tell
from parahost.rpc.values import Json, hex_of
from parahost.runtime.api_trait import RefusedStateCall

CHAIN_HEAD = Family(ends_quietly=True)

_LIMIT_REACHED: Json = {"result": "limitReached"}


@CHAIN_HEAD.subscription(
    "chainHead_v1_follow", notifies="chainHead_v1_followEvent", ends="chainHead_v1_unfollow"
)
def follow(context: CallContext, with_runtime: bool) -> Subscription:
    """Tells of the last final block, of each block on it, of which is the best, and of what becomes
    final. All are pinned until they are unpinned; who pins too many is told `stop`."""
    session = context.session
    assert session is not None, "subscriptions have one"
    if len(session.all_of(Follow)) >= MAX_FOLLOWS_OF_CONNECTION:
        raise TooManyFollows
    return Follow(context.served, with_runtime=with_runtime)


@CHAIN_HEAD.method("chainHead_v1_header")
def header(context: CallContext, follow_subscription: str, hash: BlockHash) -> Json:
    """The SCALE-encoded header of a pinned block; null when the subscription is over."""
    following = _following(context, follow_subscription)
    return None if following is None else hex_of(following.pinned(hash).header.encoded())


@CHAIN_HEAD.method("chainHead_v1_body")
def body(context: CallContext, follow_subscription: str, hash: BlockHash) -> Json:
    """Begins an operation that tells a pinned block's extrinsics."""

    async def run(operation: Operation, tell: Tell) -> None:
        extrinsics = pinned.body or context.served.chain.body(hash)
        if extrinsics is None:
            await tell(operation.event("operationInaccessible"))
        else:
            value: list[Json] = [extrinsic_form(extrinsic) for extrinsic in extrinsics]
            await tell(operation.event("operationBodyDone", value=value))

    following = _following(context, follow_subscription)
    if following is None:
        return _LIMIT_REACHED
    pinned = following.pinned(hash)
    return _started(context, following, Operation(run))


@CHAIN_HEAD.method("chainHead_v1_call", calls=10)
def call(
    context: CallContext,
    follow_subscription: str,
    hash: BlockHash,
    function: str,
    call_parameters: HexBytes,
) -> Json:
    """Begins an operation that tells what a function of the Runtime API answers."""
    following = _following(context, follow_subscription)
    if following is None:
        return _LIMIT_REACHED
    state = following.pinned(hash).state
    following.check_runtime()

    async def run(operation: Operation, tell: Tell) -> None:
        try:
            output = await context.served.ask_runtime(function, call_parameters, state)
        except RefusedStateCall as why:
            await tell(operation.event("operationError", error=str(why)))
        else:
            await tell(operation.event("operationCallDone", output=hex_of(output)))

    return _started(context, following, Operation(run))


@CHAIN_HEAD.method("chainHead_v1_storage", calls=10)
def storage(
    context: CallContext,
    follow_subscription: str,
    hash: BlockHash,
    items: tuple[AskedItem, ...],
    child_trie: HexBytes | None,
) -> Json:
    """Begins an operation that tells what is in a pinned block's state. There are no child
    tries."""
    if len(items) > MAX_KEYS:
        raise InvalidParams(f"items: at most {MAX_KEYS}")
    following = _following(context, follow_subscription)
    if following is None:
        return _LIMIT_REACHED
    state = following.pinned(hash).state
    asked = () if child_trie is not None else items

    async def run(operation: Operation, tell: Tell) -> None:
        for part in in_parts(storage_items(state, asked)):
            await tell(operation.event("operationStorageItems", items=part))
        await tell(operation.event("operationStorageDone"))

    return _started(context, following, Operation(run), {"discardedItems": 0})


@CHAIN_HEAD.method("chainHead_v1_continue")
def continue_(context: CallContext, follow_subscription: str, operation_id: str) -> Json:
    """Operations here wait for their client by themselves: none waits to be continued."""
    following = _following(context, follow_subscription)
    if following is not None:
        following.continue_operation(operation_id)
    return None


@CHAIN_HEAD.method("chainHead_v1_stopOperation")
def stop_operation(context: CallContext, follow_subscription: str, operation_id: str) -> Json:
    """Ends an operation: nothing more is told of it."""
    following = _following(context, follow_subscription)
    if following is not None:
        following.stop_operation(operation_id)
    return None


@CHAIN_HEAD.method("chainHead_v1_unpin")
def unpin(context: CallContext, follow_subscription: str, hash_or_hashes: BlockHashes) -> Json:
    """Lets go of pinned blocks: of all that are named, or of none."""
    following = _following(context, follow_subscription)
    if following is not None:
        following.unpin(hash_or_hashes)
    return None


def _following(context: CallContext, id_: str) -> Follow | None:
    return None if context.session is None else context.session.find(id_, Follow)


def _started(
    context: CallContext,
    following: Follow,
    operation: Operation,
    more: dict[str, Json] | None = None,
) -> Json:
    assert context.session is not None
    id_ = context.session.new_id()
    if not following.add_operation(id_, operation):
        return _LIMIT_REACHED
    context.session.defer(
        lambda: following.begin_operation(id_), lambda: following.stop_operation(id_)
    )
    return {"result": "started", "operationId": id_, **(more or {})}
