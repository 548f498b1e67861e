"""Nothing holds the event loop for more than 50 ms: the largest of everything, with a real node's
threads and its database. What the loop waits for a disk is not its own time, and not counted."""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio

from parahost import erasure
from parahost.chain.blocks import ExecutedBlock, Imported, encoded_body, encoded_changes
from parahost.chain.importing import Importer
from parahost.chain.states import States
from parahost.chain.store import BASE_STEP, STATES_KEPT, ChainStore
from parahost.chain.sync.fetching import WHOLE, read_answer
from parahost.chain.sync.messages import BlockRequest, Direction, FromHash
from parahost.chain.sync.server import answer
from parahost.consensus.babe.verification import VerifiedHeader
from parahost.node.availability.recovery import rebuild
from parahost.node.availability.store import AvailabilityStore
from parahost.node.messages.availability import (
    QueryAvailableData,
    StoreAvailableData,
    Stored,
    TakeChunks,
)
from parahost.node.utility.chain_api import ChainApi
from parahost.node.utility.runtime_api import RuntimeApi
from parahost.primitives.basic import (
    H256,
    U8,
    U32,
    BlockNumber,
    CandidateHash,
    Hash,
    HeadData,
    ValidatorIndex,
)
from parahost.primitives.candidates import AvailableData, PersistedValidationData, PoV
from parahost.primitives.header import Header
from parahost.primitives.limits import (
    MAX_BODY_BYTES,
    MAX_EXTRINSICS,
    MAX_POV_BYTES,
    MAX_VALIDATORS,
)
from parahost.primitives.scale import encode
from parahost.process.executor import ThreadExecutor
from parahost.runtime.genesis import genesis_header
from parahost.runtime.storage import State
from parahost.storage.lmdb import LmdbDatabase
from parahost.storage.memory import MemoryDatabase
from tests.chain.world import Forge, open_chain
from tests.consensus.babe.world import genesis_view
from tests.node.availability.world import RelayChain
from tests.node.harness import make_overseer, running
from tests.runtime.parachains.world import World
from tests.watchdog import LIMIT_S, SLOWEST, nothing_holds_the_loop

CHANCE = random.Random(1)
CANDIDATE = CandidateHash(H256(bytes(32)))


def busy(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


async def in_a_task(work: Callable[[], Awaitable[None]], name: str) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(work, name=name)


async def test_the_watchdog_names_what_holds_the_loop() -> None:
    async def held() -> None:
        busy(1.2 * SLOWEST * LIMIT_S)

    with (
        pytest.raises(AssertionError, match="the culprit held the loop for"),
        nothing_holds_the_loop(),
    ):
        await in_a_task(held, "the culprit")
    with pytest.raises(AssertionError), nothing_holds_the_loop():
        busy(1.2 * SLOWEST * LIMIT_S)
    with nothing_holds_the_loop() as watchdog:
        await ThreadExecutor().run(lambda: busy(1.2 * SLOWEST * LIMIT_S))
        await trio.lowlevel.checkpoint()
    assert watchdog.longest_s < LIMIT_S / 2, "what a thread does is not the loop's"


async def test_the_largest_pov_for_the_most_validators() -> None:
    data = AvailableData(
        PoV(CHANCE.randbytes(MAX_POV_BYTES - 4)),
        PersistedValidationData(
            HeadData(b""), BlockNumber(U32(1)), H256(bytes(32)), U32(MAX_POV_BYTES)
        ),
    )
    root = erasure.erasure_root(erasure.encode(encode(data), MAX_VALIDATORS))
    own, executor = ValidatorIndex(U32(7)), ThreadExecutor()
    chain = RelayChain(World(validators=4, parachains=[100]))
    subsystems = [AvailabilityStore(MemoryDatabase()), RuntimeApi(chain.state_of), ChainApi(chain)]
    overseer = make_overseer(subsystems, executor=executor)
    async with running(overseer, [chain.leaf(chain.genesis)]):
        with nothing_holds_the_loop():
            request = StoreAvailableData(CANDIDATE, data, root, MAX_VALIDATORS, own)
            assert await overseer.ask(request) is Stored.KEPT
        with nothing_holds_the_loop():
            made = await overseer.ask(TakeChunks(CANDIDATE, MAX_VALIDATORS))
            assert made is not None and made.erasure_root == root
        with nothing_holds_the_loop():
            assert await overseer.ask(QueryAvailableData(CANDIDATE)) == data
        chunks: dict[int, bytes] = {chunk.index: chunk.chunk for chunk in made.chunks[-334:]}
        with nothing_holds_the_loop():
            found = await executor.run(lambda: rebuild(dict(chunks), MAX_VALIDATORS, root))
        assert found == data


@pytest.mark.parametrize("extrinsics", [4, MAX_EXTRINSICS // 2])
async def test_the_largest_block(extrinsics: int, tmp_path: Path) -> None:
    forge = Forge()
    size = MAX_BODY_BYTES // extrinsics
    body = [bytes([number % 7]) + CHANCE.randbytes(size - 1) for number in range(extrinsics)]
    block = forge.block(forge.genesis, *body)
    after = [forge.block(block.header.hash(), b"a1")]
    after += [forge.block(after[0].header.hash(), b"a2")]
    database = LmdbDatabase(tmp_path / "database")
    chain = open_chain(database)
    importer = Importer(chain, ThreadExecutor())
    with nothing_holds_the_loop():
        for each in (block, *after):
            assert isinstance(await importer.import_block(each), Imported)
            await trio.lowlevel.checkpoint()
        chain.finalize(block.header.hash(), b"proof")
    request = BlockRequest(
        U8(WHOLE), FromHash(Hash(block.header.hash())), Direction.DESCENDING, U32(1)
    )
    with nothing_holds_the_loop():
        found = answer(chain, encode(request))
    assert len(found) > MAX_BODY_BYTES
    with nothing_holds_the_loop():
        (read,) = await importer.executor.run(lambda: read_answer(found))
    assert read.body == block.extrinsics
    database.close()


async def test_a_base_state_that_takes_in_much() -> None:
    """16 blocks that change 600 of 20,000 values each become a part of the base: by and by, and at
    no time is a state wrong."""
    state = State.from_raw({CHANCE.randbytes(32): CHANCE.randbytes(60) for _ in range(20_000)})
    keys = [key for key, _ in state.items_raw()]
    header = genesis_header(state)
    store = ChainStore(MemoryDatabase(), archive=False)
    epochs = genesis_view()
    store.create(header, state.items_raw(), epochs)
    states = States(store, Hash(header.hash()), state)
    after = []
    for order in range(1, STATES_KEPT + 2 * BASE_STEP):
        count = 600 if order <= BASE_STEP else 1
        delta = {key: CHANCE.randbytes(60) for key in CHANCE.sample(keys, count)}
        state = state.apply(delta)
        number = BlockNumber(U32(order))
        header = Header(Hash(header.hash()), number, H256(state.root), H256(bytes(32)), ())
        verified = VerifiedHeader(header, None, epochs)
        block = ExecutedBlock(verified, state, encoded_body(()), encoded_changes(delta))
        store.add_block(block, order=order, begins_epoch=False)
        states.put(Hash(header.hash()), state)
        after.append((Hash(header.hash()), number, order))
    final, rest = after[: STATES_KEPT + BASE_STEP], after[STATES_KEPT + BASE_STEP :]
    moves = 0
    with nothing_holds_the_loop():
        for some in (final, *([each] for each in rest)):
            moved = store.finalize(some, [], None)
            if moved is not None:
                states.move_base(moved)
                moves += 1
            await trio.lowlevel.checkpoint()
            states.put(Hash(header.hash()), state)
            await trio.lowlevel.checkpoint()
    assert moves >= 3
    base = store.header(store.base_hash)
    assert base is not None
    assert states.get(store.base_hash).root == base.state_root
