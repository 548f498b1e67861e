"""Chains that sync with one another, or with adversaries that answer as they like."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import trio

from parahost.chain.chain import Chain
from parahost.chain.importing import Importer
from parahost.chain.sync import Sync
from parahost.chain.sync.fetching import ImportJustification
from parahost.consensus.grandpa.errors import MalformedJustification
from parahost.ports import (
    ObservedRole,
)
from parahost.primitives.basic import Hash
from parahost.simulation.executor import InlineExecutor
from tests.consensus.grandpa.world import SeededRandom
from tests.memory_network import MemoryNetwork, MemoryPort


class TrioClock:
    """The virtual time of trio, long after the first slot."""

    def now(self) -> float:
        return 1_000_000.0 + trio.current_time()

    async def sleep(self, seconds: float) -> None:
        await trio.sleep(max(seconds, 0.0))


@dataclass
class SyncNode:
    chain: Chain
    port: MemoryPort
    sync: Sync


def naming_its_block(chain: Chain) -> ImportJustification:
    """Takes justifications that say which block they are for; GRANDPA's own are tested there."""

    async def import_justification(block: Hash, justification: bytes) -> None:
        if justification != b"final:" + block:
            raise MalformedJustification("it names another block")
        chain.finalize(block, justification)

    return import_justification


def wire() -> AbstractAsyncContextManager[MemoryNetwork]:
    """What is sent arrives after other tasks had a turn."""
    return MemoryNetwork((0.005, 0.005)).running()


def start(net: MemoryNetwork, name: str, chain: Chain) -> SyncNode:
    port = net.port(name, ObservedRole.FULL)
    sync = Sync(
        chain,
        Importer(chain, InlineExecutor()),
        port,
        TrioClock(),
        random=SeededRandom(name),
        import_justification=naming_its_block(chain),
    )
    net.start(sync.run)
    return SyncNode(chain, port, sync)


async def until(condition: Callable[[], bool], seconds: float = 300.0) -> None:
    """Wait, in virtual time, for what must come about."""
    with trio.fail_after(seconds):
        while not condition():
            await trio.sleep(0.05)
