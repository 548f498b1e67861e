"""How transactions travel: in messages of bounded size, and who pays for what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from unittest.mock import patch

import pytest
import trio
from trio.testing import MockClock

from parahost.chain.chain import Chain
from parahost.chain.pool import TransactionGossip, TransactionPool
from parahost.chain.pool import gossip as gossiping
from parahost.chain.pool.gossip import (
    BATCH_BYTES,
    COST_GARBAGE,
    COST_INVALID,
    COST_USELESS,
    MAX_BATCH,
    TRANSACTIONS,
    _Transactions,
)
from parahost.chain.pool.pool import LATE_BLOCKS, MAX_OF_SIGNER, SLICE
from parahost.network.limits import NetworkLimits
from parahost.ports import NetworkEvent, Notification, ObservedRole
from parahost.primitives.batches import batches
from parahost.primitives.header import Extrinsic
from parahost.primitives.limits import MAX_TRANSACTION_BYTES
from parahost.primitives.scale import decode, encode
from parahost.runtime.errors import UnprovenReport
from tests.chain.test_pool import LETTERS, REFUSED_DEEDS, SmallJudge, report, transaction
from tests.chain.wire import until, wire
from tests.chain.world import Forge, open_chain
from tests.memory_network import MemoryNetwork, MemoryPort


class Node:
    def __init__(self, net: MemoryNetwork, name: str, chain: Chain | None = None) -> None:
        self.judge = SmallJudge()
        self.chain = chain or open_chain()
        self.port = net.port(name, ObservedRole.FULL)
        self.pool = TransactionPool(self.chain, self.judge)
        self.gossip = TransactionGossip(self.pool, self.port)


class Listener:
    """A peer that notes the messages it gets."""

    def __init__(self, net: MemoryNetwork, name: str) -> None:
        self.port: MemoryPort = net.port(name, ObservedRole.FULL)
        self.messages: list[bytes] = []
        self.port.on_notification(TRANSACTIONS, self._hear)

    def _hear(self, event: NetworkEvent) -> None:
        if isinstance(event, Notification):
            self.messages.append(event.payload)

    def tell(self, node: Node, *transactions: bytes) -> None:
        payload = encode(tuple(map(Extrinsic, transactions)), _Transactions)
        self.port.notify([node.port.local_peer], TRANSACTIONS.name, payload)

    def heard(self) -> list[Extrinsic]:
        return [one for payload in self.messages for one in decode(_Transactions, payload)]


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([], []),
        ([3] * 7, [3, 3, 1]),
        ([10, 1], [1, 1]),
        ([99, 1, 9, 1], [1, 2, 1]),
    ],
)
def test_batches_are_bounded_in_number_and_bytes(sizes: list[int], expected: list[int]) -> None:
    things = [bytes(size) for size in sizes]
    found = list(batches(things, max_count=3, max_bytes=10, size_of=len))
    assert [len(batch) for batch in found] == expected
    assert [thing for batch in found for thing in batch] == things


async def test_a_new_peer_is_told_of_any_number_in_messages_that_it_can_read(
    autojump_clock: MockClock,
) -> None:
    async with wire() as net:
        node = Node(net, "node")
        many = [transaction(letter, n) for n in range(MAX_OF_SIGNER) for letter in LETTERS[:6]]
        many += [transaction(b"z", n, text=bytes(200_000)) for n in range(4)]
        assert len(many) > MAX_BATCH
        for extrinsic in many:
            node.pool.submit(extrinsic)
        peer = Listener(net, "peer")
        node.port.connect(peer.port)
        await until(lambda: len(peer.heard()) == len(many))
        assert sorted(peer.heard()) == sorted(many)
        largest = transaction(b"y", 0) + bytes(MAX_TRANSACTION_BYTES - 7)
        node.gossip.submit(Extrinsic(largest))
        await until(lambda: largest in peer.heard())
        for payload in peer.messages[:-1]:
            assert len(decode(_Transactions, payload)) <= MAX_BATCH
            assert len(payload) <= BATCH_BYTES + 4 * MAX_BATCH
        assert len(peer.messages[-1]) <= TRANSACTIONS.max_size


async def test_a_new_peer_is_told_no_more_than_it_has_time_to_read(
    autojump_clock: MockClock,
) -> None:
    """The best ones; a queue that overflows would send it away again."""
    assert NetworkLimits().queue_bytes > gossiping.GREETING_BYTES + 2 * MAX_TRANSACTION_BYTES
    async with wire() as net:
        node = Node(net, "node")
        for tip, letter in enumerate(LETTERS[:10]):
            node.pool.submit(transaction(letter, 0, tip, bytes(93)))
        peer = Listener(net, "peer")
        with patch.object(gossiping, "GREETING_BYTES", 350):
            node.port.connect(peer.port)
            await until(lambda: bool(peer.messages))
        assert [one[:1] for one in peer.heard()] == [b"J", b"I", b"H"]


async def test_what_comes_a_block_late_costs_nobody_anything(autojump_clock: MockClock) -> None:
    forge = Forge()
    async with wire() as net:
        node, slow = Node(net, "node"), Listener(net, "slow")
        node.port.connect(slow.port)
        included = [transaction(letter, n) for letter in LETTERS[:4] for n in range(20)]
        node.chain.import_block(forge.block(forge.genesis, *included))
        slow.tell(node, *included, transaction(b"A", 19, text=b"rival"))
        await trio.sleep(1)
        assert node.port.reports == []
        assert len(node.pool) == 0


@pytest.mark.parametrize("deed", REFUSED_DEEDS)
async def test_who_is_ahead_or_behind_pays_little_however_many_have_brought_the_same(
    autojump_clock: MockClock, deed: int
) -> None:
    """A report of what is known, for a session to come, or past, is good where the peer is."""
    async with wire() as net:
        node = Node(net, "node")
        for name in ("first", "second"):
            peer = Listener(net, name)
            node.port.connect(peer.port)
            peer.tell(node, report(deed))
            await trio.sleep(1)
        cost = COST_INVALID if REFUSED_DEEDS[deed] is UnprovenReport else COST_USELESS
        assert [change for _, change, _ in node.port.reports] == [cost] * 2


async def test_a_nonce_that_was_used_long_ago_costs_each_who_brings_it_little(
    autojump_clock: MockClock,
) -> None:
    forge = Forge()
    async with wire() as net:
        node = Node(net, "node")
        first = forge.block(forge.genesis, transaction(b"A", 0))
        for block in (first, *forge.line(first.header.hash(), LATE_BLOCKS)):
            node.chain.import_block(block)
        for name in ("first", "second"):
            peer = Listener(net, name)
            node.port.connect(peer.port)
            peer.tell(node, transaction(b"A", 0))
            await trio.sleep(1)
        assert [change for _, change, _ in node.port.reports] == [COST_USELESS] * 2


@pytest.mark.parametrize(
    ("told", "cost"),
    [
        (transaction(b"A", 0, text=b"forged"), COST_INVALID),
        (Extrinsic(b"\x00 nobody"), COST_INVALID),
        (transaction(b"P", 0), COST_USELESS),
        (transaction(b"A", 0), 0),
        (transaction(b"A", 7), 0),
    ],
)
async def test_who_passes_on_what_no_honest_node_would_pays(
    autojump_clock: MockClock, told: Extrinsic, cost: int
) -> None:
    async with wire() as net:
        node, peer = Node(net, "node"), Listener(net, "peer")
        node.judge.funds[b"P"] = 0
        node.port.connect(peer.port)
        peer.tell(node, told)
        await trio.sleep(1)
        assert [change for _, change, _ in node.port.reports] == ([cost] if cost else [])
        peer.port.notify([node.port.local_peer], TRANSACTIONS.name, b"\xff\xff")
        await trio.sleep(1)
        assert node.port.reports[-1][1] == COST_GARBAGE


async def test_a_flood_of_waiting_ones_costs_its_sender_and_stays_small(
    autojump_clock: MockClock,
) -> None:
    async with wire() as net:
        node, peer = Node(net, "node"), Listener(net, "peer")
        node.port.connect(peer.port)
        peer.tell(node, *(transaction(b"A", 10_000 + nonce) for nonce in range(1000)))
        await trio.sleep(1)
        assert len(node.pool) == 32
        assert sum(change for _, change, _ in node.port.reports) == 968 * COST_USELESS


async def test_hearing_many_lets_others_have_their_turns() -> None:
    async with wire() as net:
        node, peer = Node(net, "node"), Listener(net, "peer")
        node.port.connect(peer.port)
        await until_true(lambda: bool(node.gossip._known))
        many = [transaction(letter, n) for n in range(20) for letter in LETTERS[:50]]
        event = Notification(
            peer.port.local_peer, TRANSACTIONS.name, encode(tuple(many), _Transactions)
        )
        hearing = node.port.handlers[TRANSACTIONS.name](event)
        assert hearing is not None
        async with trio.open_nursery() as nursery:

            async def hear() -> None:
                await hearing

            nursery.start_soon(hear)
            most = 0
            while len(node.pool) < len(many):
                before = node.judge.asked["validate"]
                await trio.lowlevel.checkpoint()
                most = max(most, node.judge.asked["validate"] - before)
        assert 0 < most <= 2 * SLICE, "trio may give one task two turns in a row"


async def until_true(condition: Callable[[], bool]) -> None:
    while not condition():
        await trio.lowlevel.checkpoint()
