"""Strangers: peers without stake, of which there may be as many as there are keys."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import ClassVar

import trio

from parahost.chain.pool.gossip import TRANSACTIONS
from parahost.chain.sync.messages import ANNOUNCES, SYNC, Announce, SyncMessage
from parahost.consensus.grandpa.messages import PROTOCOL as GRANDPA
from parahost.network.identity import Identity
from parahost.node.protocols import NOTIFICATIONS, REQUESTS
from parahost.node.role import Role
from parahost.ports.network import (
    NetworkEvent,
    Notification,
    NotificationProtocol,
    ObservedRole,
    PeerConnected,
    RequestFailed,
    RequestProtocol,
)
from parahost.primitives.basic import PeerId
from parahost.primitives.limits import MIB
from parahost.primitives.scale import ScaleDecodeError, decode
from parahost.runtime import api
from parahost.simulation.adversaries.adversary import Outsider
from parahost.simulation.adversaries.garbage import garbage
from parahost.simulation.adversaries.strangers_words import PublicKnowledge, Tongue
from parahost.simulation.clock import NodeClock
from parahost.simulation.faults import World
from parahost.simulation.network import Endpoint
from parahost.simulation.random import SeededRandom

LIFE_S, BRIEF_LIFE_S = (5.0, 60.0), (0.1, 1.0)
"""So long a stranger keeps a key that is still wanted; the next one costs it nothing. Now and then
it comes only to go."""
ROLES: Sequence[ObservedRole] = tuple(ObservedRole)
"""What it may say that it is, whatever it is."""


@dataclass(frozen=True, kw_only=True)
class Stranger(Outsider):
    """Connects to everybody, and every ``every_s`` seconds says, floods or asks for something else:
    lies about blocks, finality, rounds and records, transactions of who has nothing, statements,
    votes, bitfields, checks, dispute votes and chunks of nobody, collations that are never
    delivered, junk, too much, or nothing. What it is asked for it answers late, with junk, or not
    at all. Each key has a few of these tricks and a role; when nobody wants it any more, and time
    and again, it comes back with another.

    ``who`` are its names, one identity at a time each. Whatever it does, the chain is to do as well
    as without it (``strangers_change_nothing``).
    """

    kind: ClassVar[str] = "stranger"
    role: ClassVar[Role] = Role.FULL

    who: tuple[str, ...] = ("stranger-1", "stranger-2", "stranger-3")
    every_s: float = 1.0

    def check(self, roles: dict[str, Role]) -> None:
        super().check(roles)
        if not self.every_s > 0:
            raise ValueError(f"{self.kind}: every_s is more than 0")

    async def take_part(self, world: World, name: str) -> None:
        plan = world.plan
        knows = PublicKnowledge(
            world.record.genesis.hash,
            api.validators(plan.genesis),
            tuple(spec.id for spec in plan.paras),
        )
        life = 0
        while True:
            life += 1
            random = world.streams.within(self.kind, name, f"life {life}").stream("all")
            least_s, most_s = BRIEF_LIFE_S if random.below(4) == 0 else LIFE_S
            with trio.move_on_after(least_s + random.unit() * (most_s - least_s)):
                await _Life(self, world, f"{name}.{life}", knows, random).live()


class _Life:
    """A stranger with one key."""

    def __init__(
        self,
        stranger: Stranger,
        world: World,
        name: str,
        knows: PublicKnowledge,
        random: SeededRandom,
    ) -> None:
        identity = Identity(random.bytes(32))
        self._random = random
        self._every_s = stranger.every_s
        self._was_connected = False
        self._role = ROLES[random.below(len(ROLES))]
        self._tongue = Tongue(identity.peer, knows, random)
        self.network = Endpoint(
            world.switch,
            name,
            identity,
            role=self._role,
            known=[node.peer for node in world.plan.nodes],
            clock=NodeClock(),
            random=random,
        )
        notifications = (*NOTIFICATIONS.values(), ANNOUNCES, TRANSACTIONS, _GRANDPA)
        for protocol in notifications:
            self.network.on_notification(replace(protocol, max_size=64 * MIB), self._hear)
        for request in (*REQUESTS, SYNC):
            self.network.on_request(request, self._answer)

    async def live(self) -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(self.network.run)
            while True:
                await trio.sleep(self._every_s * (0.5 + self._random.unit()))
                peers = self.network.connected()
                if not peers and self._was_connected:
                    nursery.cancel_scope.cancel()
                for protocol, payload in self._tongue.some():
                    self.network.notify(peers, protocol, payload)
                if self._random.below(4) == 0:
                    for asked, question in self._tongue.requests():
                        for peer in peers:
                            nursery.start_soon(self._ask, peer, asked, question)

    def _hear(self, event: NetworkEvent) -> None:
        match event:
            case PeerConnected(peer=peer):
                self._was_connected = True
                if self._role is ObservedRole.COLLATOR:
                    self.network.notify([peer], *self._tongue.declaration())
            case Notification(protocol=ANNOUNCES.name, payload=payload):
                with suppress(ScaleDecodeError):
                    said: SyncMessage = decode(SyncMessage, payload)
                    if isinstance(said, Announce):
                        self._tongue.heads.append(said.header.hash())

    async def _answer(self, _peer: PeerId, _payload: bytes) -> bytes | None:
        match self._random.below(3):
            case 0:
                return garbage(self._random)
            case 1:
                await trio.sleep(self._random.unit() * 10)
                return None
            case _:
                await trio.sleep_forever()
                return None

    async def _ask(self, peer: PeerId, protocol: RequestProtocol, question: bytes) -> None:
        with suppress(RequestFailed):
            await self.network.request(peer, protocol, question)


_GRANDPA = NotificationProtocol(GRANDPA, 64 * MIB)
