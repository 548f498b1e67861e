"""Peers who send bytes that mean nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar

import trio

from parahost.chain.pool.gossip import TRANSACTIONS
from parahost.chain.sync.messages import ANNOUNCES, SYNC
from parahost.consensus.grandpa.messages import PROTOCOL as GRANDPA
from parahost.node.messages.network import PeerSet
from parahost.node.node import Node
from parahost.node.protocols import (
    AVAILABILITY_DISTRIBUTION,
    BITFIELD_DISTRIBUTION,
    COLLATION,
    NOTIFICATIONS,
    REQUESTS,
    STATEMENT_DISTRIBUTION,
    VALIDATOR_DISCOVERY,
)
from parahost.node.role import Role
from parahost.ports.network import RequestFailed, RequestHandler, RequestProtocol
from parahost.primitives.basic import PeerId
from parahost.simulation.adversaries.adversary import Adversary
from parahost.simulation.adversaries.altered_network import AlteredNetwork
from parahost.simulation.build import Alteration, Build
from parahost.simulation.faults import World
from parahost.simulation.random import SeededRandom

BRIDGED = (
    STATEMENT_DISTRIBUTION,
    AVAILABILITY_DISTRIBUTION,
    BITFIELD_DISTRIBUTION,
    COLLATION,
    VALIDATOR_DISCOVERY,
    b"none",
)
PLAIN = (GRANDPA, ANNOUNCES.name, TRANSACTIONS.name)


@dataclass(frozen=True, kw_only=True)
class SendsGarbage(Adversary):
    """Every ``every_s`` seconds sends everybody something malformed on each protocol, asks for
    it, and answers so whenever it is asked.

    Nobody fails of it. What does not decode costs reputation, so that the sender is soon banned
    (A82, A106, A108), and the others go on without it.
    """

    kind: ClassVar[str] = "sends_garbage"

    every_s: float = 1.0

    def check(self, roles: dict[str, Role]) -> None:
        super().check(roles)
        if not self.every_s > 0:
            raise ValueError(f"{self.kind}: every_s is more than 0")

    def conspire(self, world: World) -> Alteration:
        def alter(build: Build) -> None:
            random = build.streams.stream(self.kind)
            build.with_ports(network=_BabblingNetwork(build, random))
            build.jobs.append(lambda node: self._babble(node, random))

        return alter

    async def _babble(self, node: Node, random: SeededRandom) -> None:
        network = node.ports.network
        async with trio.open_nursery() as nursery:
            while True:
                await trio.sleep(self.every_s)
                for protocol, payload in notifications(random):
                    network.notify(network.connected(), protocol, payload)
                for request in (*REQUESTS, SYNC):
                    for peer in network.connected():
                        nursery.start_soon(_ask, node, peer, request, garbage(random))


def garbage(random: SeededRandom) -> bytes:
    """Something malformed: empty, short, long, or of an endless length by its own word."""
    match random.below(5):
        case 0:
            return b""
        case 1:
            return random.bytes(1 + random.below(16))
        case 2:
            return random.bytes(100)
        case 3:
            return bytes([random.below(6)]) + b"\xff" * 40
        case _:
            return bytes([random.below(6)]) + random.bytes(64)


def notifications(random: SeededRandom) -> Iterator[tuple[str, bytes]]:
    """Something for each protocol, with the protocol's name."""
    for protocol in PLAIN:
        yield protocol, garbage(random)
    for circle in NOTIFICATIONS.values():
        yield circle.name, garbage(random)
    for name in BRIDGED:
        inner = garbage(random)
        circle = NOTIFICATIONS[PeerSet.COLLATION if name == COLLATION else PeerSet.VALIDATION]
        # To the bridge it is right: variant 0, four letters, so many bytes (at most 63 for one
        # byte of length; of more, the length lies).
        yield circle.name, b"\0" + name + bytes([min(len(inner), 63) << 2]) + inner
    # A view of more heads than may be
    yield NOTIFICATIONS[PeerSet.VALIDATION].name, b"\x01" + bytes([6 << 2]) + random.bytes(192)


async def _ask(node: Node, peer: PeerId, protocol: RequestProtocol, payload: bytes) -> None:
    with suppress(RequestFailed):
        await node.ports.network.request(peer, protocol, payload)


class _BabblingNetwork(AlteredNetwork):
    """Answers garbage."""

    def __init__(self, build: Build, random: SeededRandom) -> None:
        super().__init__(build.ports.network)
        self._random = random

    def on_request(self, protocol: RequestProtocol, handler: RequestHandler) -> None:
        async def answer(peer: PeerId, payload: bytes) -> bytes | None:
            return garbage(self._random)

        super().on_request(protocol, answer)
