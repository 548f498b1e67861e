"""Transactions that wait for a block.

The runtime names what a transaction *provides* (a signer's nonce) and what it *requires* (the
nonce before). A transaction is ready when all that it requires is provided by ready ones before
it; the others wait. Bounded in number and bytes: when it is full, those that wait the longest for
something give way, and never those that are ready.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from parahost.chain.chain import Chain, ChainEvent
from parahost.chain.errors import StateUnavailable, UnknownBlock
from parahost.primitives.basic import H256, Hash
from parahost.primitives.events import BlockImportEvent
from parahost.primitives.hashing import blake2_256
from parahost.primitives.header import Extrinsic, Header
from parahost.primitives.scale import encode
from parahost.runtime.errors import InvalidTransaction
from parahost.runtime.storage import State
from parahost.runtime.transactions import ValidTransaction

MAX_TRANSACTIONS = 2048
MAX_BYTES = 32 << 20
MAX_TRANSACTION_BYTES = 5 << 20
"""One transaction may carry the code of a para."""
INVALID_KEPT = 4096

Validate = Callable[[State, Header, Extrinsic], ValidTransaction]
"""``Runtime.validate_transaction``."""


class PoolRefused(Exception):
    """The pool does not take the transaction; nothing is said against it."""


class AlreadyWaiting(PoolRefused):
    """The transaction is in the pool."""


class PlaceTaken(PoolRefused):
    """Another transaction in the pool provides the same: it has the same signer and nonce."""

    def __init__(self, other: Hash) -> None:
        super().__init__(f"the transaction {other.hex()} waits with the same signer and nonce")
        self.other = other


class PoolFull(PoolRefused):
    """There is no room; try again after the next block."""


class TooLarge(PoolRefused):
    def __init__(self, size: int) -> None:
        super().__init__(f"{size} bytes are over the limit of {MAX_TRANSACTION_BYTES}")
        self.size = size


@dataclass(frozen=True, slots=True)
class Waiting:
    """A transaction in the pool. ``expires``: the last block number that may include it."""

    hash: Hash
    extrinsic: Extrinsic
    valid: ValidTransaction
    expires: int


class TransactionPool:
    """Follows the best chain: what a block includes leaves, what a fork leaves behind returns."""

    def __init__(self, chain: Chain, validate: Validate) -> None:
        self._chain = chain
        self._validate = validate
        self._head = chain.best_hash
        self._waiting: OrderedDict[Hash, Waiting] = OrderedDict()
        self._providers: dict[bytes, Hash] = {}
        self._bytes = 0
        self._invalid: OrderedDict[Hash, None] = OrderedDict()
        chain.subscribe(self._on_chain)

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, transaction: object) -> bool:
        return transaction in self._waiting

    def get(self, transaction: Hash) -> Extrinsic | None:
        found = self._waiting.get(transaction)
        return None if found is None else found.extrinsic

    def submit(self, extrinsic: Extrinsic) -> Hash:
        """Take in a transaction that is valid on the best block; gives its hash.

        :raises InvalidTransaction: when it may never be in a block on the best one.
        :raises PoolRefused: when the pool does not take it; a subclass says why.
        """
        hash = transaction_hash(extrinsic)
        if hash in self._waiting:
            raise AlreadyWaiting(f"the transaction {hash.hex()} is in the pool")
        if len(extrinsic) > MAX_TRANSACTION_BYTES:
            raise TooLarge(len(extrinsic))
        if hash in self._invalid:
            raise InvalidTransaction(f"the transaction {hash.hex()} was found invalid before")
        try:
            self._add(hash, extrinsic)
        except InvalidTransaction:
            self._remember_invalid(hash)
            raise
        return hash

    def ready(self) -> list[Extrinsic]:
        """The transactions that may be in the next block, in an order in which they may be: each
        signer's by nonce, otherwise by age."""
        return [waiting.extrinsic for waiting in self._ready()]

    def remove(self, transaction: Hash) -> None:
        """Forget a transaction, such as one that failed in the making of a block."""
        waiting = self._waiting.pop(transaction, None)
        if waiting is not None:
            self._bytes -= len(waiting.extrinsic)
            for tag in waiting.valid.provides:
                del self._providers[tag]

    # Coming in

    def _add(self, hash: Hash, extrinsic: Extrinsic) -> None:
        valid = self._judge(self._chain.best_hash, self._chain.best, extrinsic)
        for tag in valid.provides:
            other = self._providers.get(tag)
            if other is not None:
                raise PlaceTaken(other)
        self._make_room(len(extrinsic))
        expires = self._chain.best.number + valid.longevity
        self._waiting[hash] = Waiting(hash, extrinsic, valid, expires)
        self._bytes += len(extrinsic)
        for tag in valid.provides:
            self._providers[tag] = hash

    def _judge(self, block: Hash, header: Header, extrinsic: Extrinsic) -> ValidTransaction:
        return self._validate(self._chain.state(block), header, extrinsic)

    def _make_room(self, size: int) -> None:
        def full() -> bool:
            return len(self._waiting) >= MAX_TRANSACTIONS or self._bytes + size > MAX_BYTES

        if not full():
            return
        ready = {waiting.hash for waiting in self._ready()}
        for hash in [hash for hash in self._waiting if hash not in ready]:
            self.remove(hash)
            if not full():
                return
        raise PoolFull(f"{len(self._waiting)} transactions of {self._bytes} bytes wait already")

    def _ready(self) -> list[Waiting]:
        provided: set[bytes] = set()
        blocked: dict[bytes, list[Waiting]] = {}
        ready: list[Waiting] = []
        for waiting in self._waiting.values():
            queue = [waiting]
            for one in queue:
                lacking = next((tag for tag in one.valid.requires if tag not in provided), None)
                if lacking is not None:
                    blocked.setdefault(lacking, []).append(one)
                    continue
                ready.append(one)
                for tag in one.valid.provides:
                    provided.add(tag)
                    queue.extend(blocked.pop(tag, ()))
        return ready

    # Following the chain

    def _on_chain(self, event: ChainEvent) -> None:
        if not isinstance(event, BlockImportEvent) or not event.new_best:
            return
        if event.hash not in self._chain:
            return  # Pruned before it was told.
        retracted, enacted = self._way(event.hash)
        self._head = event.hash
        returning = [one for block in reversed(retracted) for one in self._chain.body(block) or ()]
        touched: set[bytes] = set()
        for block in enacted:
            if self._waiting:
                touched |= self._include(block)
        if retracted:
            touched |= self._providers.keys()
        self._judge_again(touched, event.header.number)
        for extrinsic in returning:
            self._take_back(extrinsic)

    def _way(self, new: Hash) -> tuple[tuple[Hash, ...], tuple[Hash, ...]]:
        """The blocks that the best chain has left behind (descending) and gone over to."""
        before, now = self._chain.number(self._head), self._chain.number(new)
        if before is not None and now is not None and self._chain.is_ancestor(self._head, new):
            line = [new, *self._chain.ancestors(new, now - before)]
            return (), tuple(line[: now - before][::-1])
        try:
            route = self._chain.path(self._head, new)
        except UnknownBlock:
            return (), (new,)  # Finality has removed the old fork, and its bodies with it.
        return route.retracted, route.enacted

    def _include(self, block: Hash) -> set[bytes]:
        """Let go what a block includes; gives the tags of which the state says new things."""
        tags: set[bytes] = set()
        header = self._chain.header(block)
        parent = None if header is None else self._chain.header(header.parent_hash)
        assert header is not None, "a block that has just been imported is known"
        assert parent is not None, "and so is its parent"
        for extrinsic in self._chain.body(block) or ():
            hash = transaction_hash(extrinsic)
            waiting = self._waiting.get(hash)
            if waiting is not None:
                tags.update(waiting.valid.provides)
                self.remove(hash)
                continue
            try:
                valid = self._judge(header.parent_hash, parent, extrinsic)
            except (InvalidTransaction, StateUnavailable):
                continue  # An inherent, or not to be known any more: its rivals expire.
            tags.update(valid.provides)
        return tags

    def _judge_again(self, touched: Iterable[bytes], number: int) -> None:
        """Judge anew those whose tags were touched, and let the expired go."""
        tags = set(touched)
        for waiting in list(self._waiting.values()):
            if waiting.expires <= number:
                self.remove(waiting.hash)
            elif not tags.isdisjoint((*waiting.valid.provides, *waiting.valid.requires)):
                try:
                    valid = self._judge(self._head, self._chain.best, waiting.extrinsic)
                except InvalidTransaction:
                    self.remove(waiting.hash)
                    continue
                self._waiting[waiting.hash] = Waiting(
                    waiting.hash, waiting.extrinsic, valid, number + valid.longevity
                )

    def _take_back(self, extrinsic: Extrinsic) -> None:
        hash = transaction_hash(extrinsic)
        if hash in self._waiting:
            return
        try:
            self._add(hash, extrinsic)
        except (InvalidTransaction, PoolRefused):
            return

    def _remember_invalid(self, hash: Hash) -> None:
        self._invalid[hash] = None
        if len(self._invalid) > INVALID_KEPT:
            self._invalid.popitem(last=False)


def transaction_hash(extrinsic: Extrinsic) -> Hash:
    """blake2-256 of the extrinsic as a body holds it, with its length: the name that tools use."""
    return Hash(H256(blake2_256(encode(extrinsic, bytes))))
