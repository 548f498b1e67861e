"""Where a transaction is: in the pool, in a block of the best chain, in a final one, nowhere."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from parahost.chain.pool.pool import transaction_hash
from parahost.primitives.basic import BlockNumber, Hash
from parahost.primitives.header import Extrinsic
from parahost.rpc.served import ServedNode
from parahost.runtime.errors import InvalidTransaction

SEARCHED_BLOCKS: Final = 512
"""So many blocks back a new best chain is searched."""
FINALITY_BLOCKS: Final = 512
"""So long a transaction is watched whose block does not become final, as in Substrate."""


@dataclass(frozen=True, slots=True)
class TransactionPlace:
    """The block that has a transaction, and its place in the body."""

    block: Hash
    index: int


class InclusionWatch:
    """Looks for one transaction on the best chain, however that changes."""

    def __init__(self, served: ServedNode, extrinsic: Extrinsic) -> None:
        self._served = served
        self._chain = served.chain
        self._extrinsic = extrinsic
        self._hash = transaction_hash(extrinsic)
        self._begun: BlockNumber = served.chain.finalized.number
        self._place: TransactionPlace | None = None
        self._searched: OrderedDict[Hash, int | None] = OrderedDict()

    @property
    def hash(self) -> Hash:
        return self._hash

    def included(self) -> TransactionPlace | None:
        """Where it is on the best chain, searched back to where the watch began."""
        place, best = self._place, self._chain.best_hash
        if place is None or not self._chain.is_ancestor(place.block, best):
            self._place = self._found()
        return self._place

    def waits_for_finality(self) -> int:
        """How many blocks have been built on the one that it is in."""
        assert self._place is not None, "it is in a block"
        number = self._chain.number(self._place.block)
        return 0 if number is None else self._chain.best.number - number

    def _found(self) -> TransactionPlace | None:
        block = self._chain.best_hash
        for _ in range(SEARCHED_BLOCKS):
            header = self._chain.header(block)
            if header is None or header.number <= self._begun:
                return None
            if (index := self._index_in(block)) is not None:
                return TransactionPlace(block, index)
            block = header.parent_hash
        return None

    def is_waiting(self) -> bool:
        return self._hash in self._served.node.pool

    def usurper(self) -> Hash | None:
        """The transaction that has taken its place in the pool."""
        return self._served.node.pool.usurper_of(self._hash)

    def why_gone(self) -> str | None:
        """Why it is not in the pool any more, ``None`` when it could be: then there was no room for
        it, or the operator has taken it out."""
        best = self._chain.best
        try:
            state = self._chain.state(best.hash())
            self._served.node.runtime.validate_transaction(state, best, self._extrinsic)
        except InvalidTransaction as why:
            return why.reason.sentence
        return None

    def _index_in(self, block: Hash) -> int | None:
        if block not in self._searched:
            names = self._served.transactions_in(block)
            self._searched[block] = names.index(self._hash) if self._hash in names else None
            if len(self._searched) > SEARCHED_BLOCKS:
                self._searched.popitem(last=False)
        return self._searched[block]
