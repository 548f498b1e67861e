"""The last blocks that are not final, for clients that were told of them and ask a little later."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from parahost.chain.chain import ChainEvent
from parahost.node.node import Node
from parahost.primitives.basic import Hash
from parahost.primitives.events import BlockFinalizationEvent, BlockImportEvent
from parahost.primitives.header import Extrinsic, Header
from parahost.rpc.limits import KEPT_BLOCKS
from parahost.runtime.storage import State


@dataclass(frozen=True, slots=True)
class KeptBlock:
    """What stays at hand of a block, though the chain may forget it."""

    header: Header
    state: State
    body: tuple[Extrinsic, ...] | None
    """``None`` of a final block, which the chain has for ever, where that one is pinned."""


class RecentBlocks:
    """Holds the last ``KEPT_BLOCKS`` that were imported, on whatever fork, and are not final: those
    that may be soon, and those that never will be.

    The chain forgets a fork at the moment at which finality leaves it. A client may have been told
    of its head just before, and most clients name the head that they know in each call.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._kept: OrderedDict[Hash, KeptBlock] = OrderedDict()
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
                    del self._kept[block]

    def _keep(self, block: Hash) -> None:
        chain = self._node.chain
        header, state = chain.header(block), self._node.state_of(block)
        if header is None or state is None:  # finality has left it before we were told of it
            return
        self._kept[block] = KeptBlock(header, state, chain.body(block))
        if len(self._kept) > KEPT_BLOCKS:
            self._kept.popitem(last=False)
