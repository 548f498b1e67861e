"""Nothing holds the event loop for more than 50 ms: the largest of everything, with a real node's
threads. What the disk takes is not counted here."""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable

import pytest
import trio

from parahost import erasure
from parahost.chain.importing import Imported, Importer
from parahost.chain.sync.fetching import WHOLE, read_answer
from parahost.chain.sync.messages import BlockRequest, Direction, FromHash
from parahost.chain.sync.server import answer
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
from parahost.primitives.limits import (
    MAX_BODY_BYTES,
    MAX_EXTRINSICS,
    MAX_POV_BYTES,
    MAX_VALIDATORS,
)
from parahost.primitives.scale import encode
from parahost.process.executor import ThreadExecutor
from parahost.storage.memory import MemoryDatabase
from tests.chain.world import Forge, open_chain
from tests.node.availability.world import RelayChain
from tests.node.harness import make_overseer, running
from tests.runtime.parachains.world import World
from tests.watchdog import LIMIT_S, nothing_holds_the_loop

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
        busy(1.2 * LIMIT_S)

    with (
        pytest.raises(AssertionError, match="the culprit held the loop for"),
        nothing_holds_the_loop(),
    ):
        await in_a_task(held, "the culprit")
    with pytest.raises(AssertionError), nothing_holds_the_loop():
        busy(1.2 * LIMIT_S)
    with nothing_holds_the_loop() as watchdog:
        await ThreadExecutor().run(lambda: busy(1.2 * LIMIT_S))
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
    async with running(overseer, [(chain.genesis.hash(), chain.genesis.number)]):
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
async def test_the_largest_block(extrinsics: int) -> None:
    forge = Forge()
    size = MAX_BODY_BYTES // extrinsics
    body = [bytes([number % 7]) + CHANCE.randbytes(size - 1) for number in range(extrinsics)]
    block = forge.block(forge.genesis, *body)
    after = forge.block(block.header.hash(), b"a1")
    chain = open_chain()
    importer = Importer(chain, ThreadExecutor())
    with nothing_holds_the_loop():
        for each in (block, after):
            assert isinstance(await importer.import_block(each), Imported)
            await trio.lowlevel.checkpoint()
    request = BlockRequest(
        U8(WHOLE), FromHash(Hash(block.header.hash())), Direction.DESCENDING, U32(1)
    )
    with nothing_holds_the_loop():
        found = answer(chain, encode(request))
    assert len(found) > MAX_BODY_BYTES
    with nothing_holds_the_loop():
        (read,) = await importer.executor.run(lambda: read_answer(found))
    assert read.body == block.extrinsics
