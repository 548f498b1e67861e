"""Which blocks of a fork have not been looked at yet."""

from __future__ import annotations

from collections.abc import Callable

from parahost.node.messages.utility import BlockHeader
from parahost.node.overseer import Context
from parahost.primitives.basic import U32, BlockNumber, Hash
from parahost.primitives.header import Header

IsKnown = Callable[[Hash, BlockNumber], bool]
"""Whether a block has been taken account of, or comes too late to be. If so, all below it too."""


async def new_blocks(
    ctx: Context, leaf: Hash, number: BlockNumber, is_known: IsKnown, limit: int
) -> list[tuple[Hash, Header]]:
    """The blocks up to ``leaf`` that are not known yet, the oldest first: what came in since, or,
    after a start, what is not final. No more than ``limit``, the newest.

    For jobs of subsystems that send ``BlockHeader``. Where a leaf's parent is known, nobody is
    asked.
    """
    found: list[tuple[Hash, Header]] = []
    block = leaf
    while len(found) < limit and not is_known(block, number):
        header = await header_of(ctx, block)
        if header is None:
            break
        found.append((block, header))
        if number == 0:
            break
        block, number = header.parent_hash, BlockNumber(U32(number - 1))
    found.reverse()
    return found


async def header_of(ctx: Context, block: Hash) -> Header | None:
    """A block's header, if the chain has it."""
    if (leaf := ctx.leaves.get(block)) is not None:
        return leaf.header
    return await ctx.ask(BlockHeader(block))
