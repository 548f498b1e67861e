"""What a devnet's validators have at stake, as their nodes tell it in their metrics.

A node is asked when its journal says that this may be another now: a session began, somebody was
punished, which rewards others.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial

import trio

from parahost.client.errors import Unreachable
from parahost.client.metrics import read_metrics
from parahost.devnet.observer import Observer
from parahost.metrics.samples import Samples
from parahost.process.journal import JournalLine

ASK_AGAIN_S = 0.5
NODE_PATIENCE_S = 2.0
MOVING = ("session.began", "chain.punished")


async def read_beside(url: str) -> Samples:
    """Without holding the loop.

    :raises Unreachable: when nothing can be read there.
    """
    return await trio.to_thread.run_sync(partial(read_metrics, url, patience_s=NODE_PATIENCE_S))


class StakeReader:
    """Keeps the stakes in an observer's picture up to date. ``addresses`` are those of the nodes'
    metrics, by name; others may come later."""

    def __init__(
        self,
        addresses: Mapping[str, str],
        observer: Observer,
        read: Callable[[str], Awaitable[Samples]] = read_beside,
    ) -> None:
        self.addresses = dict(addresses)
        self._observer = observer
        self._read = read
        self._due: dict[str, None] = {}

    def hear(self, node: str, line: JournalLine) -> None:
        if line.event in MOVING:
            self._due[node] = None

    async def run(self) -> None:
        """Ask whom there is reason to ask, until cancelled. Who does not answer is asked again."""
        while True:
            await trio.sleep(ASK_AGAIN_S)
            for name in list(self._due):
                await self._ask(name)

    async def _ask(self, name: str) -> None:
        try:
            told = await self._read(self.addresses[name])
        except Unreachable:
            return
        self._due.pop(name, None)
        if told.value("polkadot_node_is_active_validator"):
            self._observer.nodes[name].stake = told.value("parahost_validator_stake")
