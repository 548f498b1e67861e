"""Heads and code of paras through upgrades, sessions and pruning."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from parahost.primitives.basic import HeadData, ParaId, ValidationCode
from parahost.runtime.errors import RuntimeBug
from parahost.runtime.parachains.paras import (
    AlreadyRegistered,
    NotRegistered,
    Paras,
    validation_code_hash,
)
from parahost.runtime.parachains.past_code import (
    ParaPastCodeMeta,
    ReplacementTimes,
    UseCurrent,
    UseReplacedAt,
)
from parahost.runtime.storage import Overlay

from .world import World, block, code, genesis_args, para

A = para(1)


def act(world: World, action: Callable[[Overlay], None]) -> None:
    world.add_block(extrinsics=action)


def paras_of(world: World) -> Paras:
    return world.host.paras


def upgraded_world(*, acceptance: int = 10) -> World:
    """At block 12: new code was planned at block 1 for block 8, and applied in block 11 by a
    head whose relay parent was block 9."""
    world = World(parachains=[1], acceptance_period=acceptance)
    paras = paras_of(world)
    act(world, lambda store: paras.schedule_code_upgrade(store, A, code(1, 1), block(8)))
    world.add_blocks_until(9)
    world.add_block(
        extrinsics=lambda store: paras.note_new_head(store, A, HeadData(b"early"), block(7))
    )
    assert paras.validation_code.get(world.state, A) == code(1)
    world.add_block(
        extrinsics=lambda store: paras.note_new_head(store, A, HeadData(b"late"), block(9))
    )
    world.add_block()
    return world


# Sets of paras


@pytest.mark.guide("A10")
def test_parachains_are_listed_ascending_without_parathreads() -> None:
    world = World(parachains=[7, 3], parathreads=[5])
    paras = paras_of(world)
    assert paras.parachains(world.state) == (3, 7)
    for number in (3, 5, 7):
        assert paras.heads.get(world.state, para(number)) == b"head of %d" % number
        assert paras.validation_code.get(world.state, para(number)) == code(number)
    assert paras.is_parathread(world.state, para(5))
    assert not paras.is_parathread(world.state, para(3))
    assert not paras.is_parathread(world.state, para(4))


@pytest.mark.guide("A13", "A14", "A16", "A21")
def test_a_para_comes_with_the_next_session_only() -> None:
    world = World(parachains=[3])
    paras = paras_of(world)
    act(
        world,
        lambda s: paras.schedule_para_initialize(s, para(5), genesis_args(5, parachain=True)),
    )
    act(
        world,
        lambda s: paras.schedule_para_initialize(s, para(2), genesis_args(2, parachain=False)),
    )
    assert paras.upcoming_paras.get(world.state) == (2, 5)
    assert paras.upcoming_paras_genesis.contains(world.state, para(5))
    assert paras.parachains(world.state) == (3,)
    assert not paras.is_registered(world.state, para(2))

    world.add_block(new_session=6)
    assert paras.parachains(world.state) == (3, 5)
    assert paras.is_parathread(world.state, para(2))
    assert paras.validation_code.get(world.state, para(5)) == code(5)
    assert paras.upcoming_paras.get(world.state) == ()
    assert not paras.upcoming_paras_genesis.contains(world.state, para(5))


@pytest.mark.guide("A13", "A14", "A17", "A21")
def test_a_para_goes_with_the_next_session_and_its_code_becomes_past_code() -> None:
    world = World(parachains=[1, 3], acceptance_period=4)
    paras = paras_of(world)
    act(world, lambda s: paras.schedule_code_upgrade(s, A, code(1, 1), block(50)))
    act(world, lambda s: paras.schedule_para_cleanup(s, A))
    assert paras.outgoing_paras.get(world.state) == (1,)
    assert paras.parachains(world.state) == (1, 3)

    world.add_block(new_session=6)  # block 3
    assert paras.parachains(world.state) == (3,)
    for item in (paras.heads, paras.validation_code, paras.future_code):
        assert not item.contains(world.state, A)
    assert not paras.future_code_upgrades.contains(world.state, A)
    assert paras.past_code.get(world.state, (A, block(3))) == code(1)
    assert paras.past_code_pruning.get(world.state) == ((1, 3),)
    assert paras.validation_code_at(world.state, A, block(2)) == code(1)
    assert paras.validation_code_at(world.state, A, block(3)) is None

    world.add_blocks_until(7)
    assert paras.past_code.contains(world.state, (A, block(3)))
    world.add_block()
    assert not paras.past_code.contains(world.state, (A, block(3)))
    assert not paras.past_code_meta.contains(world.state, A)


@pytest.mark.guide("A14")
def test_a_para_can_go_and_come_back_as_another_at_once() -> None:
    world = World(parachains=[1])
    paras = paras_of(world)

    def replace_it(store: Overlay) -> None:
        paras.schedule_para_cleanup(store, A)
        paras.schedule_para_initialize(store, A, genesis_args(9, parachain=False))

    world.add_block(extrinsics=replace_it, new_session=6)
    assert paras.is_parathread(world.state, A)
    assert paras.validation_code.get(world.state, A) == code(9)
    assert paras.validation_code_at(world.state, A, block(0)) == code(1)
    assert paras.validation_code_at(world.state, A, block(1)) == code(9)


@pytest.mark.guide("A16", "A17")
def test_registration_refuses_contradictions() -> None:
    world = World(parachains=[1])
    paras = paras_of(world)
    store = Overlay(world.state)
    args = genesis_args(2, parachain=True)
    with pytest.raises(AlreadyRegistered):
        paras.schedule_para_initialize(store, A, args)
    with pytest.raises(NotRegistered):
        paras.schedule_para_cleanup(store, para(2))
    paras.schedule_para_initialize(store, para(2), args)
    with pytest.raises(AlreadyRegistered):
        paras.schedule_para_initialize(store, para(2), args)
    paras.schedule_para_cleanup(store, para(2))
    assert paras.upcoming_paras.get(store) == ()
    assert paras.outgoing_paras.get(store) == ()
    paras.schedule_para_cleanup(store, A)
    with pytest.raises(NotRegistered):
        paras.schedule_para_cleanup(store, A)


# Upgrades


@pytest.mark.guide("A12", "A18")
def test_a_planned_upgrade_waits() -> None:
    world = World(parachains=[1])
    paras = paras_of(world)
    act(world, lambda s: paras.schedule_code_upgrade(s, A, code(1, 1), block(8)))
    assert paras.future_code_upgrades.get(world.state, A) == 8
    assert paras.future_code.get(world.state, A) == code(1, 1)
    assert paras.validation_code.get(world.state, A) == code(1)
    world.add_blocks_until(12)
    assert paras.validation_code.get(world.state, A) == code(1)


@pytest.mark.guide("A11", "A19")
def test_the_first_head_from_the_expected_block_on_applies_the_upgrade() -> None:
    world = upgraded_world()
    paras = paras_of(world)
    assert paras.validation_code.get(world.state, A) == code(1, 1)
    assert paras.heads.get(world.state, A) == b"late"
    assert not paras.future_code_upgrades.contains(world.state, A)
    assert not paras.future_code.contains(world.state, A)
    times = ReplacementTimes(
        expected_at=block(8), activated_at=block(11), used_from=block(0), used_until=block(9)
    )
    meta = paras.past_code_meta.get(world.state, A)
    assert meta == ParaPastCodeMeta((times,), current_from=block(10))
    assert paras.past_code.get(world.state, (A, block(8))) == code(1)
    assert paras.past_code_pruning.get(world.state) == ((1, 11),)


@pytest.mark.guide("A19")
@pytest.mark.parametrize(("context", "applied"), [(7, False), (8, True), (9, True)])
def test_the_boundary_of_an_upgrade(context: int, applied: bool) -> None:
    world = World(parachains=[1])
    paras = paras_of(world)
    store = Overlay(world.state)
    paras.schedule_code_upgrade(store, A, code(1, 1), block(8))
    paras.note_new_head(store, A, HeadData(b"x"), block(context))
    assert paras.validation_code.get(store, A) == code(1, int(applied))


@pytest.mark.guide("A18")
def test_a_planned_upgrade_is_never_overwritten() -> None:
    world = World(parachains=[1])
    store = Overlay(world.state)
    paras_of(world).schedule_code_upgrade(store, A, code(1, 1), block(8))
    with pytest.raises(RuntimeBug):
        paras_of(world).schedule_code_upgrade(store, A, code(1, 2), block(9))


# Pruning


@pytest.mark.guide("A15")
def test_past_code_outlives_the_acceptance_period() -> None:
    """Activated in block 11, acceptance period 10: still there in block 21, gone in block 22."""
    world = upgraded_world(acceptance=10)
    paras = paras_of(world)
    world.add_blocks_until(21)
    assert paras.past_code.get(world.state, (A, block(8))) == code(1)
    world.add_block()
    assert paras.past_code.get(world.state, (A, block(8))) is None
    assert paras.past_code_pruning.get(world.state) == ()
    assert paras.past_code_meta.get(world.state, A) == ParaPastCodeMeta(
        (), last_pruned=block(8), current_from=block(10)
    )


@pytest.mark.guide("A11", "A15")
def test_pruning_tasks_ascend_by_block_and_may_repeat_a_para() -> None:
    world = World(parachains=[1, 2], acceptance_period=20, validation_upgrade_frequency=1)
    paras = paras_of(world)
    for version, number in ((1, 2), (1, 1), (2, 1)):

        def upgrade(store: Overlay, which: ParaId = para(number), v: int = version) -> None:
            expected_at = world.host.system.block_number(store)
            paras.schedule_code_upgrade(store, which, code(which, v), expected_at)
            paras.note_new_head(store, which, HeadData(b"%d" % v), expected_at)

        act(world, upgrade)
    assert paras.past_code_pruning.get(world.state) == ((2, 1), (1, 2), (1, 3))
    world.add_blocks_until(23)
    assert paras.past_code_pruning.get(world.state) == ((1, 3),)
    assert paras.past_code_meta.get(world.state, A).last_pruned == 2


# Lookups


@pytest.mark.guide("A20")
def test_code_lookup_before_an_upgrade_is_applied() -> None:
    world = World(parachains=[1])
    paras = paras_of(world)
    act(world, lambda s: paras.schedule_code_upgrade(s, A, code(1, 1), block(8)))

    def lookup(at: int, intermediate: int | None = None) -> ValidationCode | None:
        assumed = None if intermediate is None else block(intermediate)
        return paras.validation_code_at(world.state, A, block(at), assumed)

    assert lookup(3) == code(1)
    assert lookup(8) == code(1)
    assert lookup(100) == code(1)
    assert lookup(100, 7) == code(1)
    assert lookup(9, 8) == code(1, 1)
    assert lookup(100, 99) == code(1, 1)
    assert lookup(8, 8) is None, "an intermediate block is before"
    assert lookup(8, 9) is None


@pytest.mark.guide("A20")
def test_code_lookup_after_an_upgrade_is_applied_and_after_pruning() -> None:
    """New code was expected at 8; the block that brought it, made on 9, was judged by the old."""
    world = upgraded_world(acceptance=10)
    paras = paras_of(world)

    def lookup(at: int) -> ValidationCode | None:
        return paras.validation_code_at(world.state, A, block(at))

    assert [lookup(at) for at in (0, 7, 8, 9)] == [code(1)] * 4
    assert [lookup(at) for at in (10, 11, 100)] == [code(1, 1)] * 3
    world.add_blocks_until(22)
    assert [lookup(at) for at in (0, 7, 8, 9)] == [None] * 4
    assert [lookup(at) for at in (10, 100)] == [code(1, 1)] * 2


@pytest.mark.guide("A11", "A20")
def test_past_code_meta_finds_the_code_of_each_time() -> None:
    meta = ParaPastCodeMeta().reborn(block(3))
    for expected, activated, until in ((10, 12, 10), (20, 25, 23), (30, 31, 30)):
        meta = meta.with_replacement(block(expected), block(activated), block(until))

    def found(meta: ParaPastCodeMeta, *numbers: int) -> list[object]:
        uses = (meta.code_at(block(at)) for at in numbers)
        return [None if use is None else getattr(use, "expected_at", "current") for use in uses]

    assert found(meta, 2, 3, 10) == [None, 10, 10]
    assert found(meta, 11, 20, 23) == [20, 20, 20]
    assert found(meta, 24, 30, 31) == [30, 30, "current"]
    pruned, gone = meta.pruned_up_to(block(25))
    assert gone == (10, 20)
    assert pruned.last_pruned == 20
    assert found(pruned, 20, 23, 24) == [None, None, 30]
    assert meta.pruned_up_to(block(11)) == (meta, ())
    assert meta.most_recent_change() == 30
    assert pruned.pruned_up_to(block(99))[0].most_recent_change() == 30


@pytest.mark.guide("A11", "A20")
def test_a_later_life_knows_no_change_of_an_earlier_one() -> None:
    meta = ParaPastCodeMeta().with_replacement(block(10), block(12), block(11))
    ended = meta.with_replacement(block(20), block(20), block(19))
    later = ended.reborn(block(25))
    assert later.most_recent_change() is None
    assert later.pruned_up_to(block(20))[0].most_recent_change() is None
    uses = [later.code_at(block(at)) for at in (11, 12, 19, 20, 24)]
    assert uses == [UseReplacedAt(block(10)), *[UseReplacedAt(block(20))] * 2, None, None]
    assert later.code_at(block(25)) == UseCurrent()
    upgraded = later.with_replacement(block(30), block(33), block(31))
    assert upgraded.most_recent_change() == 30


@pytest.mark.guide("A20")
def test_code_is_found_by_hash_as_long_as_it_is_kept() -> None:
    world = upgraded_world(acceptance=10)
    old, new = validation_code_hash(code(1)), validation_code_hash(code(1, 1))
    assert world.api.validation_code_by_hash(world.state, old) == code(1)
    assert world.api.validation_code_by_hash(world.state, new) == code(1, 1)
    world.add_blocks_until(22)
    assert world.api.validation_code_by_hash(world.state, old) is None
    assert world.api.validation_code_by_hash(world.state, new) == code(1, 1)
