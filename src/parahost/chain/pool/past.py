"""What the pool remembers of transactions that it has not, a bounded number of each kind."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, TypeVar

from parahost.chain.pool.errors import Banned
from parahost.primitives.basic import Hash
from parahost.runtime.errors import InvalidTransaction

V = TypeVar("V")

REMEMBERED: Final = 4096
"""Transactions that are remembered of each kind; then the oldest is forgotten."""
BANNED_BLOCKS: Final = 300
"""So long the operator's word holds: half an hour of blocks of six seconds, as in Substrate."""


class Past:
    """Those that were found invalid, that the operator has banned, that others replaced."""

    def __init__(self) -> None:
        self._invalid: OrderedDict[Hash, None] = OrderedDict()
        self._banned: OrderedDict[Hash, int] = OrderedDict()
        self._usurpers: OrderedDict[Hash, Hash] = OrderedDict()

    def check(self, transaction: Hash, best: int) -> None:
        """Whether nothing is known against a transaction, at the best block of that number.

        :raises InvalidTransaction: when it was found invalid.
        :raises Banned: when the operator does not want it.
        """
        if transaction in self._invalid:
            raise InvalidTransaction(
                f"the transaction {transaction.hex()} was found invalid before"
            )
        until = self._banned.get(transaction, 0)
        if best < until:
            raise Banned(transaction, until)

    def was_invalid(self, transaction: Hash) -> None:
        _remember(self._invalid, transaction, None)

    def ban(self, transaction: Hash, best: int) -> None:
        _remember(self._banned, transaction, best + BANNED_BLOCKS)

    def was_usurped(self, transaction: Hash, *, by: Hash) -> None:
        _remember(self._usurpers, transaction, by)

    def usurper_of(self, transaction: Hash) -> Hash | None:
        return self._usurpers.get(transaction)


def _remember(memory: OrderedDict[Hash, V], transaction: Hash, what: V) -> None:
    memory[transaction] = what
    memory.move_to_end(transaction)
    if len(memory) > REMEMBERED:
        memory.popitem(last=False)
