"""The chain over the real runtime: nodes author in their slots, import each other's blocks, change
epochs and fork; and the pool, whose transactions they include."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
import trio
from trio.testing import MockClock

from parahost.chain.blocks import Imported
from parahost.chain.chain import Chain
from parahost.chain.importing import Importer
from parahost.chain.pool import PlaceTaken, TooLate, TransactionGossip, TransactionPool
from parahost.chain.pool.errors import AlreadyWaiting
from parahost.chain.pool.pool import transaction_hash
from parahost.chain.sync import Sync
from parahost.chain.sync.messages import Status
from parahost.consensus.babe.epochs import EpochView
from parahost.consensus.grandpa import GrandpaVoter
from parahost.crypto import sr25519
from parahost.crypto.keystore import KeyRing, ProtectedKeyStore
from parahost.node.authoring.author import Author
from parahost.ports import KeyType, ObservedRole
from parahost.primitives.basic import H256, U32, BlockNumber, Hash, ParaId, Slot
from parahost.primitives.header import Block, Extrinsic, PreRuntime
from parahost.primitives.inherent import ParachainsInherentData
from parahost.runtime import inherents
from parahost.runtime.api import grandpa_authorities
from parahost.runtime.balances import UNIT
from parahost.runtime.errors import InvalidTransaction
from parahost.runtime.executive import Runtime
from parahost.runtime.extrinsic import signed
from parahost.runtime.genesis import GenesisConfig
from parahost.runtime.parathreads import Claim
from parahost.runtime.storage import State
from parahost.simulation.executor import InlineExecutor
from parahost.storage.memory import MemoryDatabase
from tests.chain.test_sync import SlowLiar
from tests.chain.wire import TrioClock, naming_its_block, until, wire
from tests.memory_network import MemoryNetwork, MemoryPort
from tests.runtime.world import account, key, validators
from tests.verifying import VERIFIER

NAMES = ("Alice", "Bob", "Charlie")
GENESIS = GenesisConfig(
    validators=validators(*NAMES),
    slot_duration_ms=1000,
    epoch_length=6,
    balances=tuple((account(name), 1000 * UNIT) for name in (*NAMES, "Dave", "Ferdie")),
)
STATE = GENESIS.build()
RUNTIME = Runtime(VERIFIER)


def open_node_chain(database: MemoryDatabase, clock: TrioClock) -> Chain:
    return Chain.open(
        database,
        STATE,
        EpochView.of_genesis(STATE),
        execute=RUNTIME.execute_block,
        verifier=VERIFIER,
        clock=clock,
    )


@dataclass
class Proposing:
    """Proposes blocks with the inherents and what the pool holds."""

    chain: Chain
    pool: TransactionPool
    proposed: list[Slot] = field(default_factory=list)
    delay: Callable[[Slot], float] = lambda slot: 0.0

    async def propose(
        self, parent: Hash, slot: Slot, pre_digest: PreRuntime, deadline: float
    ) -> Block | None:
        self.proposed.append(slot)
        await trio.sleep(self.delay(slot))
        header = self.chain.header(parent)
        assert header is not None
        builder = RUNTIME.new_block(self.chain.state(parent), header, (pre_digest,))
        builder.apply(inherents.timestamp(slot * GENESIS.slot_duration_ms))
        builder.apply(inherents.parachains(ParachainsInherentData((), (), (), header)))
        for extrinsic in self.pool.ready():
            try:
                builder.apply(extrinsic)
            except InvalidTransaction:
                self.pool.remove(transaction_hash(extrinsic))
        return builder.finish()[0]


class Node:
    """A whole node but for the parachains. One whose name is no validator's has no keys. With
    ``grandpa`` it votes on finality; else the test says what is final."""

    def __init__(self, net: MemoryNetwork, name: str, *, grandpa: bool = False) -> None:
        self.name = name
        self.clock = TrioClock()
        self.database = MemoryDatabase()
        self.port: MemoryPort = net.port(name, ObservedRole.FULL)
        self.chain = open_node_chain(self.database, self.clock)
        self.pool = TransactionPool(self.chain, RUNTIME)
        self.gossip = TransactionGossip(self.pool, self.port)
        ring = KeyRing.of(
            [(KeyType.BABE, f"//{name}//babe"), (KeyType.GRANDPA, f"//{name}")]
            if name in NAMES
            else []
        )
        keys = ProtectedKeyStore(ring, self.database)
        justify = naming_its_block(self.chain)
        if grandpa:
            self.voter = GrandpaVoter(
                self.chain,
                network=self.port,
                keystore=keys,
                verifier=VERIFIER,
                database=self.database,
                clock=self.clock,
                random=SeededRandom(name),
                genesis_authorities=grandpa_authorities(STATE),
                gossip_s=0.2,
                on_equivocation=lambda proof: None,
                on_unplaced_vote=lambda *_: None,
            )
            justify = self.voter.import_justification
            net.start(self.voter.run)
        self.importer = Importer(self.chain, InlineExecutor())
        self.sync = Sync(
            self.chain,
            self.importer,
            self.port,
            self.clock,
            random=SeededRandom(name),
            import_justification=justify,
        )
        self.proposer = Proposing(self.chain, self.pool)
        self.author = Author(
            self.chain,
            self.importer,
            self.chain.parameters,
            keys,
            self.clock,
            self.proposer,
            ready=lambda: not self.sync.catching_up,
        )
        net.start(self.sync.run)
        net.start(self.author.run)


class SeededRandom:
    """The port ``Random``, from a seed."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)

    def bytes(self, count: int) -> bytes:
        return self._random.randbytes(count)

    def below(self, bound: int) -> int:
        return self._random.randrange(bound)


def transaction(name: str, nonce: int, genesis: Hash, para: int = 7) -> Extrinsic:
    """A call that is refused, as there is no such parathread, and uses its nonce all the same."""
    return signed(
        Claim(ParaId(U32(para))),
        account(name),
        lambda payload: sr25519.sign(key(name), payload),
        nonce=nonce,
        genesis_hash=genesis,
    )


def connect_all(net: MemoryNetwork, nodes: list[Node]) -> None:
    for index, one in enumerate(nodes):
        for other in nodes[:index]:
            one.port.connect(other.port)


async def test_authors_extend_one_chain_over_epochs_and_it_survives_a_restart(
    autojump_clock: MockClock,
) -> None:
    async with wire() as net:
        nodes = [Node(net, name) for name in NAMES]
        connect_all(net, nodes)
        await until(lambda: nodes[0].chain.best.number >= 16)
        final = nodes[0].chain.hash_of(nodes[0].chain.best.number - 3)  # type: ignore[arg-type]
        assert final is not None
        for node in nodes:
            assert final in node.chain
            node.chain.finalize(final, b"final:" + final)
        slots = [nodes[0].chain.slot(block) for block in _line(nodes[0].chain)]
        assert slots == sorted(set(slots), reverse=True)  # type: ignore[type-var]
        assert not any(node.port.reports for node in nodes)
        best, again = nodes[1].chain.best, open_node_chain(nodes[1].database.crash(), TrioClock())
        assert again.best == best
        assert again.state(again.best_hash).root == best.state_root
        assert again.finalized_hash == final


def _line(chain: Chain) -> list[Hash]:
    return [chain.best_hash, *chain.ancestors(chain.best_hash, 10**6)][:-1]


async def test_grandpa_finalises_and_who_comes_late_learns_it_from_justifications(
    autojump_clock: MockClock,
) -> None:
    """Over several sessions, each of which is a set of voters of its own."""
    async with wire() as net:
        nodes = [Node(net, name, grandpa=True) for name in NAMES]
        connect_all(net, nodes)
        await until(lambda: all(node.chain.finalized.number >= 75 for node in nodes))
        late = Node(net, "Late", grandpa=True)
        for node in nodes:
            late.port.connect(node.port)
        await until(lambda: late.chain.finalized.number >= 75, 20)
        assert late.chain.is_ancestor(late.chain.finalized_hash, nodes[0].chain.best_hash)
        assert late.voter.authorities.set_id == nodes[0].voter.authorities.set_id
        assert not any(node.port.reports for node in [*nodes, late])


async def test_after_epochs_without_blocks_the_chain_goes_on(autojump_clock: MockClock) -> None:
    async with wire() as net:
        nodes = [Node(net, name) for name in NAMES]
        await until(lambda: all(node.chain.best.number >= 1 for node in nodes), 60)
    clock = TrioClock()
    chain = open_node_chain(MemoryDatabase(), clock)
    for block in reversed(_line(nodes[0].chain)):
        body = nodes[0].chain.body(block)
        header = nodes[0].chain.header(block)
        assert body is not None
        assert header is not None
        chain.import_block(Block(header, body))
    await trio.sleep(20)
    proposer = Proposing(chain, TransactionPool(chain, RUNTIME))
    keys = KeyRing.of((KeyType.BABE, f"//{name}//babe") for name in NAMES)
    author = Author(
        chain,
        Importer(chain, InlineExecutor()),
        chain.parameters,
        ProtectedKeyStore(keys, MemoryDatabase()),
        clock,
        proposer,
        ready=lambda: True,
    )
    before = chain.epoch_of_child(chain.best_hash, chain.slot(chain.best_hash)).index  # type: ignore[arg-type]
    assert isinstance(await author.author(chain.parameters.slot_at(clock.now())), Imported)
    after = chain.epoch_of_child(chain.best_hash, chain.slot(chain.best_hash)).index  # type: ignore[arg-type]
    assert after >= before + 3
    await trio.sleep(7)
    assert isinstance(await author.author(chain.parameters.slot_at(clock.now())), Imported)


async def test_transactions_travel_wait_for_their_turn_and_are_included(
    autojump_clock: MockClock,
) -> None:
    async with wire() as net:
        nodes = [Node(net, name) for name in NAMES]
        connect_all(net, nodes)
        genesis = nodes[0].chain.genesis_hash
        first, second, third = (transaction("Ferdie", nonce, genesis) for nonce in range(3))
        nodes[0].gossip.submit(third)
        nodes[0].gossip.submit(second)
        assert nodes[0].pool.ready() == []
        with pytest.raises(AlreadyWaiting):
            nodes[0].gossip.submit(third)
        with pytest.raises(PlaceTaken):
            nodes[0].gossip.submit(transaction("Ferdie", 2, genesis, 8))
        nodes[0].gossip.submit(first)
        assert nodes[0].pool.ready() == [first, second, third]
        await until(lambda: all(third in _included(node.chain) for node in nodes))
        await until(lambda: all(len(node.pool) == 0 for node in nodes))
        included = _included(nodes[0].chain)
        assert [one for one in included if one in (first, second, third)] == [first, second, third]
        with pytest.raises(TooLate):
            nodes[0].gossip.submit(first)
        nodes[1].port.notify([nodes[0].port.local_peer], "transactions", b"\x04\x10junk")
        await until(lambda: bool(nodes[0].port.reports))


def _included(chain: Chain) -> list[Extrinsic]:
    return [one for block in reversed(_line(chain)) for one in chain.body(block) or ()]


class JumpingClock(TrioClock):
    offset = 0.0

    def now(self) -> float:
        return super().now() + self.offset


async def test_no_slot_is_tried_twice_whatever_the_clock_does(autojump_clock: MockClock) -> None:
    clock = JumpingClock()
    chain = open_node_chain(MemoryDatabase(), clock)
    proposer = Proposing(chain, TransactionPool(chain, RUNTIME))
    keys = KeyRing.of((KeyType.BABE, f"//{name}//babe") for name in NAMES)
    author = Author(
        chain,
        Importer(chain, InlineExecutor()),
        chain.parameters,
        ProtectedKeyStore(keys, MemoryDatabase()),
        clock,
        proposer,
        ready=lambda: True,
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(author.run)
        await trio.sleep(5)
        clock.offset = -3.0
        await trio.sleep(2.5)
        stalled = chain.best.number
        assert stalled in {5, 6}
        await trio.sleep(2.5)
        assert chain.best.number > stalled, "the clock has caught up with the slots tried"
        clock.offset = 40.0
        await trio.sleep(3.0)
        nursery.cancel_scope.cancel()
    assert len(proposer.proposed) == len(set(proposer.proposed))
    assert proposer.proposed == sorted(proposer.proposed)
    assert max(proposer.proposed) - min(proposer.proposed) > 40
    assert len(proposer.proposed) < 20, "slots that a jump passed over stay passed over"


async def test_a_block_that_is_ready_far_too_late_is_dropped(autojump_clock: MockClock) -> None:
    clock = TrioClock()
    chain = open_node_chain(MemoryDatabase(), clock)
    proposer = Proposing(chain, TransactionPool(chain, RUNTIME), delay=lambda slot: 2.5)
    keys = KeyRing.of((KeyType.BABE, f"//{name}//babe") for name in NAMES)
    author = Author(
        chain,
        Importer(chain, InlineExecutor()),
        chain.parameters,
        ProtectedKeyStore(keys, MemoryDatabase()),
        clock,
        proposer,
        ready=lambda: True,
    )
    assert await author.author(chain.parameters.slot_at(clock.now())) is None
    assert len(proposer.proposed) == 1
    assert chain.best.number == 0
    assert isinstance(chain.state(chain.genesis_hash), State)


async def test_who_only_claims_to_be_ahead_stops_no_author(autojump_clock: MockClock) -> None:
    """Three strangers claim a far best block and answer late, again and again."""
    async with wire() as net:
        nodes = [Node(net, name) for name in NAMES]
        connect_all(net, nodes)
        await until(lambda: nodes[0].chain.best.number > 2)
        strangers = [SlowLiar(net, f"stranger {index}") for index in range(3)]
        for stranger in strangers:
            for node in nodes:
                stranger.port.connect(node.port)
        before = nodes[0].chain.best.number
        for turn in range(40):
            for stranger in strangers:
                for node in nodes:
                    far = BlockNumber(U32(10**6 + turn))
                    claim = Status(
                        far, Hash(H256(bytes(32))), BlockNumber(U32(0)), node.chain.genesis_hash
                    )
                    stranger.say(claim, node.port)
            await trio.sleep(1)
        assert {node.chain.best_hash for node in nodes} == {nodes[0].chain.best_hash}
        assert nodes[0].chain.best.number >= before + 36
