"""Whatever moment the machine stops at, the reopened chain is legal and nothing final is lost."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass

import pytest

from parahost.chain.chain import Chain, ChainEvent
from parahost.chain.errors import ImportRefused
from parahost.chain.store import BASE_STEP, STATES_KEPT
from parahost.ports import Batch, DatabaseError
from parahost.primitives.events import BlockFinalizationEvent
from parahost.primitives.header import Block
from parahost.storage.memory import MemoryDatabase
from tests.chain.world import Forge, open_chain


def check_legal(chain: Chain) -> None:
    """Everything that the facade promises of the blocks it knows."""
    final = chain.finalized
    hash = chain.finalized_hash
    for number in range(final.number, -1, -1):
        assert chain.hash_of(number) == hash  # type: ignore[arg-type]
        header = chain.header(hash)
        assert header is not None
        assert header.number == number
        assert chain.body(hash) is not None
        if number > final.number - STATES_KEPT and number % 32 == 0:
            assert chain.state(hash).root == header.state_root
        hash = header.parent_hash
    for leaf in chain.leaves():
        assert chain.is_ancestor(chain.finalized_hash, leaf)
        header = chain.header(leaf)
        assert header is not None
        assert chain.state(leaf).root == header.state_root


Step = tuple[Block, int | None]
"""A block to import, and how many blocks behind it to make final."""


@pytest.fixture(scope="module")
def story() -> list[Step]:
    """Forks come and go, finality follows in strides over two moves of the base."""
    forge = Forge()
    steps: list[Step] = []
    parent = forge.genesis
    for number in range(1, STATES_KEPT + 2 * BASE_STEP + 8):
        block = forge.block(parent, bytes([number % 5]) + bytes([number % 256]))
        steps.append((block, 3 if number % 4 == 0 else None))
        if number % 16 == 5:
            steps.append((forge.block(parent, b"f" + bytes([number % 256])), None))
        parent = block.header.hash()
    return steps


def play(chain: Chain, steps: list[Step]) -> None:
    for block, behind in steps:
        try:
            chain.import_block(block)
        except ImportRefused:
            continue
        if behind is not None:
            target = chain.ancestors(block.header.hash(), behind)[-1]
            if not chain.is_final(target):
                chain.finalize(target, target)


@dataclass(frozen=True)
class Moment:
    """The database before some write, and what had been made final by a call that returned."""

    database: MemoryDatabase
    final_number: int


def moments(story: list[Step]) -> list[Moment]:
    """Play the story and stop time before a spread of its writes, and at its end."""
    found: list[Moment] = []
    promised = written = 0
    database = MemoryDatabase()

    def capture() -> None:
        observer, database.before_write = database.before_write, None
        found.append(Moment(deepcopy(database), promised))
        database.before_write = observer

    def before_write(batch: Batch, durable: bool) -> None:
        nonlocal written
        written += 1
        moves_base = ("meta", b"base") in batch.changes
        if written < 24 or written % 61 == 0 or moves_base:
            capture()

    def listen(event: ChainEvent) -> None:
        nonlocal promised
        if isinstance(event, BlockFinalizationEvent):
            promised = event.header.number

    database.before_write = before_write
    chain = open_chain(database)
    chain.subscribe(listen)
    play(chain, story)
    capture()
    return found


def test_a_crash_at_any_moment_loses_nothing_final(story: list[Step]) -> None:
    for moment in moments(story):
        unsynced = moment.database.unsynced
        for lose in sorted({0, unsynced // 2, unsynced}):
            chain = open_chain(deepcopy(moment.database).crash(lose))
            assert chain.finalized.number >= moment.final_number
            check_legal(chain)
            if moment.final_number:
                assert chain.justification(chain.finalized_hash) == chain.finalized_hash


def test_a_chain_goes_on_after_a_crash(story: list[Step]) -> None:
    for moment in moments(story)[10::7]:
        chain = open_chain(deepcopy(moment.database).crash(moment.database.unsynced))
        play(chain, story)
        assert chain.best == story[-1][0].header
        check_legal(chain)


def test_a_full_disk_leaves_the_chain_as_it_was(story: list[Step]) -> None:
    database = MemoryDatabase()
    chain = open_chain(database)
    play(chain, story[:20])
    best, leaves, final = chain.best, chain.leaves(), chain.finalized

    def full(batch: Batch, durable: bool) -> None:
        raise DatabaseError("disk full")

    database.before_write = full
    with pytest.raises(DatabaseError):
        chain.import_block(story[20][0])
    with pytest.raises(DatabaseError):
        chain.finalize(chain.best_hash, None)
    assert (chain.best, chain.leaves(), chain.finalized) == (best, leaves, final)
    database.before_write = None
    play(chain, story[20:])
    check_legal(chain)
    assert chain.best == story[-1][0].header
