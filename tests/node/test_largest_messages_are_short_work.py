"""No message that admission lets through holds a node's event loop."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

import trio

from parahost.network.identity import Identity
from parahost.ports.network import (
    NotificationProtocol,
    ObservedRole,
    RequestFailed,
    RequestProtocol,
)
from parahost.primitives.basic import PeerId
from parahost.primitives.limits import MIB
from parahost.simulation import Scenario, Shape, Simulation
from parahost.simulation.adversaries.adversary import Outsider
from parahost.simulation.clock import NodeClock
from parahost.simulation.faults import World
from parahost.simulation.network import Endpoint
from tests.node.test_largest_messages import ASKED, NOTIFIED, declared
from tests.watchdog import Watchdog, limit_s

ROUNDS = 3
PAUSE_S = 0.7


@dataclass(frozen=True, kw_only=True)
class SaysTheLargest(Outsider):
    """Sends the largest message of each kind to one validator, one after the other, and asks."""

    kind: ClassVar[str] = "says_the_largest"

    who: tuple[str, ...] = ("giant",)
    steps: ClassVar[dict[str, Watchdog]]
    """What was seen while the node had a message, by role and message."""
    made: ClassVar[dict[str, bytes]]

    async def take_part(self, world: World, name: str) -> None:
        await trio.sleep(7)
        for role in (ObservedRole.AUTHORITY, ObservedRole.COLLATOR):
            for index, label, payload in self._messages():
                await self._say(world, f"{name} {role} {index}", role, label, payload)
        self.steps["done"] = Watchdog()

    def _messages(self) -> Iterator[tuple[int, str, bytes]]:
        for index, (label, payload) in enumerate(self.made.items()):
            yield index, label, payload

    async def _say(
        self, world: World, name: str, role: ObservedRole, label: str, payload: bytes
    ) -> None:
        """Each under a new identity, for one that said too much may be banned."""
        streams = world.streams.within(self.kind, name)
        victim = world.plan.nodes[0].peer
        network = Endpoint(
            world.switch,
            name,
            Identity(streams.stream("key").bytes(32)),
            role=role,
            known=[victim],
            clock=NodeClock(),
            random=streams.stream("links"),
        )
        for protocol in declared().notifications.values():
            network.on_notification(NotificationProtocol(protocol.name, 64 * MIB), _nothing)
        async with trio.open_nursery() as nursery:
            await nursery.start(network.run)
            while not network.connected():
                await trio.sleep(0.05)
            await trio.sleep(PAUSE_S / 2)
            watchdog = self.steps[f"{role.name.lower()}: {label}"] = Watchdog()
            trio.lowlevel.add_instrument(watchdog)
            protocol_name = label.split(maxsplit=1)[0]
            if protocol_name in declared().requests:
                protocol_asked = declared().requests[protocol_name]
                nursery.start_soon(_ask, network, victim, protocol_asked, payload)
            else:
                network.notify([victim], protocol_name, payload)
            await trio.sleep(PAUSE_S)
            trio.lowlevel.remove_instrument(watchdog)
            nursery.cancel_scope.cancel()


def _nothing(_: Any) -> None:
    return None


async def _ask(
    network: Endpoint, victim: PeerId, protocol: RequestProtocol, payload: bytes
) -> None:
    try:
        await network.request(victim, protocol, payload)
    except RequestFailed:
        return


@cache
def largest() -> dict[str, bytes]:
    made = {f"{name} {getattr(kind, '__name__', kind)}": make() for name, kind, make in NOTIFIED}
    return made | {f"{name} request": ask() for name, ask, _ in ASKED}


def run(seed: int) -> dict[str, Watchdog]:
    SaysTheLargest.steps = {}
    SaysTheLargest.made = largest()
    scenario = Scenario(
        shape=Shape(validators=3, parachains=1), blocks=14, adversaries=(SaysTheLargest(),)
    )
    Simulation(scenario, seed).run()
    return SaysTheLargest.steps


def test_no_message_holds_the_event_loop() -> None:
    """The least of some runs counts: the collector of garbage comes by chance."""
    limits, rounds = [limit_s()], []
    for seed in range(ROUNDS):
        rounds.append(run(seed))
        limits.append(limit_s())
    assert all("done" in steps for steps in rounds), "a run was too short for all messages"
    assert len(rounds[0]) == 2 * len(SaysTheLargest.made) + 1
    for message in rounds[0]:
        least = min((steps[message] for steps in rounds), key=lambda each: each.longest_s)
        assert least.longest_s <= max(limits), f"{message}: {least.longest_s:.3f} s in {least.task}"
