"""Availability Recovery: the data of a candidate, from its backers and from chunks (D22)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from parahost import erasure
from parahost.node.availability import recovery
from parahost.node.availability.chunk_request import COST_BAD_PROOF
from parahost.node.availability.data_request import COST_WRONG_DATA, root_of
from parahost.node.availability.recovery import FROM_BACKERS_S, SPARE
from parahost.node.gossip import COST_MALFORMED
from parahost.node.messages.availability import (
    QueryChunk,
    RecoveryFailure,
    StoreAvailableData,
    Stored,
)
from parahost.node.protocols import CHUNK_REQUEST
from parahost.primitives.availability import ErasureChunk
from parahost.primitives.basic import (
    U32,
    ChunkIndex,
    PeerId,
)
from parahost.primitives.candidates import AvailableData, PoV
from parahost.primitives.scale import encode
from parahost.primitives.statements import BackedCandidate
from tests.node.availability.net import VALIDATORS, Net, chunks_of, net, peer, relay_chain, wrong
from tests.node.availability.world import hash_of
from tests.runtime.parachains.world import validator_ids

OTHERS = range(5)
"""All but the one who seeks."""


@asynccontextmanager
async def data_at(*holders: int) -> AsyncIterator[tuple[Net, BackedCandidate, AvailableData]]:
    """A network in which these have all the data of a candidate, and their own chunks."""
    chain = relay_chain()
    candidate, data = chain.candidate(100)
    async with net(chain) as made:
        for index in holders:
            await made.nodes[index].store(candidate, data)
        yield made, candidate, data


# One's own chunk


@pytest.mark.guide("A60")
@pytest.mark.parametrize("backers", [(0,), ()])
async def test_ones_own_chunk_is_made_of_the_data_that_others_have(
    backers: tuple[int, ...], autojump_clock: MockClock
) -> None:
    """Of a backer's, or of what a third of the chunks give."""
    async with data_at(0, 1) as (made, candidate, data):
        assert await made.nodes[5].obtain(candidate, backers)
        wanted = QueryChunk(hash_of(candidate), ChunkIndex(U32(5)))
        assert await made.nodes[5].overseer.ask(wanted) == chunks_of(data)[5]
        asked = len(made.nodes[5].port.requests)
        assert await made.nodes[5].obtain(candidate), "it is there"
        assert len(made.nodes[5].port.requests) == asked


async def test_a_chunk_of_what_nobody_has_is_looked_for_once_and_not_for_long(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everybody is asked at most once, and those who keep silent hold nobody for longer."""
    async with data_at() as (made, candidate, _):
        seeking = made.nodes[5]
        assert not await seeking.obtain(candidate)
        assert len(seeking.port.requests) == len(set(seeking.port.requests)) == VALIDATORS

        async def keep_silent(source: PeerId, payload: bytes) -> bytes | None:
            await trio.sleep_forever()
            raise AssertionError

        for node in made.nodes[:5]:
            node.port.answerers["req_chunk"] = keep_silent
        monkeypatch.setattr(recovery, "OBTAIN_S", 1.0)
        began = trio.current_time()
        assert not await seeking.obtain(candidate)
        assert trio.current_time() - began == pytest.approx(1.0)
        assert not await seeking.chunk(candidate)


# From the backers


async def test_a_backer_gives_all_of_the_data(autojump_clock: MockClock) -> None:
    async with data_at(2) as (made, candidate, data):
        assert await made.nodes[5].recover(candidate, backers=(2,)) == data
        assert made.nodes[5].port.requests == [(peer(2), "req_available_data")]


async def test_one_backer_is_asked_after_the_other(autojump_clock: MockClock) -> None:
    """Who lacks the data says so at once."""
    async with data_at(2) as (made, candidate, data):
        for _ in range(4):
            assert await made.nodes[5].recover(candidate, backers=(0, 1, 2)) == data
        asked = made.nodes[5].port.requests
        assert {protocol for _, protocol in asked} == {"req_available_data"}
        assert asked.count((peer(2), "req_available_data")) == 4
        assert len(asked) > 4  # the order is drawn


async def test_a_silent_group_does_not_hold_up_its_candidates_check(
    autojump_clock: MockClock,
) -> None:
    async with data_at(*OTHERS) as (made, candidate, data):

        async def keep_silent(source: PeerId, payload: bytes) -> bytes | None:
            await trio.sleep_forever()
            raise AssertionError

        for index in (0, 1, 2):
            made.nodes[index].port.answerers["req_available_data"] = keep_silent
        began = trio.current_time()
        assert await made.nodes[5].recover(candidate, backers=(0, 1, 2)) == data
        assert trio.current_time() - began == pytest.approx(FROM_BACKERS_S)


async def test_wrong_data_cost_their_giver_and_are_no_verdict(autojump_clock: MockClock) -> None:
    """Others' chunks show what the root is of."""
    async with data_at(*OTHERS) as (made, candidate, data):

        def give(answer: bytes) -> None:
            async def lie(source: PeerId, payload: bytes) -> bytes | None:
                return answer

            made.nodes[0].port.answerers["req_available_data"] = lie

        recovering = made.nodes[5]
        for answer, cost in (
            (encode(replace(data, pov=PoV(b"another"))), COST_WRONG_DATA),
            (b"no data at all", COST_MALFORMED),
        ):
            give(answer)
            assert await recovering.recover(candidate, backers=(0,)) == data
            assert recovering.port.costs()[-1] == (peer(0), cost.value, cost.reason)


async def test_backers_that_the_session_has_not_are_nobody(autojump_clock: MockClock) -> None:
    async with data_at(*OTHERS) as (made, candidate, data):
        assert await made.nodes[5].recover(candidate, backers=(VALIDATORS,)) == data
        protocols = {protocol for _, protocol in made.nodes[5].port.requests}
        assert protocols == {"req_chunk"}


async def test_who_asks_in_another_form_pays(autojump_clock: MockClock) -> None:
    async with net(relay_chain()) as made:
        answer = made.nodes[0].port.answerers["req_available_data"]
        assert await answer(peer(5), b"too short") is None
        assert made.nodes[0].port.costs() == [
            (peer(5), COST_MALFORMED.value, COST_MALFORMED.reason)
        ]


# From chunks


async def test_so_many_chunks_are_asked_for_as_are_needed(autojump_clock: MockClock) -> None:
    async with data_at(*OTHERS) as (made, candidate, data):
        assert await made.nodes[5].recover(candidate) == data
        assert len(made.nodes[5].port.requests) <= erasure.threshold(VALIDATORS) + SPARE


async def test_data_are_recovered_from_a_third_of_the_chunks(autojump_clock: MockClock) -> None:
    async with data_at(0) as (made, candidate, data):
        block = made.chain.add(backed=[candidate])
        made.import_(block)
        await trio.sleep(0.5)
        silent = [peer(0), peer(1), peer(2), peer(3)]
        made.network.allow = lambda source, target: target not in silent
        # Its own and one other chunk are there: f + 1 = 2 of 6.
        assert await made.nodes[5].recover(candidate) == data
        assert await made.nodes[0].recover(candidate) == data  # has them itself
        assert made.nodes[0].port.requests == []


async def test_silent_holders_hold_up_no_recovery(autojump_clock: MockClock) -> None:
    """All but one of the others take the question and answer nothing."""
    async with data_at() as (made, candidate, data):
        for index in (3, 5):
            await made.nodes[index].store_chunk(candidate, chunks_of(data)[index])
        made.network.allow = lambda source, target: target == peer(3)
        began = trio.current_time()
        assert await made.nodes[5].recover(candidate) == data
        assert trio.current_time() - began <= 2 * CHUNK_REQUEST.timeout_s


@pytest.mark.parametrize("protocol", ["req_chunk", "req_available_data"])
async def test_who_could_not_give_it_at_first_is_asked_again(
    protocol: str, autojump_clock: MockClock
) -> None:
    """It may be busy, or not have it yet; nobody else has it."""
    async with data_at(2) as (made, candidate, data):
        for index in (5,) if protocol == "req_chunk" else ():
            await made.nodes[index].store_chunk(candidate, chunks_of(data)[index])
        asked, answerers = 0, made.nodes[2].port.answerers
        answer = answerers[protocol]

        async def refuse_once(source: PeerId, payload: bytes) -> bytes | None:
            nonlocal asked
            asked += 1
            return None if asked == 1 else await answer(source, payload)

        answerers[protocol] = refuse_once
        if protocol == "req_chunk":
            made.network.allow = lambda source, target: target == peer(2)
        backers = () if protocol == "req_chunk" else (2,)
        assert await made.nodes[5].recover(candidate, backers=backers) == data
        assert asked == 2


async def test_data_of_too_few_chunks_are_unavailable_until_there_are_more(
    autojump_clock: MockClock,
) -> None:
    async with data_at() as (made, candidate, data):
        assert await made.nodes[5].recover(candidate) is RecoveryFailure.UNAVAILABLE
        for index in (1, 2):
            await made.nodes[index].store(candidate, data)
        assert await made.nodes[5].recover(candidate) == data


async def test_borrowed_peer_ids_mask_no_chunk(autojump_clock: MockClock) -> None:
    """0 and 1 have their chunks, which are enough. The records of 3 and 4 name their peers."""
    async with data_at() as (made, candidate, data):
        for index in (0, 1):
            await made.nodes[index].store_chunk(candidate, chunks_of(data)[index])
        ids = validator_ids(VALIDATORS)
        made.directory[ids[3]], made.directory[ids[4]] = peer(0), peer(1)
        assert await made.nodes[5].recover(candidate) == data


async def test_what_was_never_data_is_invalid(autojump_clock: MockClock) -> None:
    """The root is of chunks that no encoder made; each is proven all the same."""
    chain = relay_chain()
    candidate, data = chain.candidate(100)
    chunks = erasure.encode(encode(data), VALIDATORS)
    chunks[-1] = bytes(len(chunks[-1]))
    root, proofs = erasure.root_and_proofs(chunks)
    descriptor = replace(candidate.candidate.descriptor, erasure_root=root)
    receipt = replace(candidate.candidate, descriptor=descriptor)
    bad = replace(candidate, candidate=chain.world.signed(receipt, "collator"))
    async with net(chain) as made:
        for index in range(VALIDATORS - 1):
            chunk = ErasureChunk(chunks[index], ChunkIndex(U32(index)), proofs[index])
            await made.nodes[index].store_chunk(bad, chunk)
        assert await made.nodes[5].recover(bad) is RecoveryFailure.INVALID


async def test_a_chunk_that_is_damaged_on_ones_own_disk_is_no_verdict(
    autojump_clock: MockClock,
) -> None:
    """Others' chunks show that the candidate is valid."""
    async with data_at(*OTHERS) as (made, candidate, data):
        await made.nodes[5].store_chunk(candidate, wrong(chunks_of(data)[5]))
        assert await made.nodes[5].recover(candidate) == data


async def test_data_that_are_damaged_on_ones_own_disk_are_no_verdict(
    autojump_clock: MockClock,
) -> None:
    """Their PoV would be another than the candidate's, and that makes a candidate invalid."""
    async with data_at(*OTHERS) as (made, candidate, data):
        damaged = replace(data, pov=PoV(b"damaged"))
        root = root_of(encode(damaged), VALIDATORS)
        own = StoreAvailableData(hash_of(candidate), damaged, root, VALIDATORS, None)
        assert await made.nodes[5].overseer.ask(own) is Stored.KEPT
        assert await made.nodes[5].recover(candidate) == data


async def test_lying_holders_are_reported_and_others_asked(autojump_clock: MockClock) -> None:
    async with data_at(*OTHERS) as (made, candidate, data):

        async def lie(source: PeerId, payload: bytes) -> bytes | None:
            return encode(wrong(chunks_of(data)[0]))

        for index in (0, 1, 2):
            made.nodes[index].port.answerers["req_chunk"] = lie
        assert await made.nodes[5].recover(candidate) == data
        for _, cost, reason in made.nodes[5].port.costs():
            assert (cost, reason) == (COST_BAD_PROOF.value, COST_BAD_PROOF.reason)
