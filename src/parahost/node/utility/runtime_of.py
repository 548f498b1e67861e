"""What the runtime says after a block, wherever that is at hand (A115)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from parahost.node.messages.utility import RuntimeApiRequest
from parahost.node.overseer import Context
from parahost.primitives.basic import Hash

T = TypeVar("T")


async def runtime_of(ctx: Context, block: Hash, function: Callable[..., T], *args: Any) -> T:
    """What a function of the Runtime API gives on the state after a block. A leaf says it itself;
    of another block the Runtime API is asked. For jobs of subsystems that send
    ``RuntimeApiRequest``.

    :raises Unanswered: when the block's state is not known.
    """
    if (leaf := ctx.leaves.get(block)) is not None:
        return leaf.kept(function, *args)
    return await ctx.ask(RuntimeApiRequest(block, function, args))
