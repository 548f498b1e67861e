"""Availability Distribution among several nodes (A89-A93)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from parahost import erasure
from parahost.node.availability.chunk_gossip import (
    ChunkGossip,
    LiveCandidate,
    judge,
)
from parahost.node.availability.chunk_request import COST_BAD_PROOF, ChunkRequest
from parahost.node.availability.distribution import (
    PULL_AFTER_S,
    PULL_EVERY_S,
    AvailabilityDistribution,
)
from parahost.node.availability.pending import PendingCandidate
from parahost.node.gossip import COST_NOT_IN_VIEW, Acceptance
from parahost.node.messages.availability import (
    AvailabilityNetwork,
    QueryChunk,
    TakeChunks,
)
from parahost.node.messages.base import Message
from parahost.node.messages.network import (
    OurViewChange,
    PeerMessage,
    ReportPeer,
    ResolveValidators,
    View,
)
from parahost.node.messages.utility import BlockHeader, RuntimeApiRequest
from parahost.node.protocols import AVAILABILITY_DISTRIBUTION
from parahost.node.utility.network_bridge import (
    ProtocolMessage,
    WireMessage,
)
from parahost.ports.network import RequestHandler
from parahost.primitives.availability import ErasureChunk
from parahost.primitives.basic import (
    H256,
    U8,
    U32,
    ZERO_HASH,
    BlockNumber,
    CandidateHash,
    ChunkIndex,
    Hash,
    PeerId,
    ValidatorIndex,
)
from parahost.primitives.header import Header
from parahost.primitives.scale import encode
from tests.node.availability.net import VALIDATORS, chunks_of, net, peer, relay_chain, wrong
from tests.node.availability.world import RelayChain, hash_of, key_store
from tests.node.backing.world import Silent, on_stage
from tests.runtime.parachains.world import validator_ids


def backers_of(chain: RelayChain, para: int) -> tuple[int, ...]:
    world = chain.world
    group = world.assignment(para).group_idx
    return tuple(world.host.scheduler.validator_groups.get(world.state)[group])


@pytest.mark.guide("A89", "A92", "A93")
async def test_every_validator_gets_its_chunk(autojump_clock: MockClock) -> None:
    chain = relay_chain()
    backers = backers_of(chain, 100)
    candidate, data = chain.candidate(100)
    block = chain.add(backed=[candidate])
    async with net(chain) as made:
        for index in backers:
            await made.nodes[index].store(candidate, data)
        made.import_(block)
        await trio.sleep(0.5)
        assert await made.lacking(candidate) == []
        assert made.costs() == []
        # Its own chunk, and no other.
        other = next(i for i in range(VALIDATORS) if i not in backers)
        held = [i for i in range(VALIDATORS) if await made.nodes[other].chunk(candidate, i)]
        assert held == [other]


async def test_backers_do_not_send_the_same_chunks(autojump_clock: MockClock) -> None:
    chain = relay_chain()
    backers = backers_of(chain, 100)
    assert len(backers) == 3
    candidate, data = chain.candidate(100, bytes(100_000))
    block = chain.add(backed=[candidate])
    async with net(chain) as made:
        for index in backers:
            await made.nodes[index].store(candidate, data)
        made.import_(block)
        await trio.sleep(5)
        assert await made.lacking(candidate) == []
        chunk = len(chunks_of(data)[0].chunk)
        # At most one chunk for each validator, and small talk.
        assert sum(made.network.sent_bytes.values()) < VALIDATORS * chunk + 20_000


@pytest.mark.guide("A92")
async def test_one_backer_is_enough(autojump_clock: MockClock) -> None:
    chain = relay_chain()
    candidate, data = chain.candidate(100)
    block = chain.add(backed=[candidate])
    async with net(chain) as made:
        await made.nodes[backers_of_block(chain, block)].store(candidate, data)
        made.import_(block)
        await trio.sleep(0.5)
        assert await made.lacking(candidate) == []


def backers_of_block(chain: RelayChain, block: Header) -> int:
    """One validator that may have backed something in that block."""
    groups = chain.world.host.scheduler.validator_groups.get(chain.states[block.hash()])
    return int(groups[0][0])


@pytest.mark.guide("A91")
async def test_chunks_wait_until_the_peer_works_on_them(autojump_clock: MockClock) -> None:
    """Nothing is sent for what is not live in the peer's view; its view change brings it."""
    chain = relay_chain()
    candidate, data = chain.candidate(100)
    backing = chain.add(backed=[candidate])
    later = chain.add()
    async with net(chain) as made:
        source, late = made.nodes[0], made.nodes[1]
        await source.store(candidate, data)
        for node in made.nodes:
            if node is not late:
                node.import_(backing)
        await trio.sleep(3)
        assert await made.lacking(candidate) == [late.index]
        assert made.costs() == []
        late.import_(backing)
        await trio.sleep(0.5)
        assert await made.lacking(candidate) == []
        assert late.port.requests == []  # it was sent, not asked for
        made.import_(later)
        await trio.sleep(0.5)
        assert made.costs() == []


@pytest.mark.guide("A89")
async def test_candidates_are_live_for_three_more_blocks(autojump_clock: MockClock) -> None:
    """A validator that starts late asks for chunks of the head's last ancestors, no older ones."""
    chain = relay_chain()
    candidate, data = chain.candidate(100)
    blocks = [chain.add(backed=[candidate]), chain.add(vote=True)]
    blocks += [chain.add() for _ in range(3)]
    # Pending in the state of blocks[0]; so live for heads up to blocks[3].
    for head, expected in ((3, True), (4, False)):
        async with net(chain, count=VALIDATORS) as made:
            await made.nodes[0].store(candidate, data)
            made.import_(blocks[head])
            await trio.sleep(3)
            assert await made.nodes[1].chunk(candidate) is expected


async def test_a_chunk_is_relayed_to_whom_its_holder_cannot_reach(
    autojump_clock: MockClock,
) -> None:
    """A line of nodes; validator 2 is two hops from the only backer."""
    chain = relay_chain()
    candidate, data = chain.candidate(100)
    block = chain.add(backed=[candidate])
    async with net(chain, [(0, 1), (1, 2), (2, 3)]) as made:
        await made.nodes[0].store(candidate, data)
        made.import_(block)
        await trio.sleep(0.9)
        assert await made.nodes[2].chunk(candidate)
        assert await made.nodes[3].chunk(candidate)
        assert made.costs() == []


@pytest.mark.parametrize(("hops", "arrives"), [(1, False), (2, True)])
async def test_a_chunk_travels_over_no_more_peers_than_it_may(
    autojump_clock: MockClock, hops: int, arrives: bool
) -> None:
    """A line of a backer, three others and the chunk's validator. The backer lets it go over
    ``hops`` peers that do not know that validator."""
    chain = relay_chain()
    source, target = backers_of(chain, 100)[:2]
    first, second, third = (i for i in range(VALIDATORS) if i not in backers_of(chain, 100))
    candidate, data = chain.candidate(100)
    block = chain.add(backed=[candidate])
    line = [(source, first), (first, second), (second, third), (third, target)]
    async with net(chain, line) as made:
        made.import_(block)
        await trio.sleep(0.1)
        sent = gossip(ChunkGossip(hash_of(candidate), chunks_of(data)[target], U8(hops)))
        made.network.post(peer(source), peer(first), "validation", sent)
        await trio.sleep(PULL_AFTER_S - 0.2)
        assert await made.nodes[target].chunk(candidate) is arrives


@pytest.mark.guide("A89")
async def test_what_is_live_no_more_is_forgotten_and_costs_nobody(
    autojump_clock: MockClock,
) -> None:
    """Its chunks were held in memory to be handed out; one that is still under way is no fault."""
    chain = relay_chain()
    backers = backers_of(chain, 100)
    candidate, data = chain.candidate(100)
    blocks = [chain.add(backed=[candidate]), chain.add(vote=True)]
    blocks += [chain.add() for _ in range(3)]
    other = next(i for i in range(VALIDATORS) if i not in backers)
    async with net(chain) as made:
        backer = made.nodes[backers[0]]
        await backer.store(candidate, data)
        answer = backer.port.answerers["req_chunk"]
        request = encode(ChunkRequest(hash_of(candidate), ChunkIndex(U32(other))))
        for block in blocks[:4]:
            made.import_(block)
            await trio.sleep(0.1)
            assert await answer(peer(other), request) is not None
        made.import_(blocks[4])
        await trio.sleep(0.1)
        assert await answer(peer(other), request) is None
        late = gossip(ChunkGossip(hash_of(candidate), chunks_of(data)[other], U8(0)))
        made.network.post(peer(backers[0]), peer(other), "validation", late)
        await trio.sleep(0.1)
        assert made.costs() == []


async def test_a_validator_asks_for_the_chunk_that_does_not_come(autojump_clock: MockClock) -> None:
    chain = relay_chain()
    backers = backers_of(chain, 100)
    candidate, data = chain.candidate(100)
    block = chain.add(backed=[candidate])
    victim = next(i for i in range(VALIDATORS) if i not in backers)
    async with net(chain) as made:
        lost: list[tuple[PeerId, PeerId]] = []

        def lose(source: PeerId, target: PeerId) -> bool:
            if trio.current_time() - started < PULL_AFTER_S - 0.1 and target == peer(victim):
                lost.append((source, target))
                return False
            return True

        started = trio.current_time()
        made.network.allow = lose
        for index in backers:
            await made.nodes[index].store(candidate, data)
        made.import_(block)
        await trio.sleep(PULL_AFTER_S - 0.1)
        assert await made.lacking(candidate) == [victim]
        assert lost
        await trio.sleep(0.2)
        assert await made.lacking(candidate) == []
        asked = made.nodes[victim].port.requests
        assert {source for source, _ in asked} == set(map(peer, backers))
        assert [protocol for _, protocol in asked] == ["req_chunk"] * 3


async def test_silent_backers_hold_nobody_up(autojump_clock: MockClock) -> None:
    """Two of three backers send nothing and do not answer."""
    chain = relay_chain()
    *silent, honest = backers_of(chain, 100)
    candidate, data = chain.candidate(100)
    block = chain.add(backed=[candidate])
    async with net(chain) as made:

        async def hang(source: PeerId, payload: bytes) -> bytes | None:
            await trio.sleep(100)
            return None

        for index in silent:
            made.nodes[index].port.answerers["req_chunk"] = hang
        made.network.allow = lambda source, target: source not in map(peer, silent)
        await made.nodes[honest].store(candidate, data)
        made.import_(block)
        await trio.sleep(PULL_AFTER_S + 0.1)
        assert await made.lacking(candidate) == sorted(silent)


async def test_a_chunk_of_another_index_is_refused(autojump_clock: MockClock) -> None:
    """Its proof is right, but it is not what was asked for."""
    chain = relay_chain()
    backers = backers_of(chain, 100)
    candidate, data = chain.candidate(100)
    block = chain.add(backed=[candidate])
    victim = next(i for i in range(VALIDATORS) if i not in backers)
    other = chunks_of(data)[(victim + 1) % VALIDATORS]
    async with net(chain) as made:

        async def answer(source: PeerId, payload: bytes) -> bytes | None:
            return encode(other)

        for node in made.nodes:
            node.port.answerers["req_chunk"] = answer
        made.import_(block)
        await trio.sleep(PULL_AFTER_S + 0.1)
        assert not await made.nodes[victim].chunk(candidate)
        assert not await made.nodes[victim].chunk(candidate, other.index)
        costs = made.nodes[victim].port.costs()
        assert len(costs) == VALIDATORS - 1
        assert {cost for _, cost, _ in costs} == {COST_BAD_PROOF.value}


async def test_a_borrowed_peer_id_hides_nobodys_chunk(autojump_clock: MockClock) -> None:
    """The record of a validator names another's peer. That one gets its own chunk, at once."""
    chain = relay_chain()
    backers = backers_of(chain, 100)
    victim, liar = [i for i in range(VALIDATORS) if i not in backers][:2]
    candidate, data = chain.candidate(100)
    block = chain.add(backed=[candidate])
    async with net(chain) as made:
        made.directory[validator_ids(VALIDATORS)[liar]] = peer(victim)
        for index in backers:
            await made.nodes[index].store(candidate, data)
        made.import_(block)
        await trio.sleep(0.1)
        assert await made.nodes[victim].chunk(candidate)
        assert made.nodes[victim].port.requests == []
        assert made.costs() == []


async def test_it_asks_the_backers_first_and_asks_again(autojump_clock: MockClock) -> None:
    """Backers that hold back and refuse, until they do not; nobody else has the chunk."""
    chain = relay_chain()
    backers = backers_of(chain, 100)
    candidate, data = chain.candidate(100)
    block = chain.add(backed=[candidate])
    victim = next(i for i in range(VALIDATORS) if i not in backers)
    async with net(chain) as made:
        started = trio.current_time()
        asked: list[tuple[float, PeerId]] = []
        honest = {node.index: node.port.answerers["req_chunk"] for node in made.nodes}

        def refusing(index: int) -> RequestHandler:
            async def answer(source: PeerId, payload: bytes) -> bytes | None:
                if source == peer(victim):
                    asked.append((trio.current_time() - started, peer(index)))
                    if trio.current_time() - started < PULL_AFTER_S + PULL_EVERY_S - 0.1:
                        return None
                return await honest[index](source, payload)

            return answer

        for node in made.nodes:
            node.port.answerers["req_chunk"] = refusing(node.index)
        made.network.allow = lambda source, target: peer(victim) != target
        for index in backers:
            await made.nodes[index].store(candidate, data)
        made.import_(block)
        await trio.sleep(PULL_AFTER_S + PULL_EVERY_S - 0.1)
        assert await made.lacking(candidate) == [victim]
        assert all(at == pytest.approx(PULL_AFTER_S) for at, _ in asked)
        first = [of for _, of in asked]
        assert set(first[: len(backers)]) == set(map(peer, backers))
        assert len(first) == len(set(first)) == VALIDATORS - 1, "then others, who may relay it"
        await trio.sleep(0.2)
        assert await made.lacking(candidate) == []
        again = len(asked)
        assert again == len(first) + 3, "three at a time"
        await trio.sleep(3 * PULL_EVERY_S)
        assert len(asked) == again


async def test_records_of_validators_may_come_late(autojump_clock: MockClock) -> None:
    chain = relay_chain()
    candidate, data = chain.candidate(100)
    block, later = chain.add(backed=[candidate]), chain.add()
    async with net(chain, [(0, i) for i in range(1, VALIDATORS)]) as made:
        known = dict(made.directory)
        made.directory.clear()
        await made.nodes[0].store(candidate, data)
        made.import_(block)
        await trio.sleep(0.1)
        made.directory.update(known)
        made.import_(later)
        await trio.sleep(0.5)
        assert await made.lacking(candidate) == []


# What comes from peers


def gossip(message: ChunkGossip) -> bytes:
    return encode(ProtocolMessage(AVAILABILITY_DISTRIBUTION, encode(message)), WireMessage)


@pytest.mark.guide("A90", "A91")
@pytest.mark.usefixtures("each_gain_is_reported")
async def test_wrong_and_unwanted_chunks_are_refused_and_cost(autojump_clock: MockClock) -> None:
    chain = relay_chain()
    candidate, data = chain.candidate(100)
    stranger, strange = chain.candidate(101)
    block = chain.add(backed=[candidate])
    good = chunks_of(data)[0]
    async with net(chain, [(0, 1)]) as made:
        made.import_(block)
        await trio.sleep(0.1)
        receiver = made.nodes[0]

        def send(payload: bytes) -> None:
            made.network.post(peer(1), peer(0), "validation", payload)

        no_hops = U8(0)
        send(gossip(ChunkGossip(hash_of(candidate), wrong(good), no_hops)))
        send(gossip(ChunkGossip(hash_of(stranger), chunks_of(strange)[0], no_hops)))
        send(encode(ProtocolMessage(AVAILABILITY_DISTRIBUTION, b"\x07"), WireMessage))
        await trio.sleep(0.1)
        assert not await receiver.chunk(candidate)
        assert not await receiver.chunk(stranger)
        assert [cost for _, cost, _ in receiver.port.costs()] == [
            COST_BAD_PROOF.value,
            COST_NOT_IN_VIEW.value,
            -100,
        ]
        receiver.port.reports.clear()
        for _ in range(2):
            send(gossip(ChunkGossip(hash_of(candidate), good, no_hops)))
        await trio.sleep(0.1)
        assert await receiver.chunk(candidate)
        assert [cost for _, cost, _ in receiver.port.reports] == [1, -1]


PENDING_DATA = b"available data " * 100
PENDING_CHUNKS = erasure.encode(PENDING_DATA, VALIDATORS)
PENDING_ROOT, PENDING_PROOFS = erasure.root_and_proofs(PENDING_CHUNKS)


def live(own: int | None = 1) -> LiveCandidate:
    pending = PendingCandidate(
        bytes(32),  # type: ignore[arg-type]
        PENDING_ROOT,
        validator_ids(VALIDATORS),
        (ValidatorIndex(U32(4)), ValidatorIndex(U32(1))),
    )
    return LiveCandidate.of(pending, None if own is None else ChunkIndex(U32(own)))


@pytest.mark.guide("A90")
@given(
    st.lists(
        st.tuples(
            st.sampled_from("abc"),
            st.integers(0, VALIDATORS + 1),
            st.integers(0, VALIDATORS - 1),
            st.integers(0, VALIDATORS - 1),
        ),
        max_size=30,
    )
)
def test_a_chunk_is_accepted_once_and_only_with_its_proof(
    arrivals: list[tuple[str, int, int, int]],
) -> None:
    candidate = live()
    accepted: dict[int, None] = {}
    sent: dict[tuple[str, int], None] = {}
    for name, index, chunk, proof in arrivals:
        message = ErasureChunk(PENDING_CHUNKS[chunk], ChunkIndex(U32(index)), PENDING_PROOFS[proof])
        verdict = judge(candidate, PeerId(name), message)
        right = index == chunk == proof
        if verdict.acceptance is Acceptance.ACCEPT:
            assert right and index not in accepted
            accepted[index] = None
            candidate.hold(message, 0)
        elif verdict.acceptance is Acceptance.REJECT:
            assert not right
            assert verdict.change is not None and verdict.change.value <= -50
        else:
            assert index in accepted
            assert (verdict.change is not None) == ((name, index) in sent)
        if verdict.acceptance is not Acceptance.REJECT:
            candidate.peer_sent(PeerId(name), message.index)
            sent[name, index] = None


def test_each_backer_sends_a_share_and_others_what_they_have() -> None:
    """Validators 4 and 1 back, in that order."""
    shares: dict[int, list[int]] = {}
    for own in (4, 1, 0):
        holder = live(own)
        for index in range(VALIDATORS):
            number = ChunkIndex(U32(index))
            assert not holder.may_send(number), "it has not got it yet"
            holder.hold(ErasureChunk(PENDING_CHUNKS[index], number, PENDING_PROOFS[index]), 2)
        shares[own] = [i for i in range(VALIDATORS) if holder.may_send(ChunkIndex(U32(i)))]
    assert shares == {4: [0, 2], 1: [3, 5], 0: list(range(VALIDATORS))}
    assert (live(4).place, live(1).place, live(0).place, live(None).place) == (0, 1, None, None)


def test_nobody_decides_how_far_a_chunk_travels_but_we() -> None:
    holder = live()
    for index, (said, allowed) in enumerate([(0, 0), (1, 1), (2, 2), (3, 2), (255, 2)]):
        chunk = ErasureChunk(PENDING_CHUNKS[index], ChunkIndex(U32(index)), PENDING_PROOFS[index])
        holder.hold(chunk, said)
        assert holder.hops[chunk.index] == allowed


# Bounds


def head(number: int) -> Hash:
    return Hash(H256(number.to_bytes(32, "big")))


GENESIS = Header(ZERO_HASH, BlockNumber(U32(0)), ZERO_HASH, ZERO_HASH)
"""Nothing is below it."""


def works_on(number: int) -> AvailabilityNetwork:
    return AvailabilityNetwork(OurViewChange(View((head(number),))))


async def test_only_the_latest_heads_are_remembered() -> None:
    subsystem = AvailabilityDistribution(key_store(0))
    nothing_is_live: dict[type[Message], Any] = {
        RuntimeApiRequest: lambda call: {},
        BlockHeader: lambda request: GENESIS,
    }
    async with on_stage(subsystem, answers=nothing_is_live) as stage:
        for number in range(300):
            await stage.say(works_on(number))
        assert list(subsystem._leaves) == [head(number) for number in range(300 - 256, 300)]
        assert len(subsystem._lookup._known) == 256


async def test_chunks_wait_for_our_view_within_a_size() -> None:
    """One of 1 MiB after the other, while it is being looked up what is live: 64 MiB may wait."""

    def hold(request: BlockHeader) -> Any:
        raise Silent

    subsystem = AvailabilityDistribution(key_store(0))
    chunk = ErasureChunk(bytes(1024 * 1024), ChunkIndex(U32(0)), ())
    async with on_stage(subsystem, answers={BlockHeader: hold}) as stage:
        await stage.say(works_on(1))
        for number in range(70):
            message = ChunkGossip(CandidateHash(head(number)), chunk, U8(0))
            event = PeerMessage(peer(1), encode(message))
            await stage.say(AvailabilityNetwork(event))
        assert len(subsystem._waiting) == 64
        assert stage.heard(ReportPeer) == []


async def test_so_many_candidates_that_were_live_are_remembered() -> None:
    subsystem = AvailabilityDistribution(key_store(0))
    candidates = [
        replace(live().pending, hash=CandidateHash(head(number))) for number in range(300)
    ]
    found = iter(candidates)

    def one_is_live(call: RuntimeApiRequest[Any]) -> Any:
        pending = next(found)
        return {pending.hash: pending}

    answers: dict[type[Message], Any] = {
        RuntimeApiRequest: one_is_live,
        BlockHeader: lambda request: GENESIS,
        ResolveValidators: lambda request: {},
        QueryChunk: lambda request: None,
        TakeChunks: lambda request: None,
    }
    async with on_stage(subsystem, answers=answers) as stage:
        for number in range(300):
            await stage.say(works_on(number))
        assert list(subsystem._live) == [candidates[299].hash]
        assert list(subsystem._past) == [each.hash for each in candidates[43:299]]
