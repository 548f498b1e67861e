"""How nodes tell each other of transactions."""

from __future__ import annotations

from collections import OrderedDict
from typing import Annotated

from parahost.chain.pool.pool import (
    MAX_TRANSACTION_BYTES,
    PoolRefused,
    TransactionPool,
    transaction_hash,
)
from parahost.ports import (
    Network,
    NetworkEvent,
    Notification,
    NotificationProtocol,
    PeerConnected,
    PeerDisconnected,
)
from parahost.primitives.basic import Hash, PeerId
from parahost.primitives.header import BoundedExtrinsic, Extrinsic
from parahost.primitives.scale import MaxLen, ScaleDecodeError, decode, encode
from parahost.runtime.errors import InvalidTransaction

TRANSACTIONS = NotificationProtocol("transactions", max_size=MAX_TRANSACTION_BYTES + 1024)
BATCH_BYTES = 256 << 10
KNOWN_TRANSACTIONS = 4096
COST_GARBAGE = -250
COST_INVALID = -20

_Transactions = Annotated[tuple[BoundedExtrinsic, ...], MaxLen(1024)]


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

    def _on_event(self, event: NetworkEvent) -> None:
        match event:
            case PeerConnected(peer=peer):
                self._known[peer] = OrderedDict()
                self._tell([peer], self._pool.ready())
            case PeerDisconnected(peer=peer):
                self._known.pop(peer, None)
            case Notification(peer=peer, payload=payload) if peer in self._known:
                self._hear(peer, payload)

    def _hear(self, peer: PeerId, payload: bytes) -> None:
        try:
            transactions: tuple[Extrinsic, ...] = decode(_Transactions, payload)
        except ScaleDecodeError:
            self._network.report(peer, COST_GARBAGE, "unreadable transactions")
            return
        new = []
        for extrinsic in transactions:
            self._note_known(peer, transaction_hash(extrinsic))
            try:
                self._pool.submit(extrinsic)
            except InvalidTransaction as why:
                if not why.retriable:
                    self._network.report(peer, COST_INVALID, f"bad transaction: {why}")
                continue
            except PoolRefused:
                continue
            new.append(extrinsic)
        self._tell(list(self._known), new)

    def _tell(self, peers: list[PeerId], transactions: list[Extrinsic]) -> None:
        """Send each peer what it does not know, in bounded batches."""
        for peer in peers:
            batch: list[Extrinsic] = []
            size = 0
            for extrinsic in transactions:
                if not self._note_known(peer, transaction_hash(extrinsic)):
                    continue
                if batch and size + len(extrinsic) > BATCH_BYTES:
                    self._send(peer, batch)
                    batch, size = [], 0
                batch.append(extrinsic)
                size += len(extrinsic)
            if batch:
                self._send(peer, batch)

    def _send(self, peer: PeerId, batch: list[Extrinsic]) -> None:
        self._network.notify([peer], TRANSACTIONS.name, encode(tuple(batch), _Transactions))

    def _note_known(self, peer: PeerId, transaction: Hash) -> bool:
        """Note that a peer knows a transaction; whether that is new."""
        known = self._known[peer]
        if transaction in known:
            return False
        known[transaction] = None
        if len(known) > KNOWN_TRANSACTIONS:
            known.popitem(last=False)
        return True
