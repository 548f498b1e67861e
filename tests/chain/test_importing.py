"""Importing while everything else goes on: what happens between the two parts of an import."""

from __future__ import annotations

import threading
from collections import Counter
from types import ModuleType
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from parahost.chain.blocks import AlreadyKnown, Imported
from parahost.chain.chain import Chain
from parahost.chain.errors import KnownBad, UnknownParent
from parahost.chain.importing import Importer
from parahost.consensus.babe import digests
from parahost.primitives import header
from parahost.primitives.basic import Hash
from parahost.primitives.header import Block, Extrinsic, Header
from parahost.primitives.scale import decode, encode
from parahost.process.executor import ThreadExecutor
from parahost.runtime.errors import InvalidBlock, WrongExtrinsicsRoot
from parahost.runtime.executive import Executed
from parahost.runtime.storage import State
from parahost.storage.memory import MemoryDatabase
from tests.chain.world import (
    GENESIS,
    Forge,
    HeldExecutor,
    ManualClock,
    execute,
    hashes,
    open_chain,
)
from tests.consensus.babe.world import genesis_view
from tests.verifying import VERIFIER


async def test_the_chain_answers_while_a_block_is_executed() -> None:
    forge, chain, executor = Forge(), open_chain(), HeldExecutor()
    importer = Importer(chain, executor)
    one, two = forge.line(forge.genesis, 2)
    results: list[Imported | AlreadyKnown] = []

    async def bring(block: Block) -> None:
        results.append(await importer.import_block(block))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(bring, one)
        await wait_all_tasks_blocked()
        assert chain.best_hash == forge.genesis and one.header.hash() not in chain
        nursery.start_soon(bring, two)
        nursery.start_soon(bring, one)
        await wait_all_tasks_blocked()
        assert executor.asked == 1, "one block is executed at a time"
        executor.let_go.set()
    assert sorted(type(result).__name__ for result in results) == [
        "AlreadyKnown",
        "Imported",
        "Imported",
    ]
    assert chain.best_hash == two.header.hash()
    assert executor.asked == 2, "what is known by then is not executed again"


async def test_finality_may_leave_the_parent_meanwhile() -> None:
    forge, chain, executor = Forge(), open_chain(), HeldExecutor()
    kept, left = forge.block(forge.genesis, b"a1"), forge.block(forge.genesis, b"b1", after=2)
    late = forge.block(left.header.hash(), b"b2")
    for block in (kept, left):
        chain.import_block(block)

    async def bring() -> None:
        with pytest.raises(UnknownParent):
            await Importer(chain, executor).import_block(late)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(bring)
        await wait_all_tasks_blocked()
        chain.finalize(kept.header.hash(), None)
        executor.let_go.set()
    assert late.header.hash() not in chain and not chain.is_bad(late.header.hash())


async def test_somebody_else_may_bring_the_same_block_meanwhile() -> None:
    forge, chain, executor = Forge(), open_chain(), HeldExecutor()
    (block,) = forge.line(forge.genesis, 1)
    told: list[Hash] = []
    chain.subscribe(lambda event: told.append(event.hash))

    async def bring() -> None:
        again = await Importer(chain, executor).import_block(block)
        assert again == AlreadyKnown(block.header.hash())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(bring)
        await wait_all_tasks_blocked()
        assert isinstance(chain.import_block(block), Imported)
        executor.let_go.set()
    assert told == hashes([block])


async def test_an_invalid_block_is_remembered_and_a_wrong_body_is_not() -> None:
    forge, chain = Forge(), open_chain()
    importer = Importer(chain, ThreadExecutor())
    poisoned = forge.block(forge.genesis, b"x1", poisoned=True)
    with pytest.raises(InvalidBlock, match="poison"):
        await importer.import_block(poisoned)
    with pytest.raises(KnownBad):
        await importer.import_block(poisoned)
    good = forge.block(forge.genesis, b"a1")
    with pytest.raises(WrongExtrinsicsRoot):
        await importer.import_block(Block(good.header, (Extrinsic(b"z9"),)))
    assert await importer.import_block(good) == Imported(good.header.hash(), True)


def test_a_header_is_read_and_written_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sealed header and the one that was signed are each encoded and hashed once, from the
    network to the store; each item of the digest is decoded once."""
    chain, forge, done = open_chain(), Forge(), Counter[str]()
    (made,) = forge.line(forge.genesis, 1)
    block = Block(decode(Header, encode(made.header)), made.extrinsics)

    def count(module: ModuleType, name: str) -> None:
        genuine = getattr(module, name)

        def counting(*args: Any) -> Any:
            done[name] += 1
            return genuine(*args)

        monkeypatch.setattr(module, name, counting)

    count(digests, "decode")
    count(header, "encode")
    count(header, "blake2_256")
    chain.import_block(block)
    assert len(block.header.digest) == 3, "a claim, an epoch's announcement and a seal"
    assert done == {"decode": 2, "encode": 2, "blake2_256": 2}
    assert chain.header(made.header.hash()) == made.header


async def test_a_node_executes_on_another_thread_and_is_told_on_its_own() -> None:
    executed_on: list[int] = []
    told_on: list[int] = []

    def watched(state: State, block: Block) -> Executed:
        executed_on.append(threading.get_ident())
        return execute(state, block)

    chain = Chain.open(
        MemoryDatabase(),
        GENESIS,
        genesis_view(),
        execute=watched,
        verifier=VERIFIER,
        clock=ManualClock(),
    )
    chain.subscribe(lambda event: told_on.append(threading.get_ident()))
    forge = Forge()
    await Importer(chain, ThreadExecutor()).import_block(forge.block(forge.genesis, b"a1"))
    assert executed_on and executed_on[0] != threading.get_ident()
    assert told_on == [threading.get_ident()]
