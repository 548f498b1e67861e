"""``author_*``: transactions for the pool. Those for keys are in ``methods/keys.py``."""

from __future__ import annotations

from collections.abc import Iterator

from parahost.chain.pool.errors import (
    AlreadyWaiting,
    PlaceTaken,
    PoolFull,
    PoolRefused,
    TooExpensive,
    TooLarge,
    TooManyOfSigner,
)
from parahost.chain.pool.pool import transaction_hash
from parahost.primitives.header import Extrinsic
from parahost.primitives.scale import ScaleDecodeError, decode
from parahost.rpc.errors import BadFormat, RpcError, TransactionRefused
from parahost.rpc.forms import extrinsic_form
from parahost.rpc.params import TransactionBytes, TransactionName
from parahost.rpc.served import CallContext, ServedNode
from parahost.rpc.table import Family, Subscription, Tell
from parahost.rpc.values import Json, hex_of
from parahost.rpc.watching import FINALITY_BLOCKS, InclusionWatch, TransactionPlace
from parahost.runtime.errors import InvalidTransaction, MalformedExtrinsic
from parahost.runtime.transaction_validity import UnknownReason

AUTHOR = Family()


def read_extrinsic(given: bytes) -> Extrinsic:
    """An extrinsic as clients send it: with its length before it.

    :raises BadFormat: when that is not its length.
    """
    try:
        return Extrinsic(decode(bytes, given))
    except ScaleDecodeError as error:
        raise BadFormat(str(error)) from None


def submit_to_pool(served: ServedNode, extrinsic: Extrinsic) -> None:
    """:raises RpcError: when it is not taken; with Substrate's code and words."""
    try:
        served.node.transactions.submit(extrinsic)
    except (InvalidTransaction, PoolRefused) as why:
        raise refusal(why) from None


def refusal(why: InvalidTransaction | PoolRefused) -> RpcError:
    """What a client is told of a transaction that is not taken."""
    match why:
        case MalformedExtrinsic():
            return BadFormat(str(why))
        case InvalidTransaction() if type(why) is InvalidTransaction:  # Found so before.
            return TransactionRefused(1012, "Transaction is temporarily banned", str(why))
        case InvalidTransaction(reason=UnknownReason() as reason):
            return TransactionRefused(1011, "Unknown Transaction Validity", reason.sentence)
        case InvalidTransaction():
            return TransactionRefused(1010, "Invalid Transaction", why.reason.sentence)
        case AlreadyWaiting():
            return TransactionRefused(1013, "Transaction Already Imported", str(why))
        case PlaceTaken():
            return TransactionRefused(1014, "Priority is too low", str(why))
        case PoolFull() | TooLarge() | TooManyOfSigner():
            return TransactionRefused(1016, "Immediately Dropped", str(why))
        case TooExpensive():
            return TransactionRefused(1010, "Invalid Transaction", str(why))
        case _:
            return TransactionRefused(1012, "Transaction is temporarily banned", str(why))


@AUTHOR.method("author_submitExtrinsic", calls=20)
def submit_extrinsic(context: CallContext, extrinsic: TransactionBytes) -> Json:
    """Takes a signed extrinsic into the pool, and tells peers of it; gives its hash."""
    read = read_extrinsic(extrinsic)
    submit_to_pool(context.served, read)
    return hex_of(transaction_hash(read))


@AUTHOR.method("author_pendingExtrinsics", calls=10)
def pending_extrinsics(context: CallContext) -> Json:
    """The extrinsics in the pool that may be in the next block, in the order of preference."""
    return [extrinsic_form(extrinsic) for extrinsic in context.served.node.pool.ready()]


@AUTHOR.subscription(
    "author_submitAndWatchExtrinsic",
    notifies="author_extrinsicUpdate",
    ends="author_unwatchExtrinsic",
)
def submit_and_watch_extrinsic(context: CallContext, extrinsic: TransactionBytes) -> Subscription:
    """As `author_submitExtrinsic`, and tells what becomes of it: `ready` or `future`, `broadcast`,
    `inBlock` (again when a new best chain has it in another block), and at the end `finalized`,
    `finalityTimeout`, `usurped`, `dropped` or `invalid`."""
    served, read = context.served, read_extrinsic(extrinsic)
    watch = InclusionWatch(served, read)
    submit_to_pool(served, read)
    story = _Story(served, watch)

    async def run(tell: Tell) -> None:
        with served.feed.reading() as reader:
            for chapter in story.beginning():
                await tell(chapter)
            while not story.is_over:
                for chapter in story.next():
                    await tell(chapter)
                if not story.is_over:
                    await reader.next()

    return run


class _Story:
    """What became of a transaction, in Substrate's words. As there, a block that a new best chain
    has left is not mentioned again: the next one that has the transaction is told."""

    def __init__(self, served: ServedNode, watch: InclusionWatch) -> None:
        self._served = served
        self._watch = watch
        self._at: TransactionPlace | None = None
        self._was_ready = False
        self.is_over = False

    def beginning(self) -> Iterator[Json]:
        node = self._served.node
        self._was_ready = node.pool.is_ready(self._watch.hash)
        yield "ready" if self._was_ready else "future"
        peers: list[Json] = list(node.ports.network.connected())
        if peers:
            yield {"broadcast": peers}

    def next(self) -> Iterator[Json]:
        """What has happened since."""
        before, self._at = self._at, self._watch.included()
        if self._at is not None:
            if self._at != before:
                yield {"inBlock": hex_of(self._at.block)}
            yield from self._ending(self._at)
        elif self._watch.is_waiting():
            if not self._was_ready and self._served.node.pool.is_ready(self._watch.hash):
                self._was_ready = True
                yield "ready"
        elif before is None:  # Else the pool has still to take it back.
            self.is_over = True
            yield self._loss()

    def _ending(self, at: TransactionPlace) -> Iterator[Json]:
        if self._served.chain.is_final(at.block):
            self.is_over = True
            yield {"finalized": hex_of(at.block)}
        elif self._watch.waits_for_finality() >= FINALITY_BLOCKS:
            self.is_over = True
            yield {"finalityTimeout": hex_of(at.block)}

    def _loss(self) -> Json:
        if (usurper := self._watch.usurper()) is not None:
            return {"usurped": hex_of(usurper)}
        return "dropped" if self._watch.why_gone() is None else "invalid"


@AUTHOR.method("author_removeExtrinsic", unsafe=True)
def remove_extrinsic(context: CallContext, bytes_or_hash: tuple[TransactionName, ...]) -> Json:
    """Takes transactions out of the pool, and does not let them in again for half an hour of
    blocks. Gives the hashes of those that were there."""
    pool = context.served.node.pool
    return [hex_of(hash) for hash in bytes_or_hash if pool.ban(hash)]
