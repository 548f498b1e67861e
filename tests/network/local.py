"""Networks over loopback for tests."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import trio

from parahost.network.libp2p_network import Libp2pNetwork
from parahost.network.limits import NetworkLimits
from parahost.ports.network import ObservedRole
from parahost.primitives.basic import H256
from tests.network.conformance import Declare, until
from tests.node.harness import ListJournal

GENESIS = H256(bytes(range(32)))
ANY_PORT = "/ip4/127.0.0.1/tcp/0"


class SystemClock:
    def now(self) -> float:
        return time.time()

    async def sleep(self, seconds: float) -> None:
        await trio.sleep(seconds)


class SystemRandom:
    def bytes(self, count: int) -> bytes:
        return os.urandom(count)

    def below(self, bound: int) -> int:
        return int.from_bytes(os.urandom(8), "little") % bound


def network(
    number: int,
    bootnodes: Sequence[str] = (),
    *,
    listen: str = ANY_PORT,
    genesis: H256 = GENESIS,
    limits: NetworkLimits | None = None,
    public: Sequence[str] = (),
    journal: ListJournal | None = None,
) -> Libp2pNetwork:
    """The node with that number in its key."""
    return Libp2pNetwork(
        bytes((number,)) * 32,
        listen=[listen],
        genesis=genesis,
        role=ObservedRole.AUTHORITY,
        bootnodes=bootnodes,
        clock=SystemClock(),
        random=SystemRandom(),
        journal=ListJournal() if journal is None else journal,
        limits=limits or NetworkLimits(redial_min_s=0.05, redial_max_s=0.5),
        public_addresses=public,
    )


@asynccontextmanager
async def loopback(count: int, declare: Declare) -> AsyncIterator[list[Libp2pNetwork]]:
    """The conformance tests' factory: all but the first know only the first."""
    networks: list[Libp2pNetwork] = []
    async with trio.open_nursery() as nursery:
        for index in range(count):
            one = network(index + 1, networks[0].listen_addresses if networks else ())
            declare(index, one)
            await nursery.start(one.run)
            networks.append(one)
        await until(lambda: all(len(one.connected()) == count - 1 for one in networks))
        yield networks
        nursery.cancel_scope.cancel()
