"""``chain_*``: blocks and heads."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from parahost.chain.chain import Chain, ChainEvent, is_of_best
from parahost.primitives.basic import BlockNumber
from parahost.primitives.events import BlockFinalizationEvent, BlockImportEvent
from parahost.primitives.header import Header
from parahost.rpc.errors import TooManyKeys
from parahost.rpc.forms import block_form, header_form
from parahost.rpc.limits import MAX_KEYS
from parahost.rpc.params import BlockHash, Numbers
from parahost.rpc.served import CallContext, ServedNode
from parahost.rpc.table import Family, Subscription, Tell
from parahost.rpc.values import Json, hex_of, optional_hex

CHAIN = Family()

Heads = Callable[[ChainEvent], Iterable[Header]]
"""Which headers an event gives."""


@CHAIN.method("chain_getHeader")
def get_header(context: CallContext, hash: BlockHash | None) -> Json:
    """The header of a block, or of the best one; null when it is not known."""
    header = context.served.header(hash)
    return None if header is None else header_form(header)


@CHAIN.method("chain_getBlock")
def get_block(context: CallContext, hash: BlockHash | None) -> Json:
    """A block with its extrinsics, and with its justification if it has one; null when it is not
    known."""
    served = context.served
    block = served.block(hash)
    header, body = served.header(block), served.body(block)
    if header is None or body is None:
        return None
    return block_form(header, body, served.chain.justification(block))


@CHAIN.method("chain_getBlockHash", "chain_getHead")
def get_block_hash(context: CallContext, numbers: Numbers | None) -> Json:
    """The hash of the block of a number on the best chain, null when there is none; of the best
    block if no number is given; a list for a list."""
    chain = context.served.chain
    if numbers is None:
        return hex_of(chain.best_hash)
    if isinstance(numbers, tuple):
        if len(numbers) > MAX_KEYS:
            raise TooManyKeys(len(numbers), MAX_KEYS)
        return [optional_hex(chain.hash_of(number)) for number in numbers]
    return optional_hex(chain.hash_of(numbers))


@CHAIN.method("chain_getFinalizedHead", "chain_getFinalisedHead")
def get_finalized_head(context: CallContext) -> Json:
    """The hash of the last final block."""
    return hex_of(context.served.chain.finalized_hash)


@CHAIN.subscription(
    "chain_subscribeAllHeads",
    notifies="chain_allHead",
    ends="chain_unsubscribeAllHeads",
)
def subscribe_all_heads(context: CallContext) -> Subscription:
    """The header of each block that is imported, on whatever fork; the best one first."""
    served = context.served

    def imported(event: ChainEvent) -> Iterable[Header]:
        return [event.header] if isinstance(event, BlockImportEvent) else []

    return _heads(served, lambda: served.chain.best, lambda first: imported)


@CHAIN.subscription(
    "chain_subscribeNewHeads",
    "chain_subscribeNewHead",
    "subscribe_newHead",
    notifies="chain_newHead",
    ends=("chain_unsubscribeNewHeads", "chain_unsubscribeNewHead", "unsubscribe_newHead"),
)
def subscribe_new_heads(context: CallContext) -> Subscription:
    """The header of the best block, now and whenever it is another."""
    served = context.served

    def best(event: ChainEvent) -> Iterable[Header]:
        return [event.header] if is_of_best(event) else []

    return _heads(served, lambda: served.chain.best, lambda first: best)


@CHAIN.subscription(
    "chain_subscribeFinalizedHeads",
    "chain_subscribeFinalisedHeads",
    notifies="chain_finalizedHead",
    ends=("chain_unsubscribeFinalizedHeads", "chain_unsubscribeFinalisedHeads"),
)
def subscribe_finalized_heads(context: CallContext) -> Subscription:
    """The header of the last final block, and of each that becomes final, without a gap."""
    served = context.served
    return _heads(
        served, lambda: served.chain.finalized, lambda first: _Finalized(served.chain, first.number)
    )


class _Finalized:
    """The blocks that an event makes final, those between the last one and its own too."""

    def __init__(self, chain: Chain, told: BlockNumber) -> None:
        self._chain = chain
        self._told = told

    def __call__(self, event: ChainEvent) -> Iterable[Header]:
        if not isinstance(event, BlockFinalizationEvent):
            return
        for number in range(self._told + 1, event.header.number + 1):
            hash = self._chain.hash_of(BlockNumber(number))  # type: ignore[arg-type]
            header = None if hash is None else self._chain.header(hash)
            assert header is not None, "the final chain has no gap"
            yield header
        self._told = event.header.number


def _heads(
    served: ServedNode, first: Callable[[], Header], begin: Callable[[Header], Heads]
) -> Subscription:
    async def run(tell: Tell) -> None:
        with served.feed.reading() as reader:
            header = first()
            heads = begin(header)
            await tell(header_form(header))
            while True:
                for header in heads(await reader.next()):
                    await tell(header_form(header))

    return run
