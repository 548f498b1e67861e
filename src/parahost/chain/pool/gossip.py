"""How nodes tell each other of transactions."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Iterable, Iterator
from typing import Annotated, Final

import trio

from parahost.chain.pool.errors import PoolRefused, TooExpensive, TooLarge, TooManyOfSigner
from parahost.chain.pool.pool import SLICE, TransactionPool, transaction_hash
from parahost.ports import (
    Network,
    NetworkEvent,
    Notification,
    NotificationProtocol,
    PeerConnected,
    PeerDisconnected,
)
from parahost.primitives.basic import Hash, PeerId
from parahost.primitives.batches import batches
from parahost.primitives.header import BoundedExtrinsic, Extrinsic
from parahost.primitives.limits import KIB, MAX_TRANSACTION_BYTES, MIB
from parahost.primitives.scale import MaxLen, ScaleDecodeError, decode, encode
from parahost.runtime.errors import InvalidTransaction

TRANSACTIONS = NotificationProtocol("transactions", max_size=MAX_TRANSACTION_BYTES + 1 * KIB)
MAX_BATCH: Final = 1024
BATCH_BYTES: Final = 256 * KIB
GREETING_BYTES: Final = 8 * MIB
"""What a new peer is told of those that wait: less than may wait for one peer to read it."""
KNOWN_TRANSACTIONS: Final = 4096
COST_GARBAGE: Final = -250
COST_INVALID: Final = -100
"""A signature that is none, a report that proves nothing: nobody passes it on who has looked."""
COST_USELESS: Final = -5
"""A nonce used long ago, a signer who cannot pay, a signature on a block that is not here, a report
for a session to come or past: who passes it on is behind, ahead or on another fork, or floods."""

_Transactions = Annotated[tuple[BoundedExtrinsic, ...], MaxLen(MAX_BATCH)]


class TransactionGossip:
    """Takes transactions from peers and from this node's users, and passes on what is new."""

    def __init__(self, pool: TransactionPool, network: Network) -> None:
        """Declares its protocol at the network."""
        self._pool = pool
        self._network = network
        self._known: dict[PeerId, OrderedDict[Hash, None]] = {}
        network.on_notification(TRANSACTIONS, self._on_event)

    def submit(self, extrinsic: Extrinsic) -> Hash:
        """Take in a transaction of a user of this node, and tell the peers.

        :raises InvalidTransaction: see :meth:`TransactionPool.submit`.
        :raises PoolRefused: see there.
        """
        hash = self._pool.submit(extrinsic)
        self._tell(list(self._known), [extrinsic])
        return hash

    def _on_event(self, event: NetworkEvent) -> Awaitable[None] | None:
        match event:
            case PeerConnected(peer=peer):
                self._known[peer] = OrderedDict()
                self._tell([peer], _first_bytes(self._pool.ready(), GREETING_BYTES))
            case PeerDisconnected(peer=peer):
                self._known.pop(peer, None)
            case Notification(peer=peer, payload=payload) if peer in self._known:
                return self._hear(peer, payload)
        return None

    async def _hear(self, peer: PeerId, payload: bytes) -> None:
        """Judge what a peer tells, a slice at a time: the peer waits, and nobody else."""
        try:
            transactions: tuple[Extrinsic, ...] = decode(_Transactions, payload)
        except ScaleDecodeError:
            self._network.report(peer, COST_GARBAGE, "unreadable transactions")
            return
        for start in range(0, len(transactions), SLICE):
            if start:
                await trio.lowlevel.checkpoint()
            if peer not in self._known:
                return  # It has gone, or was sent away.
            told = transactions[start : start + SLICE]
            new = [extrinsic for extrinsic in told if self._take(peer, extrinsic)]
            self._tell(list(self._known), new)

    def _take(self, peer: PeerId, extrinsic: Extrinsic) -> bool:
        """Whether the pool takes what a peer tells; if it is at fault, it pays."""
        self._note_known(peer, transaction_hash(extrinsic))
        try:
            self._pool.submit(extrinsic)
        except (TooExpensive, TooManyOfSigner, TooLarge) as why:
            self._network.report(peer, COST_USELESS, f"useless transaction: {why}")
        except InvalidTransaction as why:
            cost = COST_USELESS if why.retriable else COST_INVALID
            self._network.report(peer, cost, f"bad transaction: {why}")
        except PoolRefused:
            pass
        else:
            return True
        return False

    def _tell(self, peers: list[PeerId], transactions: Iterable[Extrinsic]) -> None:
        """Send each peer what it does not know, in bounded batches."""
        named = [(extrinsic, transaction_hash(extrinsic)) for extrinsic in transactions]
        for peer in peers:
            new = [extrinsic for extrinsic, hash in named if self._note_known(peer, hash)]
            for batch in batches(new, max_count=MAX_BATCH, max_bytes=BATCH_BYTES, size_of=len):
                payload = encode(batch, _Transactions)
                self._network.notify([peer], TRANSACTIONS.name, payload)

    def _note_known(self, peer: PeerId, transaction: Hash) -> bool:
        """Note that a peer knows a transaction; whether that is new."""
        known = self._known.get(peer)
        if known is None or transaction in known:
            return False
        known[transaction] = None
        if len(known) > KNOWN_TRANSACTIONS:
            known.popitem(last=False)
        return True


def _first_bytes(transactions: Iterable[Extrinsic], limit: int) -> Iterator[Extrinsic]:
    """The first ones, as many as have so many bytes together."""
    size = 0
    for extrinsic in transactions:
        size += len(extrinsic)
        if size > limit:
            return
        yield extrinsic
