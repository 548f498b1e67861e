"""Voters that lie, f of n, in networks that lose, part and crash: safe always, live afterwards,
and nobody honest is blamed."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest
import trio
from trio.testing import MockClock

from parahost.consensus.grandpa import verify_justification
from parahost.consensus.grandpa.messages import (
    GossipMessage,
    SignedMessage,
    VoteMessage,
    payload_of,
)
from parahost.consensus.turns import in_turns
from parahost.crypto import ed25519
from parahost.primitives.basic import (
    H512,
    U32,
    BlockNumber,
    GrandpaSignature,
    PeerId,
)
from parahost.primitives.consensus import Precommit
from parahost.primitives.header import Header
from parahost.primitives.scale import ScaleDecodeError, decode, encode
from tests.consensus.grandpa.world import Node, World, child, ref

WRONG_NUMBER = 0.05
TRUTH = 0.7
"""How often a liar says what it should as well."""


def signed_again(message: VoteMessage, target: Header, number: int, key: ed25519.Keypair) -> bytes:
    """The same stage of the same round, for another block."""
    vote = type(message.vote.message)(target.hash(), BlockNumber(U32(number)))
    signature = ed25519.sign(key, payload_of(vote, message.round, message.set_id))
    forged = SignedMessage(vote, GrandpaSignature(H512(signature)), message.vote.id)
    return encode(VoteMessage(message.round, message.set_id, forged), GossipMessage)


def vote_in(payload: bytes) -> VoteMessage | None:
    try:
        message = decode(GossipMessage, payload)
    except ScaleDecodeError:
        return None
    return message if isinstance(message, VoteMessage) else None


class Liars:
    """Voters that say different things to each peer: any of the last blocks, some of them under
    a wrong number."""

    def __init__(self, world: World, liars: list[Node]) -> None:
        self._world = world
        self._random = random.Random(f"liars {world.seed}")
        self._keys = {
            node.peer: ed25519.Keypair.from_uri(f"//voter{index}")
            for index, node in enumerate(liars)
        }

    def __call__(self, source: PeerId, to: PeerId, payload: bytes) -> list[bytes]:
        key, message = self._keys.get(source), vote_in(payload)
        if key is None or message is None:
            return [payload]
        said = []
        for _ in range(self._random.randrange(3)):
            block = self._random.choice(self._world.headers[-8:])
            number = block.number + (self._random.random() < WRONG_NUMBER)
            said.append(signed_again(message, block, number, key))
        return said + [payload] * (self._random.random() < TRUTH)


async def trouble(world: World) -> None:
    """A crash that loses what was not synced, or a partition; then it is over."""
    if world.random.random() < 0.5:
        victim = world.random.choice(world.running())
        world.crash(victim)
        victim.database = victim.database.crash(
            world.random.randrange(victim.database.unsynced + 1)
        )
        await trio.sleep(world.random.uniform(0, 12))
        world.sync(victim)
        world.start(victim)
    else:
        world.part(world.random.sample(world.nodes, world.random.randrange(1, len(world.nodes))))
        await trio.sleep(world.random.uniform(2, 20))
        world.heal()


@pytest.mark.parametrize(("seed", "voters"), [(1, 4), (2, 4), (3, 7), (4, 7)])
async def test_a_third_of_liars_neither_splits_nor_stops(
    seed: int, voters: int, autojump_clock: MockClock
) -> None:
    async with trio.open_nursery() as nursery:
        world = World(seed, nursery, voters)
        faulty = (voters - 1) // 3
        honest = world.nodes[faulty:]
        world.net.tamper = Liars(world, world.nodes[:faulty])
        world.net.loss = world.random.choice([0, 0.02, 0.1])
        world.net.latency = world.random.choice([(0.01, 0.3), (0.05, 1.2)])
        for node in world.nodes:
            world.start(node)
        nursery.start_soon(world.produce, 120, 3.0, world.random.choice([0.0, 0.3, 0.6]))
        for _ in range(3):
            await trio.sleep(world.random.uniform(5, 20))
            await trouble(world)
            world.assert_safe()
        await trio.sleep(40)
        world.heal()
        world.net.loss = 0
        await world.until_all_but_the_last(within=300)
        world.assert_safe()
        numbers = {header.hash(): ref(header) for header in world.headers}
        for node in honest:
            for block, proof in node.tree.justifications.items():
                await in_turns(
                    verify_justification(
                        proof, 0, world.authorities, world.verifier, numbers[block]
                    )
                )
        peers = {node.peer for node in honest}
        blame = [report for node in honest if node.port for report in node.port.reports]
        lost = "no answer"  # what the network loses looks like silence
        assert [(peer, why) for peer, _, why in blame if peer in peers and lost not in why] == []
        nursery.cancel_scope.cancel()


@dataclass
class Forker:
    """The first voter: in its own slots it makes two blocks. Where it should precommit, it does so
    for the one that lost and for the last final block, so that every commit needs both, and one of
    them is soon forgotten."""

    world: World
    forks: dict[int, Header] = field(default_factory=dict)
    key: ed25519.Keypair = field(default_factory=lambda: ed25519.Keypair.from_uri("//voter0"))

    def __call__(self, source: PeerId, to: PeerId, payload: bytes) -> list[bytes]:
        me = self.world.nodes[0]
        message = vote_in(payload) if source == me.peer else None
        if message is None or not isinstance(message.vote.message, Precommit):
            return [payload]
        target, base = message.vote.target, me.tree.finalized
        fork = self.forks.get(target.number)
        if fork is None or fork.hash() == target.hash or base.number >= target.number:
            return [payload]
        return [signed_again(message, block, block.number, self.key) for block in (fork, base)]


async def test_an_equivocator_does_not_set_the_honest_on_each_other(
    autojump_clock: MockClock,
) -> None:
    async with trio.open_nursery() as nursery:
        world = World(5, nursery, 4)
        world.net.tamper = forker = Forker(world)
        world.net.latency = (0.02, 0.12)
        for node in world.nodes:
            world.start(node)
        for slot in range(1, 81):
            best = world.nodes[1].tree.best
            block = child(best, slot)
            world.publish(block)
            if slot % 4 == 0:
                forker.forks[block.number] = child(best, slot + 10**6)
                world.publish(forker.forks[block.number])
            await trio.sleep(2.0)
        assert any(node.equivocations for node in world.nodes[1:])
        for node in world.nodes[1:]:
            assert node.port is not None
            assert [report for report in node.port.reports if report[0] != "n0"] == []
            assert node.tree.finalized.number >= 75
        nursery.cancel_scope.cancel()
