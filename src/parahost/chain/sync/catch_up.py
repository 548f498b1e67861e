"""Getting back to the head from far behind.

One peer leads: where its best chain leaves ours is found by bisection, and it shows the header
after our best block, which backs its word (``downloads``). Then its chain is fetched in ranges of
numbers, from it and from others who have as much, and imported in order. What a helper gives counts
only if it fits; else the leader is asked for it. A leader that claims more than it can show costs a
bisection and one round of requests.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import trio

from parahost.chain.chain import Chain
from parahost.chain.sync.fetching import COST_EMPTY_CLAIM, Fetcher, Unhelpful
from parahost.chain.sync.messages import MAX_BLOCKS, BlockData
from parahost.primitives.basic import U32, BlockNumber, Hash, PeerId
from parahost.primitives.header import Header

RANGES_AT_ONCE = 4


class Chase:
    """One chase after one leader."""

    def __init__(
        self,
        chain: Chain,
        fetcher: Fetcher,
        leader: PeerId,
        helpers: Callable[[int], Sequence[PeerId]],
        showed: Callable[[Header], None],
        gave: Callable[[Hash], None],
    ) -> None:
        """``helpers`` gives the peers that claim a best block of at least some number; ``showed``
        is told of the leader's header after our best block, ``gave`` of each block that was new."""
        self._showed = showed
        self._gave = gave
        self._chain = chain
        self._fetcher = fetcher
        self._leader = leader
        self._helpers = helpers
        self._useless: set[PeerId] = set()

    async def run(self, target: int) -> None:
        """Import the leader's chain up to block number ``target``.

        :raises Unhelpful: when the leader does not help; what was imported before is kept.
        :raises FutureSlot: when its blocks come too early by our clock.
        """
        position = await self._common_number(target)
        await self._see_next(position)
        while position < target:
            reached = await self._round(position, target)
            if reached == position:
                self._fetcher.blame(self._leader, COST_EMPTY_CLAIM, "claims blocks it has not")
                raise Unhelpful(f"{self._leader} has nothing after {position}")
            position = reached

    async def _common_number(self, target: int) -> int:
        """The number of the last block that we share with the leader.

        :raises Unhelpful: when that would be before our last final block.
        """
        low = int(self._chain.finalized.number)
        if not await self._shares(low):
            self._fetcher.blame(self._leader, COST_EMPTY_CLAIM, "lacks our last final block")
            raise Unhelpful(f"{self._leader} does not have our last final block")
        high = min(int(self._chain.best.number), target)
        while low < high:
            middle = (low + high + 1) // 2
            if await self._shares(middle):
                low = middle
            else:
                high = middle - 1
        return low

    async def _shares(self, number: int) -> bool:
        theirs = await self._fetcher.header_at(self._leader, number)
        ours = self._chain.hash_of(BlockNumber(U32(number)))
        return theirs is not None and theirs.hash() == ours

    async def _see_next(self, common: int) -> None:
        """See the leader's header after our best block, as it is there long before the blocks.

        :raises Unhelpful: when the leader does not answer.
        """
        if common == self._chain.best.number:
            header = await self._fetcher.header_at(self._leader, common + 1)
            if header is not None:
                self._showed(header)

    async def _round(self, position: int, target: int) -> int:
        """Fetch the next ranges at once, import what fits; gives the number reached."""
        starts = range(position + 1, target + 1, MAX_BLOCKS)[:RANGES_AT_ONCE]
        peers = self._assign(starts, target)
        fetched: dict[int, list[BlockData]] = {}
        async with trio.open_nursery() as nursery:
            for start, peer in zip(starts, peers, strict=True):
                nursery.start_soon(self._fetch, peer, start, target, fetched)
        for start, peer in zip(starts, peers, strict=True):
            if position != start - 1:
                break  # The range before was cut short by its size; go on from there.
            position = await self._take(peer, start, target, fetched.get(start))
        return position

    def _assign(self, starts: Sequence[int], target: int) -> list[PeerId]:
        """The leader takes the first range, the others go round."""
        helpers = [
            peer
            for peer in self._helpers(min(starts[-1] + MAX_BLOCKS - 1, target))
            if peer != self._leader and peer not in self._useless
        ]
        ring = [self._leader, *helpers]
        return [ring[index % len(ring)] for index in range(len(starts))]

    async def _fetch(
        self, peer: PeerId, start: int, target: int, into: dict[int, list[BlockData]]
    ) -> None:
        try:
            count = min(MAX_BLOCKS, target - start + 1)
            into[start] = await self._fetcher.line(peer, start, count)
        except Unhelpful:
            self._useless.add(peer)

    async def _take(
        self, peer: PeerId, start: int, target: int, blocks: list[BlockData] | None
    ) -> int:
        """Import a range, by way of the leader when the helper's did not do."""
        if peer != self._leader:
            try:
                return await self._import(peer, start, blocks)
            except Unhelpful:
                self._useless.add(peer)
                count = min(MAX_BLOCKS, target - start + 1)
                blocks = await self._fetcher.line(self._leader, start, count)
        elif self._leader in self._useless:
            raise Unhelpful(f"{self._leader} does not answer")
        if not blocks:
            return start - 1
        return await self._import(self._leader, start, blocks)

    async def _import(self, peer: PeerId, start: int, blocks: list[BlockData] | None) -> int:
        if not blocks:
            raise Unhelpful(f"{peer} has nothing from {start} on")
        await self._fetcher.import_all(peer, blocks, self._gave)
        return start + len(blocks) - 1
