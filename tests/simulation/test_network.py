"""The network in memory does what every network must, and the faults it is told to do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio

from parahost.ports.database import DatabaseError
from parahost.ports.network import (
    EventHandler,
    Network,
    NetworkEvent,
    Notification,
    ObservedRole,
)
from parahost.simulation.clock import NodeClock
from parahost.simulation.journal import Trace
from parahost.simulation.network import (
    Endpoint,
    Switch,
)
from parahost.simulation.nodes import PowerFailure
from parahost.simulation.plan import Shape, node_identity, plan_network
from parahost.simulation.random import Streams
from parahost.simulation.scheduler import run_virtual
from tests.network.conformance import CHECKS, SMALL, Declare, Factory, until

IDENTITIES = [
    node_identity(node.name) for node in plan_network(Shape(validators=8, parachains=0)).nodes
]
PEERS = [identity.peer for identity in IDENTITIES]


class World:
    """Some nodes on a network in memory."""

    def __init__(self, count: int, declare: Declare, seed: int = 1) -> None:
        self.switch = Switch(Trace())
        self.endpoints = [
            Endpoint(
                self.switch,
                f"node-{index}",
                IDENTITIES[index],
                role=ObservedRole.AUTHORITY,
                known=PEERS[:count],
                clock=NodeClock(),
                random=Streams(seed).stream("links", str(index)),
            )
            for index in range(count)
        ]
        for index, endpoint in enumerate(self.endpoints):
            declare(index, endpoint)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.switch.run)
            for endpoint in self.endpoints:
                await nursery.start(endpoint.run)
            others = len(self.endpoints) - 1
            await until(lambda: all(len(e.connected()) == others for e in self.endpoints))
            yield
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def in_memory(count: int, declare: Declare) -> AsyncIterator[Sequence[Network]]:
    world = World(count, declare)
    async with world.running():
        yield world.endpoints


@pytest.mark.guide("A107", "A108")
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_conformance(check: Callable[[Factory], Awaitable[None]]) -> None:
    run_virtual(lambda: check(in_memory), seed=1)


def test_a_machine_that_fails_in_a_handler_takes_its_own_node_down() -> None:
    """Its disk, or its power. Whether it fails at once or later; the sender and the world go on."""

    def at_once(event: NetworkEvent) -> None:
        if isinstance(event, Notification):
            raise DatabaseError("at once")

    async def later(event: NetworkEvent) -> None:
        await trio.sleep(0.01)
        if isinstance(event, Notification):
            raise DatabaseError("later")

    async def scenario(handler: EventHandler) -> None:
        world = World(2, lambda index, net: net.on_notification(SMALL, handler))
        alice, bob = world.endpoints
        failures: list[BaseException] = []

        async def run_bob() -> None:
            try:
                await bob.run()
            except BaseExceptionGroup as group:
                failures.extend(group.exceptions)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(world.switch.run)
            await nursery.start(alice.run)
            nursery.start_soon(run_bob)
            await until(lambda: bool(alice.connected() and bob.connected()))
            await trio.sleep(0.1)
            alice.notify([bob.local_peer], SMALL.name, b"x")
            await until(lambda: bool(failures))
            await until(lambda: not alice.connected())
            nursery.cancel_scope.cancel()
        [failure] = failures
        assert isinstance(failure, DatabaseError | PowerFailure)

    def power_fails(event: NetworkEvent) -> None:
        if isinstance(event, Notification):
            raise PowerFailure

    for handler in (at_once, later, power_fails):
        run_virtual(partial(scenario, handler), seed=1)
