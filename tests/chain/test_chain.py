"""The facade: import, fork choice, finality, and what outlives a restart."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest

from parahost.chain.blocks import AlreadyKnown, Imported
from parahost.chain.chain import Chain, ChainEvent
from parahost.chain.errors import (
    BelowFinality,
    DamagedDatabase,
    ForeignDatabase,
    FutureSlot,
    KnownBad,
    StateUnavailable,
    UnknownBlock,
    UnknownParent,
)
from parahost.chain.store import BASE_STEP, STATES_KEPT
from parahost.consensus.babe.errors import BadSeal
from parahost.ports import Batch
from parahost.primitives.basic import H256, U32, BlockNumber, Hash
from parahost.primitives.consensus import BabeEquivocationProof
from parahost.primitives.events import BlockFinalizationEvent, BlockImportEvent
from parahost.primitives.header import Block, Extrinsic
from parahost.runtime.errors import InvalidBlock, WrongExtrinsicsRoot, WrongStateRoot
from parahost.runtime.storage import State
from parahost.storage.lmdb import LmdbDatabase
from parahost.storage.memory import MemoryDatabase
from tests.chain.world import GENESIS, Forge, ManualClock, execute, hashes, open_chain
from tests.consensus.babe.world import genesis_view
from tests.verifying import VERIFIER


@pytest.fixture(scope="module")
def long_line() -> list[Block]:
    forge = Forge()
    return forge.line(forge.genesis, STATES_KEPT + 3 * BASE_STEP)


def test_a_line_of_blocks_is_imported_and_its_states_are_at_hand() -> None:
    forge, chain = Forge(), open_chain()
    assert chain.genesis_hash == chain.best_hash == chain.finalized_hash == forge.genesis
    line = forge.line(forge.genesis, 12)
    for block in line:
        assert chain.import_block(block) == Imported(block.header.hash(), True)
    assert chain.import_block(line[3]) == AlreadyKnown(line[3].header.hash())
    assert chain.best == line[-1].header
    assert chain.leaves() == [chain.best_hash]
    for number, block in enumerate(line, 1):
        hash = block.header.hash()
        assert chain.hash_of(BlockNumber(number)) == hash  # type: ignore[arg-type]
        assert chain.body(hash) == block.extrinsics
        assert chain.header(hash) == block.header
        assert chain.number(hash) == number
        assert chain.state(hash).root == block.header.state_root
    assert chain.ancestors(chain.best_hash, 3) == hashes(line[-4:-1])[::-1]
    assert chain.ancestors(hashes(line)[1], 9) == [hashes(line)[0], forge.genesis]


def test_the_best_chain_has_most_primary_slots_then_length_then_age() -> None:
    forge, chain = Forge(), open_chain()
    base = forge.block(forge.genesis, b"a1")
    chain.import_block(base)
    root = base.header.hash()
    secondary = forge.block(root, b"b1", primary=False)
    longer = forge.block(secondary.header.hash(), b"b2", primary=False)
    rival = forge.block(root, b"c1", primary=False, after=3)
    primary = forge.block(root, b"d1", primary=True)
    chain.import_block(secondary)
    assert chain.import_block(rival) == Imported(rival.header.hash(), False)
    assert chain.best == secondary.header
    assert chain.import_block(longer).new_best  # type: ignore[union-attr]
    assert chain.import_block(primary).new_best  # type: ignore[union-attr]
    route = chain.path(longer.header.hash(), primary.header.hash())
    assert route.retracted == tuple(hashes([longer, secondary]))
    assert (route.common, route.enacted) == (root, (primary.header.hash(),))
    assert chain.leaves() == hashes([primary, longer, rival])
    assert chain.children(root) == hashes([secondary, rival, primary])


@pytest.mark.guide("A110")
def test_events_come_in_order_and_after_the_fact() -> None:
    forge, chain = Forge(), open_chain()
    told: list[ChainEvent] = []

    def listen(event: ChainEvent) -> None:
        told.append(event)
        if isinstance(event, BlockImportEvent):
            assert chain.header(event.hash) is not None
            assert chain.state(event.hash).root == event.header.state_root
            if event.header.number == 2:
                chain.finalize(event.hash, b"because")
                assert told[-1] is event, "what a listener causes is told afterwards"
        else:
            assert chain.finalized_hash == event.hash

    end = chain.subscribe(listen)
    one, two, three = forge.line(forge.genesis, 3)
    chain.import_block(one)
    chain.import_block(two)
    assert told == [
        BlockImportEvent(one.header.hash(), one.header, True),
        BlockImportEvent(two.header.hash(), two.header, True),
        BlockFinalizationEvent(two.header.hash(), two.header),
    ]
    end()
    chain.import_block(three)
    assert len(told) == 3


def test_what_is_refused_leaves_nothing_behind() -> None:
    forge, chain = Forge(), open_chain()
    one, two = forge.line(forge.genesis, 2)
    with pytest.raises(UnknownParent) as unknown:
        chain.import_block(two)
    assert unknown.value.parent_hash == one.header.hash()
    forged = Block(replace(one.header, state_root=H256(bytes(32))), one.extrinsics)
    with pytest.raises(BadSeal):
        chain.import_block(forged)
    with pytest.raises(KnownBad):
        chain.import_block(forged)
    poisoned = forge.block(forge.genesis, b"x1", poisoned=True)
    with pytest.raises(InvalidBlock, match="poison"):
        chain.import_block(poisoned)
    assert chain.leaves() == [forge.genesis]
    assert chain.header(poisoned.header.hash()) is None
    assert chain.import_block(one) == Imported(one.header.hash(), True)


def test_so_many_bad_blocks_are_remembered() -> None:
    forge, chain = Forge(), open_chain()
    block = forge.block(forge.genesis, b"a1")
    roots = (H256(number.to_bytes(32, "big")) for number in range(1025))
    bad = [Block(replace(block.header, state_root=root), block.extrinsics) for root in roots]
    for each in bad:
        with pytest.raises(BadSeal):
            chain.import_block(each)
    known = [chain.is_bad(each.header.hash()) for each in bad]
    assert known == [False] + [True] * 1024


def test_a_wrong_body_does_not_make_a_good_block_bad() -> None:
    forge, chain = Forge(), open_chain()
    block = forge.block(forge.genesis, b"a1")
    with pytest.raises(WrongExtrinsicsRoot):
        chain.import_block(Block(block.header, (Extrinsic(b"z9"),)))
    assert isinstance(chain.import_block(block), Imported)


def test_a_wrong_state_root_is_found_by_execution() -> None:
    forge, chain = Forge(), open_chain()
    forge.states[forge.genesis] = State.from_raw({b"other": b"state"})
    with pytest.raises(WrongStateRoot):
        chain.import_block(forge.block(forge.genesis, b"a1"))


def test_a_block_of_the_future_waits_and_is_not_bad() -> None:
    forge, clock = Forge(), ManualClock(time=1000.0)
    chain = Chain.open(
        MemoryDatabase(),
        State.from_raw({b"alpha": b"1", b"beta": b"2"}),
        genesis_view(),
        execute=execute,
        verifier=VERIFIER,
        clock=clock,
    )
    block = forge.block(forge.genesis, after=100)
    with pytest.raises(FutureSlot) as future:
        chain.import_block(block)
    clock.time = future.value.slot - 1.01
    with pytest.raises(FutureSlot):
        chain.import_block(block)
    clock.time = future.value.slot - 1.0
    assert isinstance(chain.import_block(block), Imported)


def test_finality_prunes_other_forks_and_bounds_what_may_come() -> None:
    forge, chain = Forge(), open_chain()
    one, two, three = forge.line(forge.genesis, 3)
    fork = forge.block(one.header.hash(), b"f1")
    on_fork = forge.block(fork.header.hash(), b"f2")
    for block in (one, two, fork, on_fork, three):
        chain.import_block(block)
    chain.finalize(two.header.hash(), b"proof")
    assert chain.finalized == two.header
    assert chain.leaves() == [three.header.hash()]
    assert chain.header(fork.header.hash()) is None
    assert chain.body(on_fork.header.hash()) is None
    assert chain.justification(two.header.hash()) == b"proof"
    assert chain.justification(one.header.hash()) is None
    assert chain.is_final(one.header.hash())
    assert not chain.is_final(three.header.hash())
    assert chain.children(forge.genesis) == [one.header.hash()]
    with pytest.raises(BelowFinality):
        chain.import_block(fork)
    high = Block(replace(one.header, number=BlockNumber(U32(99))), one.extrinsics)
    with pytest.raises(BelowFinality):
        chain.import_block(high)
    with pytest.raises(UnknownBlock):
        chain.finalize(fork.header.hash(), b"other proof")
    later = forge.block(forge.block(one.header.hash(), b"g1").header.hash(), b"g2")
    with pytest.raises(UnknownParent):
        chain.import_block(later)
    chain.finalize(one.header.hash(), b"late proof")
    assert chain.justification(one.header.hash()) == b"late proof"
    assert chain.finalized == two.header


def test_ancestry_reaches_over_finality() -> None:
    forge, chain = Forge(), open_chain()
    line = forge.line(forge.genesis, 6)
    fork = forge.block(line[3].header.hash(), b"f1")
    for block in (*line, fork):
        chain.import_block(block)
    chain.finalize(line[2].header.hash(), None)
    names = hashes(line)
    assert chain.is_ancestor(names[0], names[5])
    assert chain.is_ancestor(names[0], names[1])
    assert not chain.is_ancestor(names[1], names[0])
    assert chain.is_ancestor(names[4], names[4])
    assert not chain.is_ancestor(names[4], fork.header.hash())
    assert chain.is_ancestor(forge.genesis, fork.header.hash())
    assert not chain.is_ancestor(Hash(H256(b"?" * 32)), names[0])
    assert chain.ancestors(names[5], 4) == names[1:5][::-1]
    assert chain.ancestors(fork.header.hash(), 9) == [*names[:4][::-1], forge.genesis]
    assert chain.ancestors(names[1], 1) == [names[0]]
    assert chain.ancestors(forge.genesis, 3) == chain.ancestors(Hash(H256(b"?" * 32)), 3) == []


def test_everything_is_there_after_a_restart() -> None:
    forge, database = Forge(), MemoryDatabase()
    chain = open_chain(database)
    line = forge.line(forge.genesis, 25)
    fork = forge.block(line[20].header.hash(), b"f1")
    for block in (*line, fork):
        chain.import_block(block)
    chain.finalize(line[17].header.hash(), b"proof")
    leaves, by_number = chain.leaves(), [chain.hash_of(block.header.number) for block in line]
    again = open_chain(database.crash())
    assert again.finalized == line[17].header
    assert again.best == chain.best
    assert again.leaves() == leaves
    assert [again.hash_of(block.header.number) for block in line] == by_number
    for block in (*line, fork):
        hash = block.header.hash()
        assert again.state(hash).root == block.header.state_root
    assert again.justification(line[17].header.hash()) == b"proof"
    following = forge.block(line[-1].header.hash(), b"n1")
    assert isinstance(again.import_block(following), Imported)


def test_states_of_the_last_final_blocks_are_kept_and_older_ones_only_in_an_archive(
    long_line: list[Block],
) -> None:
    line, total = long_line, len(long_line)
    for archive in (False, True):
        database = MemoryDatabase()
        chain = open_chain(database, archive=archive)
        for block in line:
            chain.import_block(block)
            if block.header.number % 5 == 0:
                chain.finalize(block.header.hash(), None)
        chain.finalize(line[-1].header.hash(), None)
        chain = open_chain(database.crash(), archive=archive)
        for block in line[total - STATES_KEPT :: 40]:
            assert chain.state(block.header.hash()).root == block.header.state_root
        assert chain.state(chain.genesis_hash).root == GENESIS.root
        old = line[BASE_STEP]
        if archive:
            assert chain.state(old.header.hash()).root == old.header.state_root
        else:
            with pytest.raises(StateUnavailable):
                chain.state(old.header.hash())


def test_a_base_with_much_to_take_in_is_moved_in_steps(
    long_line: list[Block], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each finality moves it on, and every state that must be at hand is, also after a restart."""
    monkeypatch.setattr("parahost.chain.store.MOVED_BYTES", 5 * 4)
    monkeypatch.setattr("parahost.chain.states._SETTLED", 2)
    database = MemoryDatabase()
    chain = open_chain(database)
    for block in long_line:
        chain.import_block(block)
    bases = []
    for final in range(STATES_KEPT + 2 * BASE_STEP, STATES_KEPT + 2 * BASE_STEP + 10):
        chain.finalize(long_line[final - 1].header.hash(), None)
        base = database.get("meta", b"base")
        bases.append(1 + [bytes(hash) for hash in hashes(long_line)].index(base or b""))
        for opened in (chain, open_chain(deepcopy(database))):
            for block in (long_line[bases[-1] - 1], *long_line[bases[-1] :: 40]):
                state = opened.state(block.header.hash())
                assert state.root == block.header.state_root
    assert bases == [5, 10, 15, 20, 25, 25, 25, 25, 25, 30]


def test_the_database_of_another_chain_is_not_touched() -> None:
    database = MemoryDatabase()
    chain = open_chain(database)
    with pytest.raises(ForeignDatabase) as foreign:
        Chain.open(
            database,
            State.from_raw({b"gamma": b"3"}),
            genesis_view(),
            execute=execute,
            verifier=VERIFIER,
            clock=ManualClock(),
        )
    assert foreign.value.found == chain.genesis_hash
    assert "base path" in str(foreign.value)
    assert open_chain(database).genesis_hash == chain.genesis_hash


def test_a_block_that_is_kept_with_anothers_header_is_damage(long_line: list[Block]) -> None:
    database = MemoryDatabase()
    chain = open_chain(database)
    for block in long_line[:3]:
        chain.import_block(block)
    swapped = Batch()
    swapped.put("headers", long_line[2].header.hash(), long_line[1].header.encoded())
    database.write(swapped, durable=True)
    with pytest.raises(DamagedDatabase, match="another's header"):
        open_chain(database)


@pytest.mark.parametrize("table", ["meta", "headers", "base", "deltas", "open", "epochs"])
@pytest.mark.parametrize("damage", [None, b"\xff\xff"])
def test_damage_is_found_and_named(
    long_line: list[Block], table: str, damage: bytes | None
) -> None:
    database, line = MemoryDatabase(), long_line[: STATES_KEPT + BASE_STEP + 4]
    chain = open_chain(database)
    for block in line:
        chain.import_block(block)
    chain.finalize(line[-3].header.hash(), None)
    batch = Batch()
    for key, _ in database.scan(table):
        batch.changes[table, key] = damage
    database.write(batch, durable=True)
    if (table, damage) == ("open", None):
        assert open_chain(database).best == line[-3].header
        return
    with pytest.raises(DamagedDatabase, match="of the chain is damaged"):
        open_chain(database)


def test_two_blocks_of_one_author_in_one_slot_are_proved_once() -> None:
    forge, chain = Forge(), open_chain()
    proofs: list[BabeEquivocationProof] = []
    chain.on_equivocation = proofs.append
    one = forge.block(forge.genesis, b"a1")
    double, triple = forge.block(forge.genesis, b"a2"), forge.block(forge.genesis, b"a3")
    chain.import_block(one)
    chain.import_block(one)
    assert proofs == []
    chain.import_block(double)
    chain.import_block(triple)
    assert [(p.first_header, p.second_header) for p in proofs] == [(one.header, double.header)]


def test_what_is_not_known_cannot_become_final() -> None:
    forge, chain = Forge(), open_chain()
    for block in forge.line(forge.genesis, 2):
        chain.import_block(block)
    chain.finalize(chain.best_hash, None)
    for unknown in (Hash(H256(b"?" * 32)), forge.block(forge.genesis, b"f1").header.hash()):
        with pytest.raises(UnknownBlock):
            chain.finalize(unknown, b"proof")
    assert chain.finalized == chain.best
    assert chain.justification(chain.best_hash) is None


def test_the_chain_lives_in_lmdb(tmp_path: Path) -> None:
    forge = Forge()
    line = forge.line(forge.genesis, 12)
    database = LmdbDatabase(tmp_path / "db")
    chain = open_chain(database)
    for block in line:
        chain.import_block(block)
    chain.finalize(line[6].header.hash(), b"proof")
    database.close()
    database = LmdbDatabase(tmp_path / "db")
    again = open_chain(database)
    assert again.finalized == line[6].header
    assert again.best == line[-1].header
    assert again.state(again.best_hash).root == line[-1].header.state_root
    database.close()
