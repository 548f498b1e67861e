"""Following peers: from the head, from far behind, and through lies."""

from __future__ import annotations

import random
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from parahost.chain.chain import Chain, ChainEvent
from parahost.chain.sync.fetching import COST_GARBAGE, WHOLE
from parahost.chain.sync.messages import (
    ANNOUNCES,
    MAX_BLOCKS,
    SYNC,
    Announce,
    BlockData,
    BlockRequest,
    BlockResponse,
    Direction,
    Fields,
    FromHash,
    FromNumber,
    Status,
    SyncMessage,
)
from parahost.chain.sync.peers import Peer
from parahost.chain.sync.server import answer
from parahost.ports import Notification, ObservedRole, RequestFailed
from parahost.ports.network import REPUTATION_FLOOR, NetworkEvent
from parahost.primitives.basic import H256, U8, U32, BlockNumber, Hash, PeerId
from parahost.primitives.header import Block, Extrinsic, Header, PreRuntime
from parahost.primitives.scale import ScaleDecodeError, decode, encode
from parahost.runtime.errors import HeaderTooLong, InvalidBlock
from tests.chain.wire import start, until, wire
from tests.chain.world import PARAMETERS, Forge, ManualClock, hashes, open_chain
from tests.memory_network import MemoryNetwork, MemoryPort


@pytest.fixture(scope="module")
def forge() -> Forge:
    return Forge()


@pytest.fixture(scope="module")
def long_line(forge: Forge) -> list[Block]:
    return forge.line(forge.genesis, 420)


def finalize(chain: object, block: Hash) -> None:
    chain.finalize(block, b"final:" + block)  # type: ignore[attr-defined]


async def test_a_new_block_reaches_everybody_over_others(
    long_line: list[Block], autojump_clock: MockClock
) -> None:
    async with wire() as net:
        nodes = [start(net, name, open_chain()) for name in "abcd"]
        for one, other in pairwise(nodes):
            one.port.connect(other.port)
        for block in long_line[:5]:
            nodes[0].chain.import_block(block)
            await until(lambda: len({node.chain.best_hash for node in nodes}) == 1)
        assert nodes[-1].chain.best == long_line[4].header
        assert all(not node.port.reports for node in nodes)
        assert not nodes[-1].sync.catching_up


async def test_a_node_that_was_away_for_hundreds_of_blocks_is_back_with_finality(
    long_line: list[Block], autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "parahost.chain.sync")
    async with wire() as net:
        nodes = [start(net, name, open_chain()) for name in "abc"]
        for node in nodes:
            for block in long_line[:400]:
                node.chain.import_block(block)
                if block.header.number % 50 == 0:
                    finalize(node.chain, block.header.hash())
        late = start(net, "late", open_chain())
        for node in nodes:
            late.port.connect(node.port)
        await until(lambda: late.chain.best == long_line[399].header)
        await until(lambda: late.chain.finalized.number == 400)
        assert not late.port.reports
        first, *_, last = [record.getMessage() for record in caplog.records]
        assert first.startswith("catching up: at 0, ") and first.endswith(" says 400")
        assert last.startswith("catching up: got to 400 with ")
        helped = [node for node in nodes if node.chain.justification(nodes[0].chain.best_hash)]
        assert len(helped) == 3
        nodes[1].chain.import_block(long_line[400])
        await until(lambda: late.chain.best == long_line[400].header)


async def test_a_gap_and_a_fork_near_the_head_are_filled(
    forge: Forge, autojump_clock: MockClock
) -> None:
    line = forge.line(forge.genesis, 10)
    fork = forge.line(line[3].header.hash(), 20)
    async with wire() as net:
        one, two = start(net, "one", open_chain()), start(net, "two", open_chain())
        for block in line:
            one.chain.import_block(block)
        for block in (*line[:4], *fork):
            two.chain.import_block(block)
        one.port.connect(two.port)
        ends = {line[-1].header.hash(), fork[-1].header.hash()}
        await until(lambda: one.chain.best_hash == two.chain.best_hash)
        assert one.chain.best_hash in ends


async def test_a_fork_deeper_than_one_answer_is_found_by_bisection(
    forge: Forge, long_line: list[Block], autojump_clock: MockClock
) -> None:
    parent = long_line[20].header.hash()
    fork = forge.line(parent, MAX_BLOCKS + 30)
    short = long_line[:60]
    async with wire() as net:
        one, two = start(net, "one", open_chain()), start(net, "two", open_chain())
        for block in short:
            one.chain.import_block(block)
        for block in (*long_line[:21], *fork):
            two.chain.import_block(block)
        one.port.connect(two.port)
        await until(lambda: fork[-1].header.hash() in one.chain)
        assert not one.port.reports


async def test_missed_finality_is_learned_from_justifications(
    long_line: list[Block], autojump_clock: MockClock
) -> None:
    async with wire() as net:
        one, two = start(net, "one", open_chain()), start(net, "two", open_chain())
        for block in long_line[:40]:
            one.chain.import_block(block)
            two.chain.import_block(block)
        finalize(one.chain, long_line[19].header.hash())
        finalize(one.chain, long_line[29].header.hash())
        one.port.connect(two.port)
        await until(lambda: two.chain.finalized == long_line[29].header)
        assert two.chain.justification(long_line[19].header.hash()) is not None


class Liar:
    """A peer that says what it likes."""

    def __init__(self, net: MemoryNetwork, name: str = "liar") -> None:
        self.port: MemoryPort = net.port(name, ObservedRole.FULL)
        self.asked: list[BlockRequest] = []
        self.heard: list[SyncMessage] = []
        self.answer: list[BlockData] | bytes | None = []
        self.port.on_notification(ANNOUNCES, self._hear)
        self.port.on_request(SYNC, self._serve)

    def say(self, message: SyncMessage | bytes, to: MemoryPort) -> None:
        payload = message if isinstance(message, bytes) else encode(message, SyncMessage)
        self.port.notify([to.local_peer], ANNOUNCES.name, payload)

    def _hear(self, event: NetworkEvent) -> None:
        if isinstance(event, Notification):
            self.heard.append(decode(SyncMessage, event.payload))

    async def _serve(self, peer: PeerId, payload: bytes) -> bytes | None:
        self.asked.append(decode(BlockRequest, payload))
        if isinstance(self.answer, list):
            return encode(tuple(self.answer), BlockResponse)
        return self.answer


def number(value: int) -> BlockNumber:
    return BlockNumber(U32(value))


def some_hash(seed: int) -> Hash:
    return Hash(H256(seed.to_bytes(32, "big")))


async def test_a_lie_about_the_height_costs_bounded_work_and_hides_nobody(
    long_line: list[Block], autojump_clock: MockClock
) -> None:
    async with wire() as net:
        node, honest = start(net, "node", open_chain()), start(net, "honest", open_chain())
        liar = Liar(net)
        node.port.connect(liar.port)
        for turn in range(50):
            claim = Status(number(10**9 + turn), some_hash(turn), number(10**8), some_hash(1))
            liar.say(claim, node.port)
        await trio.sleep(20)
        assert 0 < len(liar.asked) < 5
        assert node.port.reports
        for block in long_line[:200]:
            honest.chain.import_block(block)
        node.port.connect(honest.port)
        await until(lambda: node.chain.best == long_line[199].header)
        assert {peer for peer, _, _ in node.port.reports} == {"liar"}


class SlowLiar(Liar):
    """Claims what it likes, and answers each request late, within the time limit."""

    async def _serve(self, peer: PeerId, payload: bytes) -> bytes | None:
        await trio.sleep(10)
        return await super()._serve(peer, payload)


def far_claim(seed: int, chain: Chain) -> Status:
    """That there is a best block a billion blocks on."""
    return Status(number(10**9 + seed), some_hash(seed), number(0), chain.genesis_hash)


async def test_who_only_claims_a_far_block_holds_up_nobody_from_the_first_second_on(
    autojump_clock: MockClock,
) -> None:
    """At genesis the head is old, and nothing follows it."""
    async with wire() as net:
        node = start(net, "node", open_chain())
        liars = [SlowLiar(net, f"liar {turn}") for turn in range(6)]
        for turn, liar in enumerate(liars):
            node.port.connect(liar.port)
            liar.say(far_claim(turn, node.chain), node.port)
        for _ in range(60):
            assert not node.sync.catching_up
            await trio.sleep(1)
        assert all(liar.asked for liar in liars)


async def test_slow_liars_keep_nobody_from_getting_back(
    long_line: list[Block], autojump_clock: MockClock
) -> None:
    async with wire() as net:
        node, honest = start(net, "node", open_chain()), start(net, "honest", open_chain())
        for turn in range(5):
            liar = SlowLiar(net, f"liar {turn}")
            node.port.connect(liar.port)
            liar.say(far_claim(turn, node.chain), node.port)
        await trio.sleep(12)
        for block in long_line[:300]:
            honest.chain.import_block(block)
        node.port.connect(honest.port)
        await until(lambda: node.chain.best == long_line[299].header, seconds=60)
        assert "honest" not in {peer for peer, _, _ in node.port.reports}
        await trio.sleep(40)
        assert {peer for peer, _, _ in node.port.reports} == {f"liar {turn}" for turn in range(5)}


@pytest.mark.parametrize("behind", [MAX_BLOCKS - 8, 2 * MAX_BLOCKS + 8])
async def test_who_is_behind_authors_on_none_of_the_old_heads_on_its_way(
    behind: int, long_line: list[Block], autojump_clock: MockClock
) -> None:
    """Be it fetched at once or chased."""
    async with wire() as net:
        node, ahead = start(net, "node", open_chain()), start(net, "ahead", open_chain())
        for block in long_line[:behind]:
            ahead.chain.import_block(block)
        held: list[bool] = []
        node.chain.subscribe(lambda event: held.append(node.sync.catching_up))
        node.port.connect(ahead.port)
        await until(lambda: node.chain.best == long_line[behind - 1].header)
        assert len(held) == behind and all(held[1:])
        await trio.sleep(1)
        assert not node.sync.catching_up, "nothing follows this head, old as it is"


class SlowArchive(Liar):
    """Shows the headers of a chain, but takes its time to give blocks."""

    def __init__(self, net: MemoryNetwork, name: str, chain: Chain) -> None:
        super().__init__(net, name)
        self._chain = chain

    async def _serve(self, peer: PeerId, payload: bytes) -> bytes | None:
        self.asked.append(decode(BlockRequest, payload))
        if Fields(self.asked[-1].fields) != Fields.HEADER:
            await trio.sleep(10)
            return encode((), BlockResponse)
        return answer(self._chain, payload)


async def test_a_header_on_our_head_holds_up_authors_before_its_block_is_there(
    long_line: list[Block], autojump_clock: MockClock
) -> None:
    """And if the block never comes, eight slots: however many show the header."""
    archive = open_chain()
    for block in long_line[:3]:
        archive.import_block(block)
    async with wire() as net:
        node = start(net, "node", open_chain())
        for turn in range(20):
            holder = SlowArchive(net, f"holder {turn}", archive)
            node.port.connect(holder.port)
            holder.say(far_claim(turn, node.chain), node.port)
        await trio.sleep(0.5)
        assert node.sync.catching_up
        await trio.sleep(8 * PARAMETERS.slot_duration_s)
        for _ in range(60):
            assert not node.sync.catching_up
            await trio.sleep(1)


async def test_a_slow_source_of_a_block_has_no_monopoly(
    long_line: list[Block], autojump_clock: MockClock
) -> None:
    block = long_line[0]
    async with wire() as net:
        node, honest = start(net, "node", open_chain()), start(net, "honest", open_chain())
        liar = SlowLiar(net)
        node.port.connect(liar.port)
        await trio.sleep(1)
        liar.say(Announce(block.header, True), node.port)
        await trio.sleep(1)
        honest.chain.import_block(block)
        node.port.connect(honest.port)
        await until(lambda: node.chain.best == block.header, seconds=5)


async def test_finality_that_is_only_claimed_keeps_nobody_from_the_proven(
    long_line: list[Block], autojump_clock: MockClock
) -> None:
    async with wire() as net:
        node, honest = start(net, "node", open_chain()), start(net, "honest", open_chain())
        for block in long_line[:40]:
            node.chain.import_block(block)
            honest.chain.import_block(block)
        finalize(honest.chain, long_line[29].header.hash())
        best = long_line[39].header
        for turn in range(3):
            liar = SlowLiar(net, f"liar {turn}")
            node.port.connect(liar.port)
            liar.say(Status(best.number, best.hash(), number(10**9), best.hash()), node.port)
        await trio.sleep(1)
        node.port.connect(honest.port)
        await until(lambda: node.chain.finalized == long_line[29].header, seconds=20)


def whole(block: Block, justification: bytes | None = None) -> BlockData:
    return BlockData(block.header.hash(), block.header, block.extrinsics, justification)


@pytest.mark.parametrize("kind", ["garbage", "unasked", "no body", "wrong body", "silence"])
async def test_a_source_that_does_not_give_what_it_announced_is_passed_over(
    forge: Forge, long_line: list[Block], kind: str, autojump_clock: MockClock
) -> None:
    block, other = long_line[0], forge.block(forge.genesis, b"o1")
    answers: dict[str, list[BlockData] | bytes | None] = {
        "garbage": b"\xff\xff\xff",
        "unasked": [whole(other)],
        "no body": [BlockData(block.header.hash(), block.header, None, None)],
        "wrong body": [BlockData(block.header.hash(), block.header, other.extrinsics, None)],
        "silence": None,
    }
    async with wire() as net:
        node, honest = start(net, "node", open_chain()), start(net, "honest", open_chain())
        liar = Liar(net)
        liar.answer = answers[kind]
        node.port.connect(liar.port)
        await trio.sleep(1)
        liar.say(Announce(block.header, True), node.port)
        await until(lambda: bool(liar.asked))
        honest.chain.import_block(block)
        node.port.connect(honest.port)
        await until(lambda: node.chain.best == block.header)
        assert {peer for peer, _, _ in node.port.reports} == {"liar"}


async def test_a_block_that_somebody_speaks_of_is_sought_without_blame(
    forge: Forge, autojump_clock: MockClock
) -> None:
    """A vote may be for a block of a fork that nobody announces any more."""
    line, first = forge.line(forge.genesis, 3), forge.block(forge.genesis, b"another")
    fork = [first, *forge.line(first.header.hash(), 1)]
    tip = fork[-1].header
    async with wire() as net:
        node, other = start(net, "node", open_chain()), start(net, "other", open_chain())
        holder = start(net, "holder", open_chain())
        for block in line:
            node.chain.import_block(block)
            other.chain.import_block(block)
        for block in (*fork, *line):
            holder.chain.import_block(block)
        node.port.connect(other.port)
        node.port.connect(holder.port)
        await trio.sleep(5)
        assert node.chain.header(tip.hash()) is None
        node.sync.seek(other.port.local_peer, tip.hash(), tip.number)
        await trio.sleep(5)
        assert node.chain.header(tip.hash()) is None, "it has not the block"
        node.sync.seek(holder.port.local_peer, tip.hash(), tip.number)
        await until(lambda: node.chain.header(tip.hash()) == tip)
        assert not node.port.reports


async def test_who_is_first_tells_everybody_and_the_others_a_few(
    forge: Forge, autojump_clock: MockClock
) -> None:
    ours, theirs = forge.line(forge.genesis, 2)
    async with wire() as net:
        node = start(net, "node", open_chain())
        peers = [Liar(net, f"peer {index}") for index in range(16)]
        for peer in peers:
            node.port.connect(peer.port)
        await trio.sleep(1)

        def told(block: Block) -> list[int]:
            news = Announce(block.header, True)
            return [peer.heard.count(news) for peer in peers]

        node.chain.import_block(ours)
        await trio.sleep(1)
        assert told(ours) == [1] * 16
        peers[3].answer = [whole(theirs)]
        peers[3].say(Announce(theirs.header, True), node.port)
        await until(lambda: node.chain.best == theirs.header)
        await trio.sleep(1)
        assert sum(told(theirs)) == 5 and set(told(theirs)) == {0, 1}, "the root of 16, and one"
        assert told(theirs)[3] == 0
        assert not node.port.reports


async def test_a_bad_block_is_executed_once_and_its_bringers_pay(
    forge: Forge, autojump_clock: MockClock
) -> None:
    bad = forge.block(forge.genesis, b"b1", poisoned=True)
    child = forge.block(bad.header.hash(), b"b2")
    async with wire() as net:
        node = start(net, "node", open_chain())
        liar, second = Liar(net), Liar(net, "second")
        liar.answer = [whole(bad)]
        node.port.connect(liar.port)
        node.port.connect(second.port)
        await trio.sleep(1)
        liar.say(Announce(bad.header, True), node.port)
        await until(lambda: node.chain.is_bad(bad.header.hash()))
        second.say(Announce(bad.header, True), node.port)
        second.say(Announce(child.header, True), node.port)
        await until(lambda: len(node.port.reports) >= 3)
        assert [peer for peer, _, _ in node.port.reports] == ["liar", "second", "second"]
        assert second.asked == []
        assert node.chain.best_hash == forge.genesis


async def test_a_bad_justification_makes_nothing_final(
    long_line: list[Block], autojump_clock: MockClock
) -> None:
    async with wire() as net:
        node = start(net, "node", open_chain())
        liar = Liar(net)
        liar.answer = [whole(long_line[0], b"final: trust me")]
        node.port.connect(liar.port)
        await trio.sleep(1)
        liar.say(Announce(long_line[0].header, True), node.port)
        await until(lambda: node.chain.best == long_line[0].header)
        assert node.chain.finalized.number == 0
        assert len(node.port.reports) == 1
        assert "bad justification" in node.port.reports[0][2]


async def test_garbage_is_reported_and_harms_nothing(
    long_line: list[Block], autojump_clock: MockClock
) -> None:
    async with wire() as net:
        node = start(net, "node", open_chain())
        liar = Liar(net)
        node.port.connect(liar.port)
        await trio.sleep(1)
        for payload in (b"", b"\x07", b"\x01" * 40, bytes(1000)):
            liar.say(payload, node.port)
        with pytest.raises(Exception, match="refused"):
            await liar.port.request(node.port.local_peer, SYNC, b"\x00")
        await until(lambda: len(node.port.reports) == 5)
        node.chain.import_block(long_line[0])


async def test_a_status_that_nobody_honest_can_send_costs(
    long_line: list[Block], autojump_clock: MockClock
) -> None:
    """A known block under another number, another final block than ours, a final block above the
    best one. What we do not know, we do not blame."""
    one, two, three, four = hashes(long_line[:4])
    lies = [
        Status(number(4), four, number(3), two),
        Status(number(9), four, number(1), one),
        Status(number(4), four, number(1), three),
        Status(number(4), four, number(2), some_hash(5)),
        Status(number(3), some_hash(3), number(4), some_hash(4)),
    ]
    truths = [
        Status(number(4), four, number(1), one),
        Status(number(0), Forge().genesis, number(0), Forge().genesis),
        Status(number(90), some_hash(90), number(80), some_hash(80)),
        Status(number(4), some_hash(6), number(3), some_hash(7)),
    ]
    async with wire() as net:
        node = start(net, "node", open_chain())
        for block in long_line[:4]:
            node.chain.import_block(block)
        finalize(node.chain, two)
        for index, claim in enumerate([*truths, *lies]):
            peer = Liar(net, f"peer {index}")
            node.port.connect(peer.port)
            await trio.sleep(0.1)
            peer.say(claim, node.port)
        await trio.sleep(0.1)
        liars = [peer for peer, cost, _ in node.port.reports if cost == COST_GARBAGE]
        assert liars == [f"peer {len(truths) + index}" for index in range(len(lies))]


async def test_announcements_without_parents_end_the_peer(
    long_line: list[Block], autojump_clock: MockClock
) -> None:
    """A fork of 128 blocks at once is nobody's fault, nor are four blocks a slot; a flood is."""

    def orphan(seed: int) -> Announce:
        return Announce(replace(long_line[0].header, parent_hash=some_hash(seed)), False)

    async with wire() as net:
        node = start(net, "node", open_chain())
        honest, flooder = Liar(net, "honest"), Liar(net, "flooder")
        for peer in (honest, flooder):
            node.port.connect(peer.port)
        await trio.sleep(1)
        for seed in range(128):
            honest.say(orphan(seed), node.port)
        await trio.sleep(1)
        for seed in range(200, 240):
            honest.say(orphan(seed), node.port)
            await trio.sleep(PARAMETERS.slot_duration_s / 4)
        for seed in range(300, 528):
            flooder.say(orphan(seed), node.port)
        await trio.sleep(1)
        costs = Counter[str]()
        for who, cost, why in node.port.reports:
            costs[who] += cost if why == "announces blocks without parents" else 0
        assert costs["honest"] == 0
        assert costs["flooder"] <= REPUTATION_FLOOR
        node.chain.import_block(long_line[0])
        assert node.chain.best == long_line[0].header


async def test_no_announcement_harms(long_line: list[Block], autojump_clock: MockClock) -> None:
    noise = random.Random(7)
    sample = encode(Announce(long_line[0].header, True), SyncMessage)
    async with wire() as net:
        node, liar = start(net, "node", open_chain()), Liar(net)
        node.port.connect(liar.port)
        await trio.sleep(1)
        for turn in range(400):
            payload = bytearray(sample)
            for _ in range(turn % 5):
                payload[noise.randrange(len(payload))] = noise.randrange(256)
            cut = bytes(payload[: noise.randrange(len(payload) + 1)] if turn % 2 else payload)
            heard = Notification(liar.port.local_peer, ANNOUNCES.name, cut)
            assert node.port.handlers[ANNOUNCES.name](heard) is None
        await trio.sleep(20)
        node.chain.import_block(long_line[0])
        assert node.chain.best == long_line[0].header
        assert node.port.reports


async def test_a_peer_that_leaves_in_the_midst_of_a_fetch_is_forgotten(
    long_line: list[Block], autojump_clock: MockClock
) -> None:
    async with wire() as net:
        node, honest = start(net, "node", open_chain()), start(net, "honest", open_chain())
        for block in long_line[:300]:
            honest.chain.import_block(block)
        node.port.connect(honest.port)
        names = node.port.local_peer, honest.port.local_peer

        def leave(event: ChainEvent) -> None:
            if event.header.number == MAX_BLOCKS + 6:
                net.cut(*names)

        end = node.chain.subscribe(leave)
        await until(lambda: node.chain.best.number > MAX_BLOCKS)
        await trio.sleep(5)
        assert node.chain.best.number < 300
        end()
        node.port.connect(honest.port)
        await trio.sleep(40)
        await until(lambda: node.chain.best == long_line[299].header)


def request(
    start: FromHash | FromNumber, direction: Direction, count: int, fields: Fields
) -> bytes:
    return encode(BlockRequest(U8(fields), start, direction, U32(count)))


def test_answers_are_bounded_and_in_order(long_line: list[Block]) -> None:
    chain = open_chain()
    for block in long_line[:100]:
        chain.import_block(block)
    finalize(chain, long_line[49].header.hash())
    names = hashes(long_line)

    def asked(payload: bytes) -> list[Hash]:
        return [data.hash for data in decode(BlockResponse, answer(chain, payload))]

    up, down, head = Direction.ASCENDING, Direction.DESCENDING, Fields.HEADER
    assert asked(request(FromNumber(number(3)), up, 5, head)) == names[2:7]
    assert asked(request(FromHash(names[9]), down, 4, head)) == names[6:10][::-1]
    assert asked(request(FromHash(names[40]), up, 2**32 - 1, head)) == names[40:100]
    assert len(asked(request(FromNumber(number(1)), up, 2**32 - 1, head))) == MAX_BLOCKS
    assert asked(request(FromNumber(number(101)), up, 5, head)) == []
    assert asked(request(FromHash(some_hash(1)), down, 5, head)) == []
    assert asked(request(FromNumber(number(5)), up, 0, head)) == []
    assert asked(request(FromNumber(number(1)), up, 200, Fields.JUSTIFICATION)) == [names[49]]


def test_what_follows_a_block_of_another_fork_is_not_told(
    forge: Forge, long_line: list[Block]
) -> None:
    """Ascending goes along the best chain: of a block that is not on it, there is the block."""
    chain = open_chain()
    fork = forge.line(long_line[2].header.hash(), 4)
    for block in (*long_line[:10], *fork):
        chain.import_block(block)
    assert chain.best == long_line[9].header
    for at in (0, 3):
        name = fork[at].header.hash()
        payload = request(FromHash(name), Direction.ASCENDING, 3, Fields.HEADER)
        told = decode(BlockResponse, answer(chain, payload))
        assert [data.hash for data in told] == [name]


async def test_whoever_asks_without_end_pays(
    long_line: list[Block], autojump_clock: MockClock
) -> None:
    """A hundred full answers are asked for at once: some are given, then the asking costs."""
    async with wire() as net:
        node, greedy = start(net, "node", open_chain()), Liar(net, "greedy")
        for block in long_line[:100]:
            node.chain.import_block(block)
        node.port.connect(greedy.port)
        await trio.sleep(1)
        payload = request(FromNumber(number(1)), Direction.ASCENDING, 64, WHOLE)
        given = 0
        for _ in range(100):
            with suppress(RequestFailed):
                await greedy.port.request(node.port.local_peer, SYNC, payload)
                given += 1
        assert 60 <= given <= 75, "4,096 blocks, and 500 more for each second"
        assert len(node.port.reports) == 100 - given
        await trio.sleep(10)
        await greedy.port.request(node.port.local_peer, SYNC, payload)


def fat(block: Block, size: int) -> Header:
    """The block's header with another item, so that it has that many bytes."""
    room = size - len(encode(block.header))
    for data in range(room, room - 16, -1):
        digest = (PreRuntime(b"mine", bytes(data)), *block.header.digest)
        header = replace(block.header, digest=digest)
        if len(encode(header)) == size:
            return header
    raise AssertionError("no item has this size")


def test_the_largest_header_that_import_lets_in_can_be_announced(long_line: list[Block]) -> None:
    largest = fat(long_line[0], 128 * 1024)
    announcement = encode(Announce(largest, True), SyncMessage)
    assert len(announcement) <= ANNOUNCES.max_size
    with pytest.raises(HeaderTooLong) as refusal:
        open_chain().import_block(Block(fat(long_line[0], 128 * 1024 + 1), ()))
    assert (refusal.value.size, refusal.value.limit) == (128 * 1024 + 1, 128 * 1024)
    with pytest.raises(InvalidBlock) as other:
        open_chain().import_block(Block(largest, ()))
    assert not isinstance(other.value, HeaderTooLong)


class Store:
    """What ``answer`` asks of a chain: a line of blocks that are all the same size."""

    def __init__(self, header: Header, body: tuple[Extrinsic, ...], proof: bytes | None) -> None:
        self.best = replace(header, number=number(1000))
        self._parts = header, body, proof
        self.proofs_looked_up = 0

    def hash_of(self, number: BlockNumber) -> Hash:
        return some_hash(number)

    def number(self, hash: Hash) -> BlockNumber:
        return number(int.from_bytes(hash, "big"))

    def ancestors(self, hash: Hash, count: int) -> list[Hash]:
        return [some_hash(self.number(hash) - back) for back in range(1, count + 1)]

    def header(self, hash: Hash) -> Header:
        return self._parts[0]

    def encoded_body(self, hash: Hash) -> bytes:
        return encode(self._parts[1], tuple[Extrinsic, ...])

    def justification(self, hash: Hash) -> bytes | None:
        self.proofs_looked_up += 1
        return self._parts[2]


@pytest.mark.parametrize("body", [0, 1 * 1024 * 1024, 16 * 1024 * 1024])
def test_the_largest_blocks_can_be_sent(long_line: list[Block], body: int) -> None:
    """Of largest headers and proofs, with bodies of several sizes: answers are cut so that they
    may be sent, and each goes on by a block at least."""
    extrinsics = (Extrinsic(bytes(body // 1024)),) * 1024
    store = Store(fat(long_line[0], 128 * 1024), extrinsics, bytes(1024 * 1024))
    for asked in (Fields.HEADER, WHOLE):
        payload = request(FromNumber(number(1)), Direction.ASCENDING, 64, asked)
        raw = answer(store, payload)  # type: ignore[arg-type]
        assert len(raw) <= SYNC.max_response
        assert len(decode(BlockResponse, raw)) >= 1


def test_a_proof_above_the_limit_is_left_out(long_line: list[Block]) -> None:
    """A database may hold one from before there was a limit."""
    store = Store(long_line[0].header, (), bytes(1024 * 1024 + 1))
    payload = request(FromNumber(number(1)), Direction.ASCENDING, 1, WHOLE)
    [data] = decode(BlockResponse, answer(store, payload))  # type: ignore[arg-type]
    assert data.header is not None and data.justification is None


def test_who_asks_for_proofs_makes_us_look_through_so_many_blocks(long_line: list[Block]) -> None:
    """Of a chain that has none, where every block would be looked at."""
    store = Store(long_line[0].header, (), None)
    everything = 2**32 - 1
    payload = request(FromNumber(number(1)), Direction.ASCENDING, everything, Fields.JUSTIFICATION)
    assert decode(BlockResponse, answer(store, payload)) == ()  # type: ignore[arg-type]
    assert store.proofs_looked_up == 512


def test_so_many_blocks_of_a_peer_are_remembered() -> None:
    peer = Peer(PeerId("peer"), ManualClock(), 6.0)
    for seed in range(1025):
        peer.note_known(some_hash(seed))
    assert [peer.knows(some_hash(seed)) for seed in (0, 1, 1024)] == [False, True, True]


def test_an_answer_holds_what_the_chain_has(long_line: list[Block]) -> None:
    chain = open_chain()
    line = long_line[:5]
    for block in line:
        chain.import_block(block)
    chain.finalize(line[1].header.hash(), b"proof")
    for fields in (WHOLE, Fields.HEADER, Fields.BODY, Fields.HEADER | Fields.JUSTIFICATION):
        payload = request(FromNumber(number(1)), Direction.ASCENDING, 64, fields)
        expected = tuple(
            BlockData(
                block.header.hash(),
                block.header if fields & Fields.HEADER else None,
                block.extrinsics if fields & Fields.BODY else None,
                b"proof" if fields & Fields.JUSTIFICATION and at == 1 else None,
            )
            for at, block in enumerate(line)
        )
        assert decode(BlockResponse, answer(chain, payload)) == expected


@given(st.binary(max_size=80))
def test_no_request_harms_the_server(payload: bytes) -> None:
    chain = open_chain()
    with suppress(ScaleDecodeError):
        decode(BlockResponse, answer(chain, payload))
