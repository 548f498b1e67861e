"""The last blocks that are not final, for clients that were told of them and ask a little later."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from parahost.chain.chain import ChainEvent
from parahost.node.node import Node
from parahost.primitives.basic import Hash
from parahost.primitives.events import BlockFinalizationEvent, BlockImportEvent
from parahost.primitives.header import Extrinsic, Header
from parahost.rpc.limits import KEPT_BLOCKS, KEPT_BYTES
from parahost.runtime.storage import State


@dataclass(frozen=True, slots=True)
class KeptBlock:
    """What stays at hand of a block, though the chain may forget it."""

    header: Header
    state: State
    body: tuple[Extrinsic, ...] | None
    """``None`` of a final block, which the chain has for ever, where that one is pinned."""

    @property
    def size(self) -> int:
        """Bytes of the extrinsics that are held."""
        return sum(map(len, self.body or ()))


class RecentBlocks:
    """Holds the last ``KEPT_BLOCKS`` that were imported, on whatever fork, and are not final: those
    that may be soon, and those that never will be. Fewer, when they have more than ``KEPT_BYTES``.

    The chain forgets a fork at the moment at which finality leaves it. A client may have been told
    of its head just before, and most clients name the head that they know in each call.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._kept: OrderedDict[Hash, KeptBlock] = OrderedDict()
        self._bytes = 0
        """Of the extrinsics of those."""
        self._keep(node.chain.best_hash)
        node.chain.subscribe(self._on_chain)

    def get(self, block: Hash) -> KeptBlock | None:
        """The block, if it is one of them: whether the chain has it still or not."""
        return self._kept.get(block)

    def _on_chain(self, event: ChainEvent) -> None:
        match event:
            case BlockImportEvent():
                self._keep(event.hash)
            case BlockFinalizationEvent():
                for block in [one for one in self._kept if self._node.chain.is_final(one)]:
                    self._drop(block)

    def _keep(self, block: Hash) -> None:
        chain = self._node.chain
        header, state = chain.header(block), self._node.state_of(block)
        if header is None or state is None:  # finality has left it before we were told of it
            return
        self._drop(block)
        self._kept[block] = kept = KeptBlock(header, state, chain.body(block))
        self._bytes += kept.size
        while len(self._kept) > KEPT_BLOCKS or self._bytes > KEPT_BYTES:
            self._drop(next(iter(self._kept)))

    def _drop(self, block: Hash) -> None:
        kept = self._kept.pop(block, None)
        if kept is not None:
            self._bytes -= kept.size
