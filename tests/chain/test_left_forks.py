"""Forks that are left: nobody builds on them, until they come back or are final (D23, D27)."""

from __future__ import annotations

import pytest

from parahost.chain.blocks import Imported
from parahost.chain.chain import Chain, ChainEvent
from parahost.chain.errors import DamagedDatabase
from parahost.chain.store import ChainStore
from parahost.primitives.basic import U32, BlockNumber, Hash
from parahost.primitives.events import BestBlockEvent, BlockFinalizationEvent, BlockImportEvent
from parahost.primitives.header import Block
from parahost.runtime.storage import State
from parahost.storage.memory import MemoryDatabase
from tests.chain.world import Forge, hashes, open_chain

FREEZE = b"f"
"""An extrinsic ``f`` and digits: the blocks of these numbers are bad."""


def as_the_state_says(state: State, above: BlockNumber) -> BlockNumber | None:
    bad = map(int, (state.get_raw(FREEZE) or b"").decode())
    return min((BlockNumber(U32(each)) for each in bad if each > above), default=None)


def chain_of(*blocks: Block) -> tuple[Chain, list[ChainEvent]]:
    """A chain with these blocks, and what it has told of itself since."""
    chain = open_chain()
    chain.first_unviable = as_the_state_says
    for block in blocks:
        chain.import_block(block)
    told: list[ChainEvent] = []
    chain.subscribe(told.append)
    return chain, told


def test_a_fork_that_says_so_is_left_when_the_block_comes() -> None:
    """The third block finds the second to be bad: one goes back to the first, and on from there."""
    forge = Forge()
    one, two = forge.line(forge.genesis, 2)
    revert = forge.block(two.header.hash(), FREEZE + b"2")
    beyond = forge.block(revert.header.hash(), b"b1")
    again = forge.block(one.header.hash(), b"c1")
    chain, told = chain_of(one, two)
    first, second, third = hashes([one, two, revert])
    assert chain.import_block(revert) == Imported(third, False)
    assert chain.best_hash == first
    assert told == [
        BlockImportEvent(third, revert.header, False),
        BestBlockEvent(first, one.header),
    ]
    assert [chain.is_viable(each) for each in (first, second, third)] == [True, False, False]
    assert chain.heads() == [first]
    assert chain.hash_of(BlockNumber(U32(2))) is None
    told.clear()
    assert chain.import_block(beyond) == Imported(beyond.header.hash(), False)
    assert chain.import_block(again) == Imported(again.header.hash(), True)
    assert chain.best == again.header
    assert not any(isinstance(event, BestBlockEvent) for event in told)
    assert chain.leaves() == hashes([again, beyond])


def test_the_best_of_the_other_forks_is_best() -> None:
    forge = Forge()
    one, two = forge.line(forge.genesis, 2)
    low = forge.block(one.header.hash(), b"l1", primary=False, after=5)
    revert = forge.block(two.header.hash(), FREEZE + b"2", primary=True)
    chain, told = chain_of(one, two, low)
    chain.import_block(revert)
    assert chain.best == low.header
    assert told[1:] == [BestBlockEvent(low.header.hash(), low.header)]


def test_what_becomes_of_a_fork_that_is_not_best_is_no_news() -> None:
    forge = Forge()
    one, two, three = forge.line(forge.genesis, 3)
    low = forge.block(one.header.hash(), FREEZE + b"2", primary=False, after=5)
    chain, told = chain_of(one, two, three)
    assert chain.import_block(low) == Imported(low.header.hash(), False)
    assert told == [BlockImportEvent(low.header.hash(), low.header, False)]
    assert not chain.is_viable(low.header.hash())
    assert chain.leaves() == hashes([three, low])
    assert chain.heads() == hashes([three])


def test_a_fork_comes_back_when_nothing_is_held_against_it() -> None:
    forge = Forge()
    one, two, three = forge.line(forge.genesis, 3)
    chain, told = chain_of(one, two, three)
    chain.first_unviable = lambda state, above: BlockNumber(U32(2))
    chain.reconsider()
    assert chain.best == one.header
    chain.first_unviable = lambda state, above: None
    chain.reconsider()
    assert chain.best == three.header
    chain.reconsider()
    assert told == [
        BestBlockEvent(one.header.hash(), one.header),
        BestBlockEvent(three.header.hash(), three.header),
    ]


def test_what_two_forks_have_in_common_is_left_for_both() -> None:
    """One of two heads on a block tells that it is bad."""
    forge = Forge()
    one, two = forge.line(forge.genesis, 2)
    revert = forge.block(two.header.hash(), FREEZE + b"2")
    other = forge.block(two.header.hash(), b"o1", after=4)
    chain, _ = chain_of(one, two, revert)
    assert chain.import_block(other) == Imported(other.header.hash(), False)
    assert chain.best == one.header


def test_what_is_final_is_not_left() -> None:
    """Finality is of those who voted; what they did wrong is not ours to revert (D27)."""
    forge = Forge()
    one, two = forge.line(forge.genesis, 2)
    revert = forge.block(two.header.hash(), FREEZE + b"2")
    chain, told = chain_of(one, two, revert)
    assert chain.best == one.header
    chain.finalize(two.header.hash(), b"proof")
    assert chain.best == revert.header
    assert chain.is_viable(revert.header.hash())
    assert told == [
        BlockFinalizationEvent(two.header.hash(), two.header),
        BestBlockEvent(revert.header.hash(), revert.header),
    ]
    more = forge.block(revert.header.hash(), b"m1")
    assert chain.import_block(more) == Imported(more.header.hash(), True)


def test_what_is_final_hides_nothing_bad_above_it() -> None:
    """The third block finds the first two bad. When the first is final, the second is left."""
    forge = Forge()
    one, two = forge.line(forge.genesis, 2)
    revert = forge.block(two.header.hash(), FREEZE + b"12")
    beside = forge.block(one.header.hash(), b"b1", primary=False, after=7)
    chain, told = chain_of(one, two, beside, revert)
    assert chain.best_hash == forge.genesis
    chain.finalize(one.header.hash(), b"proof")
    assert chain.best == beside.header
    assert chain.heads() == hashes([beside])
    assert not chain.is_viable(two.header.hash())
    assert told[1:] == [BestBlockEvent(beside.header.hash(), beside.header)]
    beyond = forge.block(revert.header.hash(), b"d1")
    assert chain.import_block(beyond) == Imported(beyond.header.hash(), False)
    assert chain.best == beside.header


def test_what_is_bad_stays_so_when_its_parent_is_final() -> None:
    forge = Forge()
    one, two = forge.line(forge.genesis, 2)
    revert = forge.block(two.header.hash(), FREEZE + b"2")
    chain, _ = chain_of(one, two, revert)
    chain.finalize(one.header.hash(), b"proof")
    assert chain.best == one.header
    assert chain.heads() == hashes([one])
    assert not chain.is_viable(revert.header.hash())


def test_all_that_was_left_for_a_block_that_becomes_final_comes_back() -> None:
    forge = Forge()
    one, two = forge.line(forge.genesis, 2)
    others = [forge.block(two.header.hash(), b"o%d" % n, after=3 + n) for n in range(2)]
    revert = forge.block(two.header.hash(), FREEZE + b"1")
    chain, _ = chain_of(one, two, *others, revert)
    assert chain.heads() == [forge.genesis]
    chain.finalize(one.header.hash(), b"proof")
    assert set(chain.heads()) == set(hashes([*others, revert]))


def test_finality_elsewhere_forgets_what_was_left() -> None:
    forge = Forge()
    one, two = forge.line(forge.genesis, 2)
    revert = forge.block(two.header.hash(), FREEZE + b"2")
    again = forge.block(one.header.hash(), b"c1")
    chain, _ = chain_of(one, two, revert, again)
    chain.finalize(again.header.hash(), b"proof")
    assert chain.leaves() == chain.heads() == hashes([again])


def test_a_fork_may_take_back_what_it_said() -> None:
    """Governance has dealt with it, on that fork."""
    forge = Forge()
    one, two = forge.line(forge.genesis, 2)
    revert = forge.block(two.header.hash(), FREEZE + b"2")
    dealt_with = forge.block(revert.header.hash(), FREEZE)
    chain, _ = chain_of(one, two, revert)
    assert chain.import_block(dealt_with) == Imported(dealt_with.header.hash(), True)


def test_after_a_restart_the_same_forks_are_left() -> None:
    forge, database = Forge(), MemoryDatabase()
    one, two = forge.line(forge.genesis, 2)
    revert = forge.block(two.header.hash(), FREEZE + b"2")
    chain = open_chain(database)
    chain.first_unviable = as_the_state_says
    for block in (one, two, revert):
        chain.import_block(block)
    again = open_chain(database)
    again.first_unviable = as_the_state_says
    again.reconsider()
    assert again.best == chain.best == one.header
    assert again.heads() == chain.heads()


def test_long_without_finality_heads_far_below_are_not_judged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After a start each state is made from what has changed since the last final block."""
    forge, database = Forge(), MemoryDatabase()
    line = forge.line(forge.genesis, 120)
    beside = [forge.block(block.header.parent_hash, b"s1", primary=False) for block in line[3::4]]
    chain = open_chain(database)
    for block in (*line, *beside):
        chain.import_block(block)
    read: list[Hash] = []
    delta = ChainStore.delta

    def noted(store: ChainStore, hash: Hash) -> dict[bytes, bytes | None] | None:
        read.append(hash)
        return delta(store, hash)

    monkeypatch.setattr(ChainStore, "delta", noted)
    again = open_chain(database)
    again.first_unviable = as_the_state_says
    again.reconsider()
    assert again.best == chain.best == line[-1].header
    assert again.heads() == chain.heads()
    assert len(read) <= len(line) + 4 * 32


def test_a_state_that_is_held_on_a_long_way_has_its_root() -> None:
    """Its block's changes are damaged, and later ones hide that from the head's state."""
    forge, database = Forge(), MemoryDatabase()
    line = forge.line(forge.genesis, 120)
    chain = open_chain(database)
    for block in line:
        chain.import_block(block)
    hash = line[-33].header.hash()
    form = database.get("deltas", hash)
    assert form is not None
    database.damage("deltas", hash, form[:-1] + bytes([form[-1] ^ 1]))
    with pytest.raises(DamagedDatabase):
        open_chain(database).state(line[-1].header.hash())


def test_a_head_far_below_is_judged_when_a_block_comes_on_it() -> None:
    forge = Forge()
    line = forge.line(forge.genesis, 20)
    bad = forge.block(line[0].header.hash(), FREEZE + b"2", primary=False)
    chain, _ = chain_of(*line[:2], bad, *line[2:])
    chain.reconsider()
    beyond = forge.block(bad.header.hash(), b"b1", primary=False)
    assert chain.import_block(beyond) == Imported(beyond.header.hash(), False)
    assert not chain.is_viable(bad.header.hash())
    assert not chain.is_viable(beyond.header.hash())


def test_heads_far_below_are_judged_when_all_above_are_left() -> None:
    forge = Forge()
    line = forge.line(forge.genesis, 20)
    bad = forge.block(line[0].header.hash(), FREEZE + b"2", primary=False, after=3)
    good = forge.block(line[0].header.hash(), b"g1", primary=False, after=5)
    chain, _ = chain_of(*line[:1], bad, good, *line[1:])
    chain.first_unviable = lambda state, above: (
        as_the_state_says(state, above)
        if state.get_raw(b"f") or state.get_raw(b"g")
        else BlockNumber(U32(2))
    )
    chain.reconsider()
    assert chain.best == good.header
    assert chain.heads() == hashes([good])
