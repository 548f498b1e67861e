"""Import, cut where it takes long: verification and insertion belong to the chain and its loop, the
execution between them to an executor."""

from __future__ import annotations

from functools import partial

import trio

from parahost.chain.blocks import AlreadyKnown, Imported
from parahost.chain.chain import Chain
from parahost.ports import Executor
from parahost.primitives.header import Block


class Importer:
    """Imports blocks, one at a time, while everything else goes on."""

    def __init__(self, chain: Chain, executor: Executor) -> None:
        self._chain = chain
        self.executor = executor
        self._turn = trio.Lock()

    async def import_block(self, block: Block) -> Imported | AlreadyKnown:
        """As ``Chain.import_block``, with the same errors."""
        async with self._turn:
            verified = self._chain.verify(block)
            if isinstance(verified, AlreadyKnown):
                return verified
            execution = partial(verified.executed, self._chain.execute)
            return self._chain.insert(await self.executor.run(execution))

    async def settled(self) -> None:
        """Wait until what is being imported now is in the chain, or refused."""
        async with self._turn:
            pass
