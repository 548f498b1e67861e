"""Transactions that wait for a block.

Each signer has a lane. A transaction is ready when all nonces before its own are used or here. What
costs nothing to look at comes first: size, nonce, funds and room before the signature and the call
(:class:`Judge`). Lanes, their number and their bytes are bounded; a signer must be able to pay for
all that it has here. When there is no room, the end of the lane that is worth the least gives way
to what is worth more (:meth:`Lane.rank`), in time that grows with the logarithm of their number.

After a block each lane's signer is looked up anew; what a fork leaves behind returns, a slice at a
time. Reports of equivocations are free, and few.
"""

from __future__ import annotations

import heapq
from collections import deque
from typing import Final, Protocol

import trio

from parahost.chain.chain import Chain, ChainEvent, is_of_best
from parahost.chain.errors import StateUnavailable, UnknownBlock
from parahost.chain.pool.errors import (
    AlreadyWaiting,
    PlaceTaken,
    PoolFull,
    PoolRefused,
    TooExpensive,
    TooLarge,
    TooLate,
    TooManyOfSigner,
)
from parahost.chain.pool.lane import Lane, WaitingTransaction
from parahost.chain.pool.past import Past
from parahost.chain.pool.reports import EquivocationReport, Reports
from parahost.primitives.basic import H256, U32, BlockNumber, Hash
from parahost.primitives.events import BestBlockEvent
from parahost.primitives.hashing import blake2_256
from parahost.primitives.header import Extrinsic, Header
from parahost.primitives.limits import MAX_TRANSACTION_BYTES, MIB
from parahost.primitives.scale import encode
from parahost.runtime.errors import CannotPay, InvalidTransaction, StaleTransaction
from parahost.runtime.origin import AccountId
from parahost.runtime.storage import State
from parahost.runtime.transactions import AccountStanding, TransactionClaim, ValidTransaction

MAX_TRANSACTIONS: Final = 2048
MAX_BYTES: Final = 32 * MIB
MAX_OF_SIGNER: Final = 256
MAX_FUTURE_OF_SIGNER: Final = 32
"""Of one signer's, those that wait for a nonce that is not here."""
MAX_FUTURE: Final = 512
FUTURE_BLOCKS: Final = 64
"""So many blocks one waits for a nonce that is not here."""
LATE_BLOCKS: Final = 3
"""What was valid so many blocks ago is only late. A mortal transaction lives four at least."""
SLICE: Final = 64
"""Transactions judged without letting others have a turn: some ten milliseconds."""
MAX_RETURNING: Final = 2 * MAX_TRANSACTIONS


class Judge(Protocol):
    """The runtime, as far as the pool asks it."""

    def preview_transaction(self, extrinsic: Extrinsic) -> TransactionClaim | None:
        """What an extrinsic says of itself; ``None`` when nobody has signed it. It costs the same
        however long it is.

        :raises InvalidTransaction: when it cannot be read so far.
        """
        ...

    def standing(self, state: State, signer: AccountId) -> AccountStanding:
        """What an account may do next, and pay."""
        ...

    def validate_transaction(
        self, state: State, header: Header, extrinsic: Extrinsic
    ) -> ValidTransaction:
        """:raises InvalidTransaction: when it may not be in a descendant of that block."""
        ...


class TransactionPool:
    """Follows the best chain: what a block includes leaves, what a fork leaves behind returns."""

    def __init__(self, chain: Chain, judge: Judge) -> None:
        self._chain = chain
        self._judge = judge
        self._head = chain.best_hash
        self._waiting: dict[Hash, WaitingTransaction] = {}
        self._lanes: dict[AccountId, Lane] = {}
        self._bytes = 0
        self._future = 0
        self._arrivals = 0
        self._worst: list[tuple[tuple[bool, int, int], int, AccountId]] = []
        """A heap of lanes by rank, with the version of which it is; others are old."""
        self._expiring: list[tuple[int, Hash]] = []
        self._reports = Reports()
        self._past = Past()
        self._returning: deque[Extrinsic] = deque(maxlen=MAX_RETURNING)
        self._has_returning = trio.Event()
        chain.subscribe(self._on_chain)

    def __len__(self) -> int:
        return len(self._waiting) + len(self._reports)

    def __contains__(self, transaction: Hash) -> bool:
        return self.get(transaction) is not None

    @property
    def ready_count(self) -> int:
        """How many may be in the next block."""
        return len(self) - self._future

    def get(self, transaction: Hash) -> Extrinsic | None:
        found = self._waiting.get(transaction) or self._reports.get(transaction)
        return None if found is None else found.extrinsic

    def is_ready(self, transaction: Hash) -> bool:
        """Whether it may be in the next block, as far as other transactions are concerned."""
        waiting = self._waiting.get(transaction)
        if waiting is None:
            return self._reports.get(transaction) is not None
        return self._lanes[waiting.offer.signer].is_ready(waiting)

    def ready_of(self, signer: AccountId) -> int:
        """How many of a signer's transactions may be in the next block."""
        lane = self._lanes.get(signer)
        return 0 if lane is None else lane.ready_count

    async def run(self) -> None:
        """Take back what forks have left behind, as others have their turns. Never returns."""
        while True:
            await self._has_returning.wait()
            self._take_back_some()
            await trio.lowlevel.checkpoint()

    def submit(self, extrinsic: Extrinsic) -> Hash:
        """Take in a transaction that is valid on the best block; gives its hash.

        :raises InvalidTransaction: when it may never be in a block on the best one.
        :raises PoolRefused: when the pool does not take it; a subclass says why.
        """
        if len(extrinsic) > MAX_TRANSACTION_BYTES:
            raise TooLarge(len(extrinsic), MAX_TRANSACTION_BYTES)
        hash = transaction_hash(extrinsic)
        if hash in self:
            raise AlreadyWaiting(f"the transaction {hash.hex()} is in the pool")
        self._past.check(hash, self._chain.best.number)
        try:
            self._add(hash, extrinsic)
        except InvalidTransaction as why:
            if not why.retriable:
                self._past.was_invalid(hash)
            raise
        return hash

    def ban(self, transaction: Hash) -> bool:
        """Take a transaction out, and let it in again after some blocks only; whether it was
        here."""
        if transaction not in self:
            return False
        self.remove(transaction)
        self._past.ban(transaction, self._chain.best.number)
        return True

    def usurper_of(self, transaction: Hash) -> Hash | None:
        """The transaction that has taken the place of another, if that was not long ago."""
        return self._past.usurper_of(transaction)

    def ready(self) -> list[Extrinsic]:
        """The transactions that may be in the next block, in an order in which they may be:
        reports, then by tip and age, and each signer's by nonce."""
        ready = [report.extrinsic for report in self._reports]
        heads = [
            (-head.priority, head.arrival, 0, lane)
            for lane in self._lanes.values()
            if (head := lane.ready(0)) is not None
        ]
        heapq.heapify(heads)
        while heads:
            _, _, position, lane = heads[0]
            one, after = lane.ready(position), lane.ready(position + 1)
            assert one is not None, "what is in the heap is ready"
            ready.append(one.extrinsic)
            if after is None:
                heapq.heappop(heads)
            else:
                heapq.heapreplace(heads, (-after.priority, after.arrival, position + 1, lane))
        return ready

    def remove(self, transaction: Hash) -> None:
        """Forget a transaction, such as one that failed in the making of a block."""
        self._reports.remove(transaction)
        waiting = self._waiting.get(transaction)
        if waiting is not None:
            lane = self._lanes[waiting.offer.signer]
            before = lane.future_count
            self._forget(lane.take(waiting.offer.nonce))
            self._note(lane, before)

    # Coming in

    def _add(self, hash: Hash, extrinsic: Extrinsic) -> None:
        offer = self._judge.preview_transaction(extrinsic)
        if offer is None:
            self._add_report(hash, extrinsic)
            return
        lane = self._lane(offer)
        replaced = lane.at(offer.nonce)
        self._check_lane(lane, offer, replaced)
        is_ready = lane.would_be_ready(offer.nonce)
        valid = self._valid(extrinsic, offer)
        self._arrivals += 1
        expires = self._chain.best.number + valid.longevity
        one = WaitingTransaction(hash, extrinsic, offer, valid.born, self._arrivals, expires)
        self._make_room(lane, one, replaced, is_ready=is_ready)
        if replaced is not None:
            self.remove(replaced.hash)
            self._past.was_usurped(replaced.hash, by=hash)
        self._put(one)

    def _lane(self, offer: TransactionClaim) -> Lane:
        """The signer's lane, or one that is not yet kept.

        :raises StaleTransaction: when the nonce is used.
        :raises CannotPay: when the signer has less than the fee.
        :raises TooLate: when that has only just come about.
        """
        lane = self._lanes.get(offer.signer)
        if lane is None:
            state = self._chain.state(self._chain.best_hash)
            lane = Lane(offer.signer, self._judge.standing(state, offer.signer))
        try:
            _check_standing(offer, lane.standing)
        except InvalidTransaction as why:
            if self._was_due(offer):
                raise TooLate(str(why)) from why
            raise
        return lane

    def _check_lane(
        self, lane: Lane, offer: TransactionClaim, replaced: WaitingTransaction | None
    ) -> None:
        fees = lane.fees + offer.fee
        if replaced is not None:
            fees -= replaced.offer.fee
            least_tip = replaced.offer.tip + replaced.offer.fee // 10 + 1
            if offer.tip < least_tip:
                raise PlaceTaken(replaced.hash, least_tip)
        elif len(lane) >= MAX_OF_SIGNER:
            raise TooManyOfSigner(offer.signer, MAX_OF_SIGNER)
        elif not lane.would_be_ready(offer.nonce) and lane.future_count >= MAX_FUTURE_OF_SIGNER:
            raise TooManyOfSigner(offer.signer, MAX_FUTURE_OF_SIGNER)
        if fees > lane.standing.funds:
            raise TooExpensive(offer.signer, fees, lane.standing.funds)

    def _add_report(self, hash: Hash, extrinsic: Extrinsic) -> None:
        self._reports.check_room(extrinsic)
        valid = self._valid(extrinsic, None)
        assert valid.deed is not None, "what is valid and nobody has signed is a report"
        expires = self._chain.best.number + valid.longevity
        self._reports.put(valid.deed, EquivocationReport(hash, extrinsic, expires))

    def _valid(self, extrinsic: Extrinsic, offer: TransactionClaim | None) -> ValidTransaction:
        """:raises TooLate: when it was valid a few blocks ago: the era is over since, or the deed
        has been reported.
        """
        try:
            return self._validate_on(self._chain.best_hash, extrinsic)
        except InvalidTransaction as why:
            if offer is not None and not offer.is_mortal:
                raise
            try:
                self._validate_on(self._earlier(), extrinsic)
            except (InvalidTransaction, StateUnavailable, UnknownBlock):
                raise why from None
            raise TooLate(str(why)) from why

    def _validate_on(self, block: Hash, extrinsic: Extrinsic) -> ValidTransaction:
        header = self._chain.header(block)
        if header is None:
            raise UnknownBlock(block)
        return self._judge.validate_transaction(self._chain.state(block), header, extrinsic)

    def _earlier(self) -> Hash:
        """The block that was the best one some blocks ago."""
        best = self._chain.best
        earlier = self._chain.hash_of(BlockNumber(U32(max(best.number - LATE_BLOCKS, 0))))
        return self._chain.best_hash if earlier is None else earlier

    def _was_due(self, offer: TransactionClaim) -> bool:
        try:
            state = self._chain.state(self._earlier())
            _check_standing(offer, self._judge.standing(state, offer.signer))
        except (InvalidTransaction, StateUnavailable, UnknownBlock):
            return False
        return True

    # Room

    def _make_room(
        self,
        lane: Lane,
        one: WaitingTransaction,
        replaced: WaitingTransaction | None,
        *,
        is_ready: bool,
    ) -> None:
        """Let those go that are worth less than ``one``: as many as it needs, or none.

        :raises PoolFull: when what is worth less does not make room enough.
        """
        gone: list[WaitingTransaction] = []
        rank = is_ready, min(one.priority, lane.worth_before(one.offer.nonce))
        size, count = len(one.extrinsic), 1
        if replaced is not None:
            size, count = size - len(replaced.extrinsic), 0
        while (
            len(self._waiting) + count > MAX_TRANSACTIONS
            or self._bytes + size > MAX_BYTES
            or (not is_ready and count and self._future >= MAX_FUTURE)
        ):
            victim = self._least()
            own = victim is lane and lane.tail.offer.nonce <= one.offer.nonce
            if victim is None or own or victim.rank()[:2] >= rank:
                for back in gone:
                    self._put(back)
                raise PoolFull(f"{len(self._waiting)} transactions of {self._bytes} bytes wait")
            gone.append(victim.tail)
            self.remove(victim.tail.hash)

    def _least(self) -> Lane | None:
        """The lane whose end is worth the least."""
        while self._worst:
            _, version, signer = self._worst[0]
            lane = self._lanes.get(signer)
            if lane is not None and lane.version == version:
                return lane
            heapq.heappop(self._worst)
        return None

    def _put(self, one: WaitingTransaction) -> None:
        lane = self._lanes.get(one.offer.signer)
        if lane is None:
            state = self._chain.state(self._chain.best_hash)
            standing = self._judge.standing(state, one.offer.signer)
            lane = self._lanes[one.offer.signer] = Lane(one.offer.signer, standing)
        before = lane.future_count
        lane.put(one)
        self._waiting[one.hash] = one
        self._bytes += len(one.extrinsic)
        soon = self._chain.best.number + FUTURE_BLOCKS
        heapq.heappush(self._expiring, (min(one.expires, soon), one.hash))
        self._note(lane, before)

    def _forget(self, one: WaitingTransaction) -> None:
        del self._waiting[one.hash]
        self._bytes -= len(one.extrinsic)

    def _note(self, lane: Lane, future_before: int) -> None:
        """Note that a lane has changed, of which so many were not ready before."""
        self._future += lane.future_count - future_before
        if len(lane):
            heapq.heappush(self._worst, (lane.rank(), lane.version, lane.signer))
        else:
            del self._lanes[lane.signer]
        if len(self._worst) > 2 * MAX_TRANSACTIONS + 2 * len(self._lanes):
            self._worst = [(one.rank(), one.version, one.signer) for one in self._lanes.values()]
            heapq.heapify(self._worst)

    # Following the chain

    def _on_chain(self, event: ChainEvent) -> None:
        if not is_of_best(event):
            return
        if event.hash not in self._chain:
            return  # Pruned before it was told.
        retracted, common = self._left_behind(event.hash)
        self._head = event.hash
        if retracted:
            self._let_go_of_forks(common)
        self._follow_signers(event.hash)
        self._reports.judge_again(
            event.header.number, lambda report: self._validate_on(event.hash, report)
        )
        self._expire(event.header.number)
        for block in reversed(retracted):
            self._returning.extend(self._chain.body(block) or ())
        if isinstance(event, BestBlockEvent):
            self._returning.extend(event.forgotten)
        if self._returning:
            self._has_returning.set()
            self._take_back_some()

    def _left_behind(self, new: Hash) -> tuple[tuple[Hash, ...], int]:
        """The blocks that the best chain has left behind (descending), and the number of the last
        one that it has kept."""
        before = self._chain.number(self._head)
        if before is not None and self._chain.is_ancestor(self._head, new):
            return (), before
        try:
            retracted = self._chain.path(self._head, new).retracted
        except UnknownBlock:
            return (), 0  # Finality has removed the old fork; the event has what was in it.
        assert before is not None, "a block with a path to another is known"
        return retracted, before - len(retracted)

    def _let_go_of_forks(self, common: int) -> None:
        """Signatures that cover a block that is left behind are good for nothing."""
        for one in list(self._waiting.values()):
            if one.born is not None and one.born > common:
                self.remove(one.hash)

    def _follow_signers(self, head: Hash) -> None:
        state = self._chain.state(head)
        for lane in list(self._lanes.values()):
            standing = self._judge.standing(state, lane.signer)
            if standing != lane.standing:
                before = lane.future_count
                for gone in lane.follow(standing):
                    self._forget(gone)
                self._note(lane, before)

    def _expire(self, number: int) -> None:
        """Let those go whose time is over, and those that have waited too long for others."""
        while self._expiring and self._expiring[0][0] <= number:
            _, hash = heapq.heappop(self._expiring)
            one = self._waiting.get(hash)
            if one is None:
                continue
            if one.expires > number and self._lanes[one.offer.signer].is_ready(one):
                heapq.heappush(self._expiring, (one.expires, hash))
            else:
                self.remove(hash)

    def _take_back_some(self) -> None:
        for _ in range(min(SLICE, len(self._returning))):
            try:
                self.submit(self._returning.popleft())
            except (InvalidTransaction, PoolRefused):
                continue  # An inherent, or included on this fork too.
        if not self._returning:
            self._has_returning = trio.Event()


def transaction_hash(extrinsic: Extrinsic) -> Hash:
    """blake2-256 of the extrinsic as a body holds it, with its length: the name that tools use."""
    return Hash(H256(blake2_256(encode(extrinsic, bytes))))


def _check_standing(offer: TransactionClaim, standing: AccountStanding) -> None:
    if offer.nonce < standing.nonce:
        raise StaleTransaction(
            f"nonce {offer.nonce} is used, the account's next is {standing.nonce}"
        )
    if offer.fee > standing.funds:
        raise CannotPay(offer.signer, offer.fee, standing.funds)
