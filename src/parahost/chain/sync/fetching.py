"""Asking one peer for blocks, and judging what it answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import trio

from parahost.chain.blocks import Imported
from parahost.chain.chain import Chain
from parahost.chain.errors import FutureSlot, ImportRefused
from parahost.chain.importing import Importer
from parahost.chain.sync.messages import (
    SYNC,
    BlockData,
    BlockRequest,
    BlockResponse,
    Direction,
    Fields,
    FromHash,
    FromNumber,
)
from parahost.chain.sync.patience import Patience
from parahost.consensus.grandpa import JustificationError
from parahost.ports import Clock, Network, RequestFailed
from parahost.primitives.basic import U8, U32, BlockNumber, Hash, PeerId
from parahost.primitives.header import Block, Header
from parahost.primitives.limits import KIB
from parahost.primitives.scale import ScaleDecodeError, decode_once, encode
from parahost.runtime.errors import InvalidBlock

ImportJustification = Callable[[Hash, bytes], Awaitable[None]]
"""Makes a known block final if these bytes prove that to the present voters; raises
``JustificationError`` if not. ``GrandpaVoter.import_justification`` is one."""

COST_BAD_BLOCK = -500
COST_GARBAGE = -250
COST_BAD_JUSTIFICATION = -250
COST_NO_ANSWER = -20
COST_EMPTY_CLAIM = -100
COST_SLOW = -20

SLOW_S = 4.0
SLOW_BYTES_PER_S = 128 * KIB
"""An answer may take so long, and longer by its size."""

WHOLE = Fields.HEADER | Fields.BODY | Fields.JUSTIFICATION


def read_answer(raw: bytes) -> tuple[BlockData, ...]:
    """Takes 60 ms for the largest block.

    :raises ScaleDecodeError: when it is none.
    """
    blocks: tuple[BlockData, ...] = decode_once(BlockResponse, raw)
    return blocks


class Unhelpful(Exception):
    """The peer did not help; it has been reported if that is its fault."""


class Fetcher:
    """Requests to peers. Answers are checked against what was asked before anybody sees them."""

    def __init__(
        self,
        chain: Chain,
        importer: Importer,
        network: Network,
        clock: Clock,
        import_justification: ImportJustification,
    ) -> None:
        self._chain = chain
        self._importer = importer
        self._network = network
        self._clock = clock
        self.patience = Patience(clock)
        self._import_justification = import_justification

    async def ancestry(
        self, peer: PeerId, hash: Hash, count: int, *, announced: bool = True
    ) -> list[BlockData]:
        """A block and ancestors of it, whole, the oldest first: at least one, at most ``count``,
        each the parent of the next.

        :param announced: whether the peer has said that it has the block; else it may lack it.
        :raises Unhelpful: when the peer gives no such thing.
        """
        blocks = await self._ask(peer, FromHash(hash), Direction.DESCENDING, count, WHOLE)
        expected = hash
        for data in blocks:
            if data.hash != expected or data.header is None:
                raise self._fault(peer, COST_GARBAGE, "blocks that were not asked for")
            expected = data.header.parent_hash
        if not blocks and announced:
            raise self._fault(peer, COST_NO_ANSWER, "a block that was announced is not given")
        if not blocks:
            raise Unhelpful(f"{peer}: has not the block {hash.hex()}")
        return blocks[::-1]

    async def line(self, peer: PeerId, first: int, count: int) -> list[BlockData]:
        """The blocks from a number on of the peer's best chain, whole, each the parent of the
        next; maybe none.

        :raises Unhelpful: when the peer gives no such thing.
        """
        start = FromNumber(BlockNumber(U32(first)))
        blocks = await self._ask(peer, start, Direction.ASCENDING, count, WHOLE)
        parent = None
        for number, data in enumerate(blocks, first):
            header = data.header
            linked = header is not None and (parent is None or header.parent_hash == parent)
            if not linked or header is None or header.number != number:
                raise self._fault(peer, COST_GARBAGE, "blocks that do not follow one another")
            parent = data.hash
        return blocks

    async def header_at(self, peer: PeerId, number: int) -> Header | None:
        """The header of that number on the peer's best chain, if it has one.

        :raises Unhelpful: when the peer does not answer, or lies about the number.
        """
        start = FromNumber(BlockNumber(U32(number)))
        blocks = await self._ask(peer, start, Direction.ASCENDING, 1, Fields.HEADER)
        if not blocks:
            return None
        if blocks[0].header is None or blocks[0].header.number != number:
            raise self._fault(peer, COST_GARBAGE, "a header that was not asked for")
        return blocks[0].header

    async def justifications(self, peer: PeerId, first: int, count: int) -> list[BlockData]:
        """The justifications that the peer has from a number on, ascending.

        :raises Unhelpful: when the peer does not answer.
        """
        start = FromNumber(BlockNumber(U32(first)))
        return await self._ask(peer, start, Direction.ASCENDING, count, Fields.JUSTIFICATION)

    async def import_all(
        self, peer: PeerId, blocks: Sequence[BlockData], new: Callable[[Hash], None]
    ) -> None:
        """Import whole blocks in order; other tasks get their turn between them. ``new`` is told of
        each that the chain did not have.

        :raises Unhelpful: when one is bad or lacks its body; those before it stay imported.
        :raises FutureSlot: when one comes too early by our clock.
        """
        for data in blocks:
            await self._import(peer, data, new)
            await trio.lowlevel.checkpoint()

    async def justify(self, peer: PeerId, data: BlockData) -> None:
        """Make a block of ours final if its justification proves that."""
        block, proof = data.hash, data.justification
        if proof is None or block not in self._chain or self._chain.is_final(block):
            return
        try:
            await self._import_justification(block, proof)
        except JustificationError as why:
            self.blame(peer, COST_BAD_JUSTIFICATION, f"bad justification: {why}")

    async def _import(self, peer: PeerId, data: BlockData, new: Callable[[Hash], None]) -> None:
        if data.header is None or data.body is None:
            raise self._fault(peer, COST_NO_ANSWER, "a block without its body")
        try:
            imported = await self._importer.import_block(Block(data.header, data.body))
        except InvalidBlock as why:
            raise self._fault(peer, COST_BAD_BLOCK, f"bad block: {why}") from why
        except FutureSlot:
            raise
        except ImportRefused as why:
            raise Unhelpful(str(why)) from why
        if isinstance(imported, Imported):
            self.patience.delivered(peer)
            new(data.hash)
        await self.justify(peer, data)

    async def _ask(
        self,
        peer: PeerId,
        start: FromHash | FromNumber,
        direction: Direction,
        count: int,
        fields: Fields,
    ) -> list[BlockData]:
        request = BlockRequest(U8(fields), start, direction, U32(count))
        began = self._clock.now()
        try:
            raw = await self._network.request(peer, SYNC, encode(request))
        except RequestFailed as why:
            if why.why != "disconnected":
                self.blame(peer, COST_NO_ANSWER, f"sync: {why.why}")
            raise Unhelpful(str(why)) from why
        if self._clock.now() - began > SLOW_S + len(raw) / SLOW_BYTES_PER_S:
            self.blame(peer, COST_SLOW, "sync: a slow answer")
        try:
            blocks = await self._importer.executor.run(partial(read_answer, raw))
        except ScaleDecodeError as why:
            raise self._fault(peer, COST_GARBAGE, f"unreadable answer: {why}") from why
        for data in blocks:
            if data.header is not None and data.header.hash() != data.hash:
                raise self._fault(peer, COST_GARBAGE, "a header with another hash than said")
        return list(blocks[:count])

    def blame(self, peer: PeerId, cost: int, reason: str) -> None:
        """Report a peer; it is also asked less."""
        self._network.report(peer, cost, reason)
        self.patience.failed(peer)

    def _fault(self, peer: PeerId, cost: int, reason: str) -> Unhelpful:
        self.blame(peer, cost, reason)
        return Unhelpful(f"{peer}: {reason}")
