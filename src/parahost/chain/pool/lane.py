"""One signer's transactions in the pool, in the order of their nonces."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from parahost.primitives.basic import BlockNumber, Hash
from parahost.primitives.header import Extrinsic
from parahost.runtime.origin import AccountId
from parahost.runtime.transactions import AccountStanding, TransactionClaim, priority

MAX_PRIORITY: Final = 1 << 144
"""Above that of any tip."""


@dataclass(frozen=True, slots=True)
class WaitingTransaction:
    """A transaction in the pool. ``born``: the block whose hash the signature covers,
    unless that is the genesis. ``arrival``: smaller is older. ``expires``: the number of the
    last block that may include it."""

    hash: Hash
    extrinsic: Extrinsic
    offer: TransactionClaim
    born: BlockNumber | None
    arrival: int
    expires: int

    @property
    def priority(self) -> int:
        return priority(self.offer.tip, len(self.extrinsic))


@dataclass(slots=True)
class Lane:
    """``standing`` is the signer's on the best block. Those from its nonce on, without a gap, are
    ready; the others wait for what is not here."""

    signer: AccountId
    standing: AccountStanding
    fees: int = 0
    ready_count: int = 0
    version: int = 0
    """Grows with every change, so that what was noted of the lane can be told to be old."""
    _by_nonce: dict[int, WaitingTransaction] = field(default_factory=dict)
    _nonces: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self._nonces)

    def __iter__(self) -> Iterator[WaitingTransaction]:
        return (self._by_nonce[nonce] for nonce in self._nonces)

    @property
    def future_count(self) -> int:
        return len(self._nonces) - self.ready_count

    @property
    def tail(self) -> WaitingTransaction:
        """The one with the highest nonce: nobody waits for it."""
        return self._by_nonce[self._nonces[-1]]

    def at(self, nonce: int) -> WaitingTransaction | None:
        return self._by_nonce.get(nonce)

    def ready(self, position: int) -> WaitingTransaction | None:
        """The ready one at a position, counted from the nonce that is due."""
        if position >= self.ready_count:
            return None
        return self._by_nonce[self.standing.nonce + position]

    def would_be_ready(self, nonce: int) -> bool:
        """Whether one with that nonce would have no gap before it."""
        return nonce <= self.standing.nonce + self.ready_count

    def is_ready(self, one: WaitingTransaction) -> bool:
        return one.offer.nonce < self.standing.nonce + self.ready_count

    def worth_before(self, nonce: int) -> int:
        """The least priority of those that one with that nonce waits for."""
        before = (one.priority for one in self if one.offer.nonce < nonce)
        return min(before, default=MAX_PRIORITY)

    def rank(self) -> tuple[bool, int, int]:
        """How little the tail is worth: the lowest goes first when there is no room. Those that
        wait for something go before those that are ready; then who pays the least, or waits
        behind one that pays so little; then the youngest."""
        tail = self.tail
        is_ready = self.ready_count == len(self)
        worth = min(one.priority for one in self) if is_ready else tail.priority
        return is_ready, worth, -tail.arrival

    def put(self, one: WaitingTransaction) -> None:
        assert one.offer.nonce not in self._by_nonce, "a place is free before it is taken"
        self._by_nonce[one.offer.nonce] = one
        insort(self._nonces, one.offer.nonce)
        self.fees += one.offer.fee
        self.version += 1
        self._count_ready()

    def take(self, nonce: int) -> WaitingTransaction:
        one = self._by_nonce.pop(nonce)
        del self._nonces[bisect_left(self._nonces, nonce)]
        self.fees -= one.offer.fee
        self.version += 1
        if 0 <= nonce - self.standing.nonce < self.ready_count:
            self.ready_count = nonce - self.standing.nonce
        return one

    def follow(self, standing: AccountStanding) -> list[WaitingTransaction]:
        """Take the signer's standing on another block; gives those that go: whose nonce is used,
        and from the end what the signer cannot pay any more."""
        self.standing = standing
        self.ready_count = 0
        gone = [self.take(nonce) for nonce in list(self._nonces) if nonce < standing.nonce]
        while self.fees > standing.funds:
            gone.append(self.take(self._nonces[-1]))
        self.version += 1
        self._count_ready()
        return gone

    def _count_ready(self) -> None:
        """Count on from those that are known to be ready."""
        while self.standing.nonce + self.ready_count in self._by_nonce:
            self.ready_count += 1
