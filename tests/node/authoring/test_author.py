"""The slot loop, over a chain of the smallest state machine."""

from __future__ import annotations

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from parahost.chain.importing import Importer
from parahost.consensus.babe.digests import pre_digest_of
from parahost.node.authoring.author import Author
from parahost.ports import KeyType
from parahost.primitives.basic import H256, BabeId, Hash, Slot
from parahost.primitives.header import Block, PreRuntime
from parahost.runtime import api
from tests.chain.world import PARAMETERS, Forge, HeldExecutor, ManualClock, open_chain
from tests.consensus.babe.world import NAMES, key_store


class Recording:
    """A proposer that notes upon what it is to build, and makes nothing."""

    def __init__(self) -> None:
        self.parents: list[Hash] = []

    async def propose(
        self, parent: Hash, slot: Slot, pre_digest: PreRuntime, deadline: float
    ) -> Block | None:
        self.parents.append(parent)
        return None


async def test_an_author_builds_on_what_is_being_imported() -> None:
    """A block that came just before the slot is its parent, though its execution takes a while."""
    forge, chain, executor = Forge(), open_chain(), HeldExecutor()
    importer, proposer, clock = Importer(chain, executor), Recording(), ManualClock()
    (block,) = forge.line(forge.genesis, 1)
    own = forge.block(block.header.hash(), b"b1")
    slot = pre_digest_of(own.header).slot
    keys = key_store(*NAMES)
    author = Author(chain, importer, PARAMETERS, keys, clock, proposer, ready=lambda: True)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(importer.import_block, block)
        await wait_all_tasks_blocked()
        nursery.start_soon(author.author, slot)
        await wait_all_tasks_blocked()
        assert proposer.parents == []
        executor.let_go.set()
    assert proposer.parents == [block.header.hash()]


async def test_who_is_disabled_does_not_try(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its block would be refused."""
    forge, chain = Forge(), open_chain()
    own = forge.block(forge.genesis, b"b1")
    slot = pre_digest_of(own.header).slot
    importer, proposer = Importer(chain, HeldExecutor()), Recording()
    keys = key_store(*NAMES)
    author = Author(chain, importer, PARAMETERS, keys, ManualClock(), proposer, ready=lambda: True)
    everybody = frozenset(BabeId(H256(key)) for key in keys.public_keys(KeyType.BABE))
    monkeypatch.setattr(api, "disabled_authors", lambda state: everybody)
    assert await author.author(slot) is None and proposer.parents == []
    monkeypatch.setattr(api, "disabled_authors", lambda state: frozenset())
    assert await author.author(slot) is None and proposer.parents == [forge.genesis]
