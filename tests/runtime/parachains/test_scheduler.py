"""Cores, claims and groups over blocks and sessions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from parahost.primitives.basic import H256, U32, SessionIndex
from parahost.runtime.origin import NoOrigin
from parahost.runtime.parachains.inclusion_inherent import InclusionCall
from parahost.runtime.parachains.paras import NotRegistered
from parahost.runtime.parachains.parathreads import ParathreadEntry, ParathreadQueue
from parahost.runtime.parachains.scheduler import (
    CannotOccupy,
    ClaimExists,
    CoreAssignment,
    FreedReason,
    OccupiedByParachain,
    OccupiedByParathread,
    QueueFull,
    Scheduler,
)
from parahost.runtime.storage import Overlay, Reader

from .world import World, block, claim, core, genesis_args, group, para

DONE, LATE = FreedReason.CONCLUDED, FreedReason.TIMED_OUT


def threads(**config: Any) -> World:
    """Two parachains and two cores for the parathreads 11 to 16."""
    settings = {"parathread_cores": 2, "scheduling_lookahead": 3, "parathread_retries": 1}
    everything: dict[str, Any] = {"validators": 6, **settings, **config}
    return World(parachains=[1, 2], parathreads=range(11, 17), **everything)


def scheduler_of(world: World) -> Scheduler:
    return world.host.scheduler


def add_claims(world: World, *numbers: int) -> None:
    def add(store: Overlay) -> None:
        for number in numbers:
            scheduler_of(world).add_parathread_claim(store, claim(number))

    world.add_block(extrinsics=add)


def queue(world: World, store: Reader | None = None) -> list[tuple[int, int, int]]:
    """Para, relative core and retries of each waiting claim."""
    waiting = scheduler_of(world).parathread_queue.get(store or world.state).queue
    return [(q.claim.claim.para_id, q.core, q.claim.retries) for q in waiting]


def index(world: World, store: Reader | None = None) -> tuple[int, ...]:
    return scheduler_of(world).parathread_claim_index.get(store or world.state)


def scheduled(world: World, store: Reader) -> list[tuple[int, int]]:
    return [(a.core, a.para_id) for a in scheduler_of(world).scheduled(store)]


# Types and cores


@pytest.mark.guide("A22")
def test_an_assignment_says_who_will_occupy_the_core() -> None:
    entry = ParathreadEntry(claim(11), U32(1))
    thread = CoreAssignment(core(2), para(11), claim(11).collator, group(0), retries=U32(1))
    assert thread.occupant() == OccupiedByParathread(entry)
    chain = CoreAssignment(core(0), para(1), None, group(0), retries=U32(0))
    assert chain.occupant() == OccupiedByParachain()


@pytest.mark.guide("A23", "A25", "A29")
def test_the_ith_parachain_has_the_ith_core_and_the_rest_multiplex() -> None:
    world = threads()
    add_claims(world, 11, 12)
    store = world.child()
    assert scheduled(world, store) == [(0, 1), (1, 2), (2, 11), (3, 12)]
    assert scheduler_of(world).availability_cores.get(store) == (None,) * 4
    assert len(scheduler_of(world).validator_groups.get(store)) == 4
    assert [scheduler_of(world).core_para(store, core(i)) for i in range(5)] == [1, 2, 11, 12, None]


@pytest.mark.guide("A23", "A30")
def test_scheduled_cores_are_gone_when_the_block_ends() -> None:
    world = threads()
    world.add_block()
    assert scheduler_of(world).scheduled(world.state) == ()


@pytest.mark.guide("A24", "A34")
def test_a_core_can_be_freed_and_occupied_again_within_a_block() -> None:
    world = threads()
    scheduler = scheduler_of(world)
    store = world.child()
    scheduler.occupied(store, [core(0)])
    assert scheduler.availability_cores.get(store)[0] == OccupiedByParachain()
    assert scheduled(world, store) == [(1, 2)]
    assert scheduler.core_para(store, core(0)) == 1
    scheduler.schedule(store, {core(0): DONE})
    assert scheduler.availability_cores.get(store)[0] is None
    assert scheduled(world, store) == [(0, 1), (1, 2)]
    scheduler.occupied(store, [core(0), core(1)])
    assert scheduled(world, store) == []


@pytest.mark.guide("A34")
def test_group_validators() -> None:
    world = threads()
    scheduler = scheduler_of(world)
    groups = scheduler.validator_groups.get(world.state)
    for number, members in enumerate(groups):
        assert scheduler.group_validators(world.state, group(number)) == members
    assert scheduler.group_validators(world.state, group(4)) is None


@pytest.mark.guide("A35")
@pytest.mark.parametrize("cores", [[1, 0], [0, 0], [2], [0, 4]])
def test_only_scheduled_cores_in_order_become_occupied(cores: list[int]) -> None:
    world = threads()
    with pytest.raises(CannotOccupy) as caught:
        scheduler_of(world).occupied(world.child(), [core(number) for number in cores])
    assert caught.value.cores == tuple(cores)


# Claims


@pytest.mark.guide("A31")
def test_claims_go_round_robin_over_the_cores() -> None:
    world = threads()
    store = Overlay(world.state)
    for number in (13, 11, 12):
        scheduler_of(world).add_parathread_claim(store, claim(number))
    assert queue(world, store) == [(13, 0, 0), (11, 1, 0), (12, 0, 0)]
    assert scheduler_of(world).parathread_queue.get(store).next_core == 1
    assert index(world, store) == (11, 12, 13)


@pytest.mark.guide("A31")
def test_one_claim_a_thread_wherever_it_is() -> None:
    world = threads()
    scheduler = scheduler_of(world)
    add_claims(world, 11)
    with pytest.raises(ClaimExists):
        scheduler.add_parathread_claim(Overlay(world.state), claim(11, "another"))
    store = world.child()
    with pytest.raises(ClaimExists):
        scheduler.add_parathread_claim(store, claim(11))
    scheduler.occupied(store, [core(2)])
    with pytest.raises(ClaimExists):
        scheduler.add_parathread_claim(store, claim(11))
    scheduler.schedule(store, {core(2): DONE})
    scheduler.add_parathread_claim(store, claim(11))


@pytest.mark.guide("A31")
def test_the_queue_holds_lookahead_times_cores() -> None:
    world = threads(scheduling_lookahead=2)
    store = Overlay(world.state)
    for number in range(11, 15):
        scheduler_of(world).add_parathread_claim(store, claim(number))
    with pytest.raises(QueueFull) as caught:
        scheduler_of(world).add_parathread_claim(store, claim(15))
    assert caught.value.limit == 4


@pytest.mark.guide("A31")
@pytest.mark.parametrize("number", [1, 99])
def test_claims_are_for_parathreads(number: int) -> None:
    world = threads()
    with pytest.raises(NotRegistered):
        scheduler_of(world).add_parathread_claim(Overlay(world.state), claim(number))


# Freeing and retries


@pytest.mark.guide("A32", "A37")
@pytest.mark.parametrize(("reason", "left"), [(DONE, ()), (LATE, (11,))])
def test_a_freed_claim_is_done_or_waits_again(reason: FreedReason, left: tuple[int, ...]) -> None:
    """A failure in availability is no retry of the collator's."""
    world = threads(parathread_cores=1)
    add_claims(world, 11, 12)
    scheduler = scheduler_of(world)
    store = world.child()
    scheduler.occupied(store, [core(2)])
    scheduler.schedule(store, {core(2): reason})
    assert scheduled(world, store) == [(0, 1), (1, 2), (2, 12)]
    assert index(world, store) == (*left, 12)
    assert queue(world, store) == [(number, 0, 0) for number in left]


@pytest.mark.guide("A28", "A30")
def test_an_unbacked_claim_is_retried_and_then_dropped() -> None:
    world = threads(parathread_retries=2)
    add_claims(world, 11)
    for retries in (1, 2):
        world.add_block()
        assert [(number, tries) for number, _, tries in queue(world)] == [(11, retries)]
        assert index(world) == (11,)
    world.add_block()
    assert queue(world) == []
    assert index(world) == ()


@pytest.mark.guide("A30")
def test_a_returned_claim_goes_behind_those_that_wait() -> None:
    world = threads(parathread_cores=1)
    add_claims(world, 11, 12)
    world.add_block()
    assert queue(world) == [(12, 0, 0), (11, 0, 1)]


@pytest.mark.guide("A30")
def test_a_claim_on_a_core_without_a_group_loses_no_try() -> None:
    """Three validators and four cores: nobody can back on the last. The claim there keeps its
    tries, and comes to a core with a group when the other claim has used its own."""
    world = threads(validators=3, parathread_retries=1)
    groups = scheduler_of(world).validator_groups.get(world.state)
    assert [len(group) for group in groups] == [1, 1, 1, 0]
    add_claims(world, 11, 12)
    assert scheduled(world, world.child()) == [(0, 1), (1, 2), (2, 11), (3, 12)]
    world.add_block()
    assert queue(world) == [(11, 0, 1), (12, 1, 0)]
    world.add_block()
    assert queue(world) == [(12, 0, 0)]
    assert scheduled(world, world.child())[2:] == [(2, 12)]
    world.add_block(world.data(candidates=[world.candidate(12)]))
    assert index(world) == (12,)


# Sessions


@pytest.mark.guide("A26")
def test_a_session_change_clears_the_cores_and_returns_their_claims() -> None:
    world = threads()
    add_claims(world, 11, 12)
    world.add_block()  # both are scheduled in vain
    world.add_block(world.data(candidates=[world.candidate(1), world.candidate(11)]))
    assert scheduler_of(world).availability_cores.get(world.state)[2] is not None
    assert queue(world) == []
    assert index(world) == (11,)
    world.add_block(new_session=6)
    assert scheduler_of(world).availability_cores.get(world.state) == (None,) * 4
    assert [(number, tries) for number, _, tries in queue(world)] == [(11, 1)]
    assert index(world) == (11,)
    assert scheduler_of(world).session_start_block.get(world.state) == world.number


@pytest.mark.guide("A26", "A27")
def test_a_session_change_resizes_cores_and_groups() -> None:
    world = World(validators=7, parachains=[1, 2])
    paras = world.host.paras
    world.add_block(
        extrinsics=lambda store: paras.schedule_para_initialize(
            store, para(3), genesis_args(3, parachain=True)
        )
    )
    assert len(scheduler_of(world).availability_cores.get(world.state)) == 2
    world.add_block(new_session=7)
    assert len(scheduler_of(world).availability_cores.get(world.state)) == 3
    groups = scheduler_of(world).validator_groups.get(world.state)
    assert [len(group) for group in groups] == [3, 2, 2]


@pytest.mark.guide("A27")
def test_groups_are_drawn_by_the_sessions_seed() -> None:
    """The vector is of Westend: 17 validators, here in groups of 4, 4, 3, 3, 3."""
    world = World(validators=17, parachains=[1, 2, 3, 4, 5])
    seed = bytes.fromhex("9a14667dcf973e46392904593e8caf2fb7a57904edbadf1547531657e7a56b5e")
    store = Overlay(world.state)
    notification = world.host.initializer.notification(
        store,
        session_index=SessionIndex(U32(1)),
        validators=world.validators,
        queued=world.validators,
        random_seed=H256(seed),
    )
    world.host.on_session_change(store, notification)
    assert scheduler_of(world).validator_groups.get(store) == (
        (7, 12, 14, 1),
        (4, 16, 3, 11),
        (9, 6, 13),
        (15, 5, 0),
        (8, 10, 2),
    )


@pytest.mark.guide("A28")
@pytest.mark.parametrize("cores", [1, 3])
def test_claims_are_spread_evenly_when_the_number_of_cores_changes(cores: int) -> None:
    world = threads()
    add_claims(world, 11, 12, 13, 14, 15)
    world.add_block(
        extrinsics=lambda store: world.host.configuration.update_configuration(
            store, lambda config: replace(config, parathread_cores=U32(cores))
        ),
        new_session=6,
    )
    waiting = queue(world)
    assert sorted(number for number, _, _ in waiting) == [11, 12, 13, 14, 15]
    assert [c for _, c, _ in waiting] == [place % cores for place in range(5)]
    assert scheduler_of(world).parathread_queue.get(world.state).next_core == 5 % cores


@pytest.mark.guide("A28")
def test_claims_keep_their_cores_when_the_number_stays() -> None:
    world = threads()
    add_claims(world, 11, 12, 13, 14, 15)
    before = [entry for entry in queue(world) if entry[0] in (13, 14, 15)]
    world.add_block(new_session=6)
    assert queue(world)[:3] == before


@pytest.mark.guide("A28")
def test_a_session_change_drops_claims_of_threads_that_go() -> None:
    """Wherever they are: 11 is on a core, 13 waits."""
    world = threads(parathread_cores=1, parathread_retries=5)
    add_claims(world, 11, 12, 13)
    world.add_block(world.data(candidates=[world.candidate(11)]))

    def deregister(store: Overlay) -> None:
        for number in (11, 13):
            world.host.paras.schedule_para_cleanup(store, para(number))

    world.add_block(extrinsics=deregister)
    assert index(world) == (11, 12, 13)
    world.add_block(new_session=6)
    assert queue(world) == [(12, 0, 0)]
    assert index(world) == (12,)


@pytest.mark.guide("A28")
def test_a_session_change_drops_claims_over_the_retries() -> None:
    world = threads(parathread_cores=1, parathread_retries=2)
    add_claims(world, 11, 12)
    for _ in range(3):
        world.add_block()
    assert queue(world) == [(12, 0, 1), (11, 0, 2)]
    world.add_block(
        extrinsics=lambda store: world.host.configuration.update_configuration(
            store, lambda config: replace(config, parathread_retries=U32(1))
        ),
        new_session=6,
    )
    assert queue(world) == []
    assert index(world) == ()


@pytest.mark.guide("A28")
def test_without_parathread_cores_no_claim_stays() -> None:
    world = threads()
    add_claims(world, 11, 12)
    world.add_block(
        extrinsics=lambda store: world.host.configuration.update_configuration(
            store, lambda config: replace(config, parathread_cores=U32(0))
        ),
        new_session=6,
    )
    assert scheduler_of(world).parathread_queue.get(world.state) == ParathreadQueue()
    assert index(world) == ()
    with pytest.raises(QueueFull):
        scheduler_of(world).add_parathread_claim(Overlay(world.state), claim(11))


# Rotation and timeouts


@pytest.mark.guide("A33")
def test_groups_rotate_over_the_cores() -> None:
    world = World(validators=6, parachains=[1, 2, 3], parachain_rotation_frequency=2)
    seen = []
    for _ in range(7):
        store = world.child()
        seen.append([a.group_idx for a in scheduler_of(world).scheduled(store)])
        world.add_block()
    unrotated, once, twice = [0, 1, 2], [2, 0, 1], [1, 2, 0]
    assert seen == [unrotated, once, once, twice, twice, unrotated, unrotated]


@pytest.mark.guide("A36")
def test_timeouts_only_soon_after_a_rotation_and_after_the_period() -> None:
    """Session start 0, rotation every 10 blocks; 3 blocks for parachains, 5 for parathreads."""
    world = threads(
        parachain_rotation_frequency=10,
        chain_availability_period=3,
        thread_availability_period=5,
    )
    scheduler = scheduler_of(world)
    for number in range(1, 31):
        is_timed_out = scheduler.availability_timeout_predicate(world.child())
        phase = number % 10
        assert (is_timed_out is None) == (phase >= 5)
        if is_timed_out is not None:
            for since in range(number):
                old = number - since
                assert is_timed_out(core(0), block(since)) == (phase < 3 and old >= 3)
                assert is_timed_out(core(2), block(since)) == (phase < 5 and old >= 5)
        world.add_block()


@pytest.mark.guide("A36")
def test_without_rotation_a_candidate_times_out_after_its_period() -> None:
    world = World(parachains=[1], parachain_rotation_frequency=0, chain_availability_period=4)
    world.add_block(world.data(candidates=[world.candidate(1)]))
    for _ in range(3):
        world.add_block()
        assert world.pending_cores() == [0]
    world.add_block()
    assert world.pending_cores() == []


@pytest.mark.guide("A36", "A37")
def test_a_timed_out_parathread_keeps_its_claim_and_its_tries() -> None:
    """Its collator could not do anything about it (D5)."""
    world = threads(
        validators=8,
        parathread_cores=1,
        parachain_rotation_frequency=0,
        thread_availability_period=2,
    )
    add_claims(world, 11)
    world.add_block()  # scheduled in vain: one try is gone
    assert queue(world) == [(11, 0, 1)]
    world.add_block(world.data(candidates=[world.candidate(11)]))
    world.add_block()
    assert world.pending_cores() == [2]
    store = world.child()
    inherent = world.host.inclusion_inherent
    inherent.dispatch(store, NoOrigin(), InclusionCall(world.data()))
    assert list(world.host.inclusion.pending_availability.keys(store)) == []
    assert scheduled(world, store)[2:] == [(2, 11)]
    assert scheduler_of(world).scheduled(store)[2].retries == 1
    assert index(world, store) == (11,)


@pytest.mark.guide("A37")
def test_the_group_that_backed_stays_responsible_after_a_rotation() -> None:
    world = World(
        validators=6,
        parachains=[1, 2, 3],
        parachain_rotation_frequency=3,
        chain_availability_period=3,
    )
    backing = world.assignment(1).group_idx
    world.add_block(world.data(candidates=[world.candidate(1)]))
    world.add_blocks_until(3)
    occupied = world.api.availability_cores(world.state)[0]
    rotation = world.api.validator_groups(world.state).rotation
    assert rotation.group_for_core(core(0), 3) != backing
    assert getattr(occupied, "group_responsible", None) == backing
