"""Who begins to work on a topic is told what it lacks."""

from __future__ import annotations

from collections.abc import Callable

import trio

from parahost.node.overseer import Context
from parahost.primitives.basic import Hash, PeerId

BATCH = 512
"""How many items are looked at before others have their turn."""


class CatchingUp:
    """Peers that have begun to work on topics of ours and are to be told what they lack. They are
    served by turns, a batch each, as the bus has room: when a topic is new to all, all come at
    once.

    What is news after a peer has come reaches it as all news does, so it is told of no more than
    there was when it came.
    """

    def __init__(self, serve: Callable[[PeerId, Hash, int, int], None]) -> None:
        """``serve`` is given peer, topic, and which of the topic's items to look at: from the
        first number on, up to the second one."""
        self._serve = serve
        self._behind: dict[tuple[PeerId, Hash], tuple[int, int]] = {}
        self._wake = trio.Event()

    def add(self, peer: PeerId, topic: Hash, first: int, end: int) -> None:
        """The peer works on the topic; those of its items are to be looked at."""
        if first < end:
            self._behind[peer, topic] = (first, end)
            self._wake.set()

    async def run(self, ctx: Context) -> None:
        """The job; it lives as long as the node."""
        while True:
            await self._wake.wait()
            self._wake = trio.Event()
            while self._behind:
                await ctx.room()
                self._serve_one()
                if self._behind:
                    await trio.lowlevel.checkpoint()  # others' turn

    def _serve_one(self) -> None:
        (peer, topic), (first, end) = next(iter(self._behind.items()))
        del self._behind[peer, topic]
        stop = min(first + BATCH, end)
        self._serve(peer, topic, first, stop)
        if stop < end:
            self._behind[peer, topic] = (stop, end)
