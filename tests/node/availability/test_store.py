"""The Availability Store on the bus: what it keeps, and for how long (A99-A101)."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from types import SimpleNamespace

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from parahost import erasure
from parahost.node.availability import encoding
from parahost.node.availability.retention import DAY_S, HOUR_S
from parahost.node.availability.store import AvailabilityStore
from parahost.node.messages.availability import (
    QueryAvailableData,
    QueryChunk,
    QueryChunks,
    QueryPoV,
    StoreAvailableData,
    StoreChunk,
    Stored,
    TakeChunks,
    WaitChunks,
)
from parahost.node.overseer import Overseer
from parahost.node.utility.chain_api import ChainApi
from parahost.node.utility.runtime_api import RuntimeApi
from parahost.ports import Batch, Database, DatabaseError
from parahost.primitives.availability import ErasureChunk
from parahost.primitives.basic import H256, U32, CandidateHash, ChunkIndex, ValidatorIndex
from parahost.primitives.candidates import AvailableData
from parahost.primitives.header import Header
from parahost.primitives.scale import encode
from parahost.primitives.statements import BackedCandidate
from parahost.storage.memory import MemoryDatabase
from tests.node.availability.world import RelayChain, finalize, hash_of, ref
from tests.node.harness import make_overseer, running
from tests.runtime.parachains.world import World

VALIDATORS = 4
OWN = ValidatorIndex(U32(2))
OWN_CHUNK = ChunkIndex(U32(2))
MINUTE_S = 60.0


def relay_chain() -> RelayChain:
    return RelayChain(World(validators=VALIDATORS, parachains=[100, 101]))


def chunk_of(data: AvailableData, index: int = OWN_CHUNK) -> ErasureChunk:
    chunks = erasure.encode(encode(data), VALIDATORS)
    _, proofs = erasure.root_and_proofs(chunks)
    return ErasureChunk(chunks[index], ChunkIndex(U32(index)), proofs[index])


@dataclass
class Node:
    chain: RelayChain
    overseer: Overseer

    async def import_(self, *headers: Header) -> None:
        for header in headers:
            self.overseer.block_imported(self.chain.leaf(header))
        await trio.testing.wait_all_tasks_blocked()

    async def finalize(self, header: Header) -> None:
        finalize(self.chain, self.overseer, header)
        await trio.testing.wait_all_tasks_blocked()

    async def store(self, candidate: BackedCandidate, data: AvailableData) -> Stored:
        root = candidate.candidate.descriptor.erasure_root
        request = StoreAvailableData(hash_of(candidate), data, root, VALIDATORS, OWN)
        return await self.overseer.ask(request)

    async def has_pov(self, candidate: BackedCandidate) -> bool:
        return await self.overseer.ask(QueryPoV(hash_of(candidate))) is not None

    async def has_chunk(self, candidate: BackedCandidate) -> bool:
        return await self.overseer.ask(QueryChunk(hash_of(candidate), OWN_CHUNK)) is not None

    async def holds(self, candidate: BackedCandidate) -> tuple[bool, bool]:
        return await self.has_pov(candidate), await self.has_chunk(candidate)


@asynccontextmanager
async def node(chain: RelayChain, database: Database | None = None) -> AsyncIterator[Node]:
    store = AvailabilityStore(database or MemoryDatabase())
    overseer = make_overseer([store, RuntimeApi(chain.state_of), ChainApi(chain)])
    async with running(overseer, [chain.leaf(chain.genesis)]):
        yield Node(chain, overseer)


@pytest.mark.guide("A101")
async def test_what_is_stored_is_given_back(
    autojump_clock: MockClock,
) -> None:
    chain = relay_chain()
    candidate, data = chain.candidate(100)
    name = hash_of(candidate)
    async with node(chain) as one:
        ask = one.overseer.ask
        assert await ask(QueryPoV(name)) is None
        assert await ask(QueryChunk(name, OWN_CHUNK)) is None
        assert await one.store(candidate, data) is Stored.KEPT
        assert await ask(QueryPoV(name)) == data.pov
        assert await ask(QueryAvailableData(name)) == data
        assert await ask(QueryChunk(name, OWN_CHUNK)) == chunk_of(data)
        assert await ask(StoreChunk(name, chunk_of(data, 0)))
        assert await ask(QueryChunks(name)) == (chunk_of(data, 0), chunk_of(data))
        assert await ask(QueryChunk(name, ChunkIndex(U32(1)))) is None


async def test_who_waits_for_chunks_is_told_when_all_are_there(autojump_clock: MockClock) -> None:
    """However they come: with the data, or alone."""
    chain = relay_chain()
    (first, first_data), (second, second_data) = chain.candidate(100), chain.candidate(101)
    both = (hash_of(first), hash_of(second))
    began = trio.current_time()
    answers: list[tuple[float, tuple[CandidateHash, ...]]] = []

    async def wait(one: Node, candidates: tuple[CandidateHash, ...], wait_s: float) -> None:
        kept = await one.overseer.ask(WaitChunks(candidates, OWN_CHUNK, wait_s))
        answers.append((round(trio.current_time() - began, 3), kept))

    async with node(chain) as one, trio.open_nursery() as nursery:
        await wait(one, (), 10.0)
        nursery.start_soon(wait, one, both[:1], 10.0)
        nursery.start_soon(wait, one, both, 10.0)
        nursery.start_soon(wait, one, both, 2.5)
        await trio.sleep(1)
        await one.overseer.ask(StoreChunk(both[1], chunk_of(second_data, 0)))
        await one.store(first, first_data)
        await trio.sleep(2)
        await one.overseer.ask(StoreChunk(both[1], chunk_of(second_data)))
        await trio.testing.wait_all_tasks_blocked()
        await wait(one, both, 10.0)
    assert answers == [(0, ()), (1, both[:1]), (2.5, both[:1]), (3, both), (3, both)]


@pytest.mark.guide("A92")
async def test_chunks_are_made_once_and_handed_on(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = relay_chain()
    candidate, data = chain.candidate(100)
    made: list[int] = []

    def counted(data: bytes, n: int) -> list[bytes]:
        made.append(n)
        return erasure.encode(data, n)

    wheel = SimpleNamespace(encode=counted, root_and_proofs=erasure.root_and_proofs)
    monkeypatch.setattr(encoding, "erasure", wheel)
    take = TakeChunks(hash_of(candidate), VALIDATORS)
    expected = tuple(chunk_of(data, index) for index in range(VALIDATORS))
    async with node(chain) as one:
        assert await one.overseer.ask(replace(take)) is None, "what is not kept is not handed on"
        assert await one.store(candidate, data) is Stored.KEPT
        handed_on = await one.overseer.ask(replace(take))
        assert handed_on is not None and handed_on.chunks == expected
        assert made == [VALIDATORS]
        again = await one.overseer.ask(replace(take))
        assert again is not None and again.chunks == expected
        assert made == [VALIDATORS, VALIDATORS], "who asks once more waits for it"
        others = await one.overseer.ask(TakeChunks(hash_of(candidate), 7))
        assert others is not None and len(others.chunks) == 7


def test_what_waits_to_be_handed_on_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    _, data = relay_chain().candidate(100)
    one = encoding.Encoding.of(data, VALIDATORS)
    monkeypatch.setattr(encoding, "MAX_MADE_BYTES", 2 * one.size)
    made = encoding.Made()
    first, second, third = (CandidateHash(H256(bytes([number] * 32))) for number in range(3))
    for candidate in (first, second, second, third):
        made.put(candidate, one)
    assert [made.take(candidate) for candidate in (first, second, third)] == [None, one, one]
    assert made.take(third) is None
    made.put(first, one)
    made.put(second, one)
    assert made.take(first) is one, "what was taken makes room"


def test_small_chunks_that_wait_are_counted_with_what_they_take_and_by_number() -> None:
    """Of small data, proofs and objects are most of it; and a day has many small candidates."""
    _, data = relay_chain().candidate(100)
    one = encoding.Encoding.of(data, VALIDATORS)
    parts = [part for each in one.chunks for part in (each, each.chunk, *each.proof, each.proof)]
    taken = sum(map(sys.getsizeof, parts))
    assert taken <= one.size <= 2 * taken
    made = encoding.Made()
    candidates = [CandidateHash(H256(bytes([number] * 32))) for number in range(65)]
    for candidate in candidates:
        made.put(candidate, one)
    assert made.take(candidates[0]) is None
    assert all(made.take(candidate) is one for candidate in candidates[1:])


async def test_data_that_do_not_give_the_erasure_root_are_refused(
    autojump_clock: MockClock,
) -> None:
    chain = relay_chain()
    candidate, _ = chain.candidate(100)
    _, other = chain.candidate(100, b"other proof")
    async with node(chain) as one:
        assert await one.store(candidate, other) is Stored.WRONG_ROOT
        assert await one.holds(candidate) == (False, False)


async def test_what_the_disk_refuses_is_not_claimed(
    autojump_clock: MockClock,
) -> None:
    chain = relay_chain()
    candidate, data = chain.candidate(100)
    database = MemoryDatabase()

    def full(batch: Batch, durable: bool) -> None:
        raise DatabaseError("the disk is full")

    async with node(chain, database) as one:
        database.before_write = full
        assert await one.store(candidate, data) is Stored.REFUSED
        assert not await one.overseer.ask(StoreChunk(hash_of(candidate), chunk_of(data)))
        database.before_write = None
        assert await one.holds(candidate) == (False, False)
        assert await one.store(candidate, data) is Stored.KEPT


async def test_a_full_disk_delays_what_is_read_from_the_chain_and_loses_nothing(
    autojump_clock: MockClock,
) -> None:
    chain = relay_chain()
    candidate, data = chain.candidate(100)
    blocks = [chain.add(backed=[candidate]), chain.add(vote=True), chain.add()]
    database = MemoryDatabase()

    def full(batch: Batch, durable: bool) -> None:
        raise DatabaseError("the disk is full")

    async with node(chain, database) as one:
        await one.store(candidate, data)
        database.before_write = full
        await one.import_(*blocks)
        await one.finalize(blocks[1])
        database.before_write = None
        await trio.sleep(DAY_S - MINUTE_S)
        assert await one.holds(candidate) == (True, True)
        await trio.sleep(2 * MINUTE_S + MINUTE_S)
        assert await one.holds(candidate) == (False, True)


@pytest.mark.guide("A99")
async def test_an_unbacked_pov_is_kept_for_an_hour(
    autojump_clock: MockClock,
) -> None:
    chain = relay_chain()
    candidate, data = chain.candidate(100)
    async with node(chain) as one:
        await trio.sleep(30)  # so that ticks and due times are apart
        await one.store(candidate, data)
        await trio.sleep(HOUR_S - 1)
        assert await one.holds(candidate) == (True, True)
        await trio.sleep(MINUTE_S)
        assert await one.holds(candidate) == (False, False)


@pytest.mark.guide("A99", "A101")
async def test_after_finality_a_pov_is_kept_for_a_day_and_its_chunk_for_an_hour_more(
    autojump_clock: MockClock,
) -> None:
    chain = relay_chain()
    candidate, data = chain.candidate(100)
    async with node(chain) as one:
        await one.store(candidate, data)
        await one.import_(chain.add(backed=[candidate]))
        including = chain.add(vote=True)
        await one.import_(including)
        await trio.sleep(3 * DAY_S)  # finality stalls: nothing may go
        assert await one.holds(candidate) == (True, True)
        await one.finalize(including)
        await trio.sleep(DAY_S - MINUTE_S)
        assert await one.holds(candidate) == (True, True)
        await trio.sleep(2 * MINUTE_S)
        assert await one.holds(candidate) == (False, True)
        await trio.sleep(HOUR_S - 2 * MINUTE_S)
        assert await one.holds(candidate) == (False, True)
        await trio.sleep(2 * MINUTE_S)
        assert await one.holds(candidate) == (False, False)


@pytest.mark.guide("A99")
async def test_a_chunk_that_comes_after_its_inclusion_is_kept_as_long(
    autojump_clock: MockClock,
) -> None:
    chain = relay_chain()
    candidate, data = chain.candidate(100)
    async with node(chain) as one:
        backing, including = chain.add(backed=[candidate]), chain.add(vote=True)
        await one.import_(backing, including)
        await one.overseer.ask(StoreChunk(hash_of(candidate), chunk_of(data)))
        await trio.sleep(2 * HOUR_S)
        assert await one.has_chunk(candidate)
        await one.finalize(including)
        await trio.sleep(DAY_S + HOUR_S - MINUTE_S)
        assert await one.has_chunk(candidate)
        await trio.sleep(2 * MINUTE_S)
        assert not await one.has_chunk(candidate)


@pytest.mark.guide("A100")
async def test_all_competing_including_blocks_count_until_finality_chooses(
    autojump_clock: MockClock,
) -> None:
    """Two forks include the candidate, a third does not. Whichever of the two becomes final
    keeps the data."""
    for winner in (0, 1):
        chain = relay_chain()
        candidate, data = chain.candidate(100)
        backing = chain.add(backed=[candidate])
        forks = []
        for salt in (1, 2):
            chain.on(backing)
            forks.append(chain.add(vote=True, salt=salt))
        assert forks[0].hash() != forks[1].hash()
        async with node(chain) as one:
            await one.store(candidate, data)
            await one.import_(backing, *forks)
            await trio.sleep(2 * HOUR_S)
            await one.finalize(forks[winner])
            await trio.sleep(DAY_S - MINUTE_S)
            assert await one.holds(candidate) == (True, True)
            await trio.sleep(2 * MINUTE_S)
            assert await one.holds(candidate) == (False, True)


@pytest.mark.guide("A100")
async def test_an_orphaned_including_block_does_not_count(
    autojump_clock: MockClock,
) -> None:
    chain = relay_chain()
    candidate, data = chain.candidate(100)
    backing = chain.add(backed=[candidate])
    orphan = chain.add(vote=True, salt=1)
    chain.on(backing)
    rival = chain.add(salt=2)
    # On the winning fork, the session's end takes the candidate off its core.
    winner = chain.add(salt=3, new_session=VALIDATORS)
    async with node(chain) as one:
        await one.store(candidate, data)
        await one.import_(backing, orphan, rival, winner)
        await trio.sleep(DAY_S)
        assert await one.has_pov(candidate)
        await one.finalize(winner)
        await trio.sleep(HOUR_S - MINUTE_S)
        assert await one.has_pov(candidate)
        await trio.sleep(2 * MINUTE_S)
        assert await one.holds(candidate) == (False, False)


async def test_data_of_a_candidate_that_is_still_pending_are_never_pruned(
    autojump_clock: MockClock,
) -> None:
    """The chain stands still, for hours."""
    chain = relay_chain()
    candidate, data = chain.candidate(100)
    async with node(chain) as one:
        await one.store(candidate, data)
        await one.import_(chain.add(backed=[candidate]))
        await trio.sleep(5 * HOUR_S)
        assert await one.holds(candidate) == (True, True)
        await one.import_(chain.add(new_session=VALIDATORS))  # it never became available
        await trio.sleep(HOUR_S + 2 * MINUTE_S)
        assert await one.holds(candidate) == (False, False)


@pytest.mark.guide("A99", "A100")
async def test_blocks_that_were_missed_are_read_later(
    autojump_clock: MockClock,
) -> None:
    """The node hears only of the last block: as after a restart, or after syncing in one go."""
    chain = relay_chain()
    candidate, data = chain.candidate(100)
    chain.add(backed=[candidate])
    including = chain.add(vote=True)
    head = [chain.add() for _ in range(5)][-1]
    async with node(chain) as one:
        await one.store(candidate, data)
        await one.import_(head)
        await trio.sleep(2 * HOUR_S)
        assert await one.has_pov(candidate)
        await one.finalize(including)
        await trio.sleep(DAY_S + 2 * MINUTE_S)
        assert await one.holds(candidate) == (False, True)


async def test_a_restart_goes_on_where_the_last_run_ended(
    autojump_clock: MockClock,
) -> None:
    chain = relay_chain()
    candidate, data = chain.candidate(100)
    backing, including = chain.add(backed=[candidate]), chain.add(vote=True)
    database = MemoryDatabase()
    async with node(chain, database) as one:
        await one.store(candidate, data)
        await one.import_(backing, including)
    database = database.crash(lose=database.unsynced)  # and with it all that was not durable
    async with node(chain, database) as one:
        assert await one.holds(candidate) == (True, True)
        await one.import_(including)
        await one.finalize(including)
        await trio.sleep(DAY_S - MINUTE_S)
    async with node(chain, database.crash()) as one:
        assert await one.holds(candidate) == (True, True)
        await trio.sleep(3 * MINUTE_S)
        assert await one.holds(candidate) == (False, True)


async def test_many_candidates_are_pruned_in_steps(
    autojump_clock: MockClock,
) -> None:
    chain = relay_chain()
    many = [chain.candidate(100, b"proof %d" % number) for number in range(150)]
    database = MemoryDatabase()
    async with node(chain, database) as one:
        for candidate, data in many:
            await one.store(candidate, data)
        await trio.sleep(HOUR_S + 2 * MINUTE_S)
        assert not any([await one.has_pov(candidate) for candidate, _ in many])
    for table in ("data", "chunks", "records", "due"):
        assert not list(database.scan(f"availability.{table}"))


async def test_the_tables_do_not_grow_with_the_chain(
    autojump_clock: MockClock,
) -> None:
    chain = relay_chain()
    blocks = [chain.add() for _ in range(20)]
    database = MemoryDatabase()
    async with node(chain, database) as one:
        await one.import_(*blocks)
        await one.finalize(blocks[14])
        left = [key[4:] for key, _ in database.scan("availability.blocks")]
    assert left == [ref(block).hash for block in blocks[15:]]
