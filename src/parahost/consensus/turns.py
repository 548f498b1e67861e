"""Other tasks get their turns between the pieces of a long computation."""

from __future__ import annotations

from typing import TypeVar

import trio

from parahost.consensus.pieces import Pieces

Result = TypeVar("Result")


async def in_turns(pieces: Pieces[Result]) -> Result:
    """Run a computation to its end; whatever it raises is raised."""
    while True:
        try:
            next(pieces)
        except StopIteration as end:
            result: Result = end.value
            return result
        await trio.lowlevel.checkpoint()
