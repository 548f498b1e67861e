"""Transactions that wait for a block, and how nodes tell each other of them."""

from parahost.chain.pool.gossip import TransactionGossip
from parahost.chain.pool.pool import (
    AlreadyWaiting,
    PlaceTaken,
    PoolFull,
    PoolRefused,
    TooLarge,
    TransactionPool,
)

__all__ = [
    "AlreadyWaiting",
    "PlaceTaken",
    "PoolFull",
    "PoolRefused",
    "TooLarge",
    "TransactionGossip",
    "TransactionPool",
]
