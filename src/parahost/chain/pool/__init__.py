"""Transactions that wait for a block, and how nodes tell each other of them."""

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
from parahost.chain.pool.gossip import TransactionGossip
from parahost.chain.pool.pool import TransactionPool

__all__ = [
    "AlreadyWaiting",
    "PlaceTaken",
    "PoolFull",
    "PoolRefused",
    "TooExpensive",
    "TooLarge",
    "TooLate",
    "TooManyOfSigner",
    "TransactionGossip",
    "TransactionPool",
]
