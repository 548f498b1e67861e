"""The adder's collator: each block adds the same number to a counter."""

from __future__ import annotations

from parahost.crypto.hashing import keccak_256
from parahost.parachains.collator import Collator
from parahost.parachains.heads import ChainHead
from parahost.ports.collator import BuildContext, ParachainBlock
from parahost.primitives.basic import HeadData, ParaId

_MODULUS = 1 << 64


class AdderCollator(Collator):
    """``add`` is what each block adds, from 0 to 2**64 - 1.

    A head has only the counter's hash. The counter itself is kept per head on disk. Where that is
    lost, it is computed: without anybody else's blocks, it is ``add`` times the head's number.
    """

    def __init__(self, add: int = 2) -> None:
        if not isinstance(add, int) or not 0 <= add < _MODULUS:
            raise ValueError(f"add: {add!r} is not a number from 0 to 2**64 - 1")
        self._add = add

    def genesis_head(self, para_id: ParaId) -> HeadData:
        return ChainHead.genesis(_hash(0)).encode()

    async def build(self, parent_head: HeadData, context: BuildContext) -> ParachainBlock | None:
        parent = ChainHead.decode(parent_head)
        counter = self._counter_at(parent)
        if counter is None:
            journal, number = self.services.journal, parent.number
            journal.record("adder.unknown_head", para=self.services.para_id, number=number)
            return None
        after = (counter + self._add) % _MODULUS
        head = parent.child(_hash(after))
        self.services.store.write({_key(head): _u64(after)})
        return ParachainBlock(_u64(counter) + _u64(self._add), head.encode())

    def on_finalized(self, head: HeadData) -> None:
        """Counters of heads that cannot be built on any more are of no use."""
        final = ChainHead.decode(head).number
        old = [key for key, _ in self.services.store.scan() if key < final.to_bytes(8, "big")]
        if old:
            self.services.store.write(dict.fromkeys(old))

    def _counter_at(self, head: ChainHead) -> int | None:
        stored = self.services.store.get(_key(head))
        if stored is not None:
            return int.from_bytes(stored, "little")
        computed = head.number * self._add % _MODULUS
        return computed if _hash(computed) == head.digest else None


def _key(head: ChainHead) -> bytes:
    """Ascending by number."""
    return head.number.to_bytes(8, "big") + keccak_256(head.encode())


def _u64(value: int) -> bytes:
    return value.to_bytes(8, "little")


def _hash(counter: int) -> bytes:
    return keccak_256(_u64(counter))
