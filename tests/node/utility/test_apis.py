"""The Runtime API and the Chain API (A115)."""

from __future__ import annotations

import pytest

from parahost.node.messages.base import Unanswered
from parahost.node.messages.utility import (
    BlockExtrinsics,
    BlockHeader,
    FinalizedHash,
    RuntimeApiRequest,
)
from parahost.node.utility.chain_api import ChainApi
from parahost.node.utility.runtime_api import CACHED_ANSWERS, LARGE_BYTES, RuntimeApi
from parahost.primitives.basic import ZERO_HASH, BlockNumber, Hash
from parahost.primitives.runtime_api import CandidateBackedEvent, CoreScheduled, OccupiedCore
from parahost.runtime import api
from parahost.runtime.storage import State
from tests.node.availability.world import RelayChain, hash_of
from tests.node.harness import make_overseer, running
from tests.runtime.parachains.world import World, validator_ids


def relay_chain() -> RelayChain:
    return RelayChain(World(validators=4, parachains=[100, 101]))


@pytest.mark.guide("A115")
async def test_the_runtime_answers_for_a_child_of_the_block() -> None:
    chain = relay_chain()
    candidate, _ = chain.candidate(100)
    block = chain.add(backed=[candidate])
    ending = chain.add(new_session=3)
    overseer = make_overseer([RuntimeApi(chain.state_of)])
    async with running(overseer):

        async def ask(block: Hash, function: object) -> object:
            return await overseer.ask(RuntimeApiRequest(block, function))  # type: ignore[arg-type]

        cores = await ask(block.hash(), api.availability_cores)
        assert isinstance(cores, tuple)
        assert [type(core) for core in cores] == [OccupiedCore, CoreScheduled]
        assert cores[0].candidate_hash == hash_of(candidate)
        events = await ask(block.hash(), api.candidate_events)
        assert isinstance(events, tuple)
        (event,) = events
        assert isinstance(event, CandidateBackedEvent)
        assert event.receipt.hash() == hash_of(candidate)
        # The block that ends a session already answers for the next one (D1).
        assert await ask(block.hash(), api.session_index_for_child) == 0
        assert await ask(ending.hash(), api.session_index_for_child) == 1
        assert await ask(block.hash(), api.validators) == validator_ids(4)
        assert await ask(ending.hash(), api.validators) == validator_ids(3)


async def test_the_same_question_is_computed_once_but_code_is_not_kept() -> None:
    chain = relay_chain()
    asked: list[int] = []

    def small(state: State, number: int) -> int:
        asked.append(number)
        return number

    def large(state: State) -> bytes:
        asked.append(-1)
        return bytes(LARGE_BYTES + 1)

    head = chain.genesis.hash()
    overseer = make_overseer([RuntimeApi(chain.state_of)])
    async with running(overseer):
        for _ in range(3):
            assert await overseer.ask(RuntimeApiRequest(head, small, (1,))) == 1
        assert asked == [1]
        await overseer.ask(RuntimeApiRequest(head, small, (1,), keep=False))
        assert asked == [1, 1]
        for _ in range(2):
            await overseer.ask(RuntimeApiRequest(head, large))
        assert asked == [1, 1, -1, -1]
        for number in range(2, CACHED_ANSWERS + 2):
            await overseer.ask(RuntimeApiRequest(head, small, (number,)))
        asked.clear()
        await overseer.ask(RuntimeApiRequest(head, small, (1,)))  # the oldest was let go
        assert asked == [1]


async def test_a_state_that_is_not_known_gives_no_answer() -> None:
    overseer = make_overseer([RuntimeApi(relay_chain().state_of)])
    async with running(overseer):
        with pytest.raises(Unanswered):
            await overseer.ask(RuntimeApiRequest(ZERO_HASH, api.validators))


async def test_the_chain_api_tells_of_headers_ancestors_and_finality() -> None:
    chain = relay_chain()
    blocks = [chain.genesis, *(chain.add() for _ in range(4))]
    chain.on(blocks[2])
    fork = chain.add(salt=1)
    chain.finalized = blocks[3]
    overseer = make_overseer([ChainApi(chain)])
    async with running(overseer):
        ask = overseer.ask
        assert await ask(BlockHeader(blocks[2].hash())) == blocks[2]
        assert await ask(BlockHeader(ZERO_HASH)) is None
        assert await ask(BlockHeader(fork.hash())) == fork
        assert await ask(BlockExtrinsics(fork.hash())) == chain.bodies[fork.hash()]
        assert await ask(BlockExtrinsics(ZERO_HASH)) is None
        assert await ask(FinalizedHash(BlockNumber(2))) == blocks[2].hash()  # type: ignore[arg-type]
        assert await ask(FinalizedHash(BlockNumber(4))) is None  # type: ignore[arg-type]
