"""``transaction_v1_*`` and ``transactionWatch_v1_*``: transactions, in the newer methods' words."""

from __future__ import annotations

from contextlib import suppress

import trio

from parahost.rpc.errors import BadFormat, NeedsWebSocket, RpcError
from parahost.rpc.limits import MAX_BROADCASTS
from parahost.rpc.methods.author import read_extrinsic, submit_to_pool
from parahost.rpc.params import TransactionBytes
from parahost.rpc.served import CallContext, ServedNode
from parahost.rpc.session import ClientSession
from parahost.rpc.table import Family, Subscription, Tell
from parahost.rpc.values import Json, hex_of
from parahost.rpc.watching import FINALITY_BLOCKS, InclusionWatch, TransactionPlace

TRANSACTION = Family(ends_quietly=True)


@TRANSACTION.method("transaction_v1_broadcast", calls=20)
def broadcast(context: CallContext, transaction: TransactionBytes) -> Json:
    """Has the node tell its peers of a transaction, and again after each block on which it may be
    included, until the client stops it or is gone. Gives the operation's name; null when there are
    too many."""
    session = context.session
    if session is None:
        raise NeedsWebSocket
    if len(session.broadcasts) >= MAX_BROADCASTS:
        return None
    id_ = session.new_id()
    session.broadcasts[id_] = trio.CancelScope()
    session.defer(
        lambda: session.nursery.start_soon(_broadcast, context.served, session, id_, transaction),
        lambda: session.broadcasts.pop(id_).cancel(),
    )
    return id_


@TRANSACTION.method("transaction_v1_stop")
def stop(context: CallContext, operation_id: str) -> Json:
    """Ends a broadcast. What peers know already they may go on with."""
    scope = None if context.session is None else context.session.broadcasts.pop(operation_id, None)
    if scope is None:
        raise RpcError(-32602, "Invalid operation id")
    scope.cancel()
    return None


async def _broadcast(
    served: ServedNode, session: ClientSession, id_: str, transaction: bytes
) -> None:
    """The client does not learn what becomes of it: that it sees in the blocks."""
    try:
        extrinsic = read_extrinsic(transaction)
    except BadFormat:
        session.broadcasts.pop(id_, None)
        return
    watch = InclusionWatch(served, extrinsic)
    scope = session.broadcasts.get(id_)
    if scope is None:
        return
    with scope, served.feed.reading() as reader:
        while True:
            if watch.included() is None and not watch.is_waiting():
                with suppress(RpcError):
                    submit_to_pool(served, extrinsic)
            await reader.next()


@TRANSACTION.subscription(
    "transactionWatch_v1_submitAndWatch",
    notifies="transactionWatch_v1_watchEvent",
    ends="transactionWatch_v1_unwatch",
)
def submit_and_watch(context: CallContext, transaction: TransactionBytes) -> Subscription:
    """Takes a transaction into the pool, and tells what becomes of it: `validated`,
    `bestChainBlockIncluded`, and at the end `finalized`, `invalid` or `dropped`."""
    served = context.served

    async def run(tell: Tell) -> None:
        try:
            extrinsic = read_extrinsic(transaction)
            watch = InclusionWatch(served, extrinsic)
            submit_to_pool(served, extrinsic)
        except RpcError as why:
            await tell({"event": "invalid", "error": str(why.data or why.message)})
            return
        await tell({"event": "validated"})
        await _tell_of(served, watch, tell)

    return run


async def _tell_of(served: ServedNode, watch: InclusionWatch, tell: Tell) -> None:
    at: TransactionPlace | None = None
    with served.feed.reading() as reader:
        while True:
            before, at = at, watch.included()
            if at is not None and served.chain.is_final(at.block):
                await tell({"event": "finalized", "block": _block_form(at)})
                return
            if at != before:
                await tell({"event": "bestChainBlockIncluded", "block": _block_form(at)})
            if at is not None and watch.waits_for_finality() >= FINALITY_BLOCKS:
                await tell({"event": "dropped", "error": "its block does not become final"})
                return
            if at is before is None and not watch.is_waiting():
                await tell(_loss(watch))
                return
            await reader.next()


def _loss(watch: InclusionWatch) -> Json:
    why = watch.why_gone()
    if watch.usurper() is not None:
        why = "another transaction has taken its place"
    if why is not None:
        return {"event": "invalid", "error": why}
    return {"event": "dropped", "error": "there was no room for it in the pool"}


def _block_form(at: TransactionPlace | None) -> Json:
    return None if at is None else {"hash": hex_of(at.block), "index": at.index}
