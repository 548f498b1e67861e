"""What the runtime answers to the node, as a block's children see it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parahost.primitives.acceptance import AcceptanceCriteria
from parahost.primitives.basic import U32, BlockNumber, HeadData, SessionIndex
from parahost.primitives.hashing import blake2_256
from parahost.primitives.runtime_api import (
    CandidateBackedEvent,
    CandidateIncludedEvent,
    CoreFree,
    CoreScheduled,
    GroupRotationInfo,
    OccupiedCore,
    OccupiedCoreAssumption,
    PlannedUpgrade,
    ScheduledCore,
)
from parahost.primitives.scale import BitVec
from parahost.runtime.parachains.api import time_out_at
from parahost.runtime.parachains.paras import validation_code_hash
from parahost.runtime.parachains.scheduler import FreedReason
from parahost.runtime.storage import Overlay

from .world import World, block, claim, code, collator, core, para, validator_ids

INCLUDED = OccupiedCoreAssumption.INCLUDED
TIMED_OUT = OccupiedCoreAssumption.TIMED_OUT
FREE = OccupiedCoreAssumption.FREE


def sample() -> World:
    """Para 1 has a pending candidate, para 2 is free; 11 has one pending on core 2, 12 and 13
    wait."""
    world = World(
        validators=8,
        parachains=[1, 2],
        parathreads=[11, 12, 13],
        parathread_cores=1,
        parathread_retries=5,
        scheduling_lookahead=5,
        parachain_rotation_frequency=0,
        chain_availability_period=6,
        thread_availability_period=7,
    )

    def add_claims(store: Overlay) -> None:
        for number in (11, 12, 13):
            world.host.scheduler.add_parathread_claim(store, claim(number, f"of {number}"))

    world.add_block(extrinsics=add_claims)
    world.add_block(world.data(candidates=[world.candidate(1), world.candidate(11, by="of 11")]))
    world.add_block(world.data(world.bitfields({0: [0], 5: [0]})))
    return world


@pytest.mark.guide("A115")
def test_validators_and_session() -> None:
    world = sample()
    assert world.api.validators(world.state) == validator_ids(8)
    assert world.api.session_index_for_child(world.state) == 0
    info = world.api.session_info(world.state, SessionIndex(U32(0)))
    assert info is not None
    assert info.validators == validator_ids(8)
    assert info.groups == world.host.scheduler.validator_groups.get(world.state)
    assert info.cores == 3
    assert world.api.session_info(world.state, SessionIndex(U32(1))) is None


@pytest.mark.guide("A115")
def test_groups_rotate_as_the_child_sees_it() -> None:
    world = World(validators=6, parachains=[1, 2, 3], parachain_rotation_frequency=2)
    world.add_block()
    answer = world.api.validator_groups(world.state)
    assert answer.rotation == GroupRotationInfo(block(0), block(2), block(2))
    groups = {n: answer.rotation.group_for_core(core(n), 3) for n in range(3)}
    for number in range(3):
        assert world.assignment(number + 1).group_idx == groups[number]


@pytest.mark.guide("A115")
def test_availability_cores() -> None:
    world = sample()
    first, second, third = world.api.availability_cores(world.state)
    pending = world.host.inclusion.pending_availability.get(world.state, para(1))
    assert pending is not None
    assert first == OccupiedCore(
        next_up_on_available=ScheduledCore(para(1), None),
        occupied_since=block(2),
        time_out_at=block(8),
        next_up_on_time_out=ScheduledCore(para(1), None),
        availability=BitVec.with_ones(8, [0, 5]),
        group_responsible=pending.backing_group,
        candidate_hash=pending.receipt.hash(),
        candidate_descriptor=pending.receipt.descriptor,
    )
    assert second == CoreScheduled(ScheduledCore(para(2), None))
    assert isinstance(third, OccupiedCore)
    assert third.next_up_on_available == ScheduledCore(para(12), collator("of 12"))
    assert third.next_up_on_time_out == third.next_up_on_available
    assert third.time_out_at == 9
    assert third.para_id == 11


@pytest.mark.guide("A115")
def test_an_occupied_threads_own_claim_is_next_when_nobody_waits() -> None:
    world = World(validators=4, parathreads=[11], parathread_cores=1, parathread_retries=5)
    assert world.api.availability_cores(world.state) == (CoreFree(),)
    world.add_block(
        extrinsics=lambda store: world.host.scheduler.add_parathread_claim(store, claim(11))
    )
    assert world.api.availability_cores(world.state) == (
        CoreScheduled(ScheduledCore(para(11), collator("collator"))),
    )
    world.add_block(world.data(candidates=[world.candidate(11)]))
    (occupied,) = world.api.availability_cores(world.state)
    assert isinstance(occupied, OccupiedCore)
    assert occupied.next_up_on_available is None
    assert occupied.next_up_on_time_out == ScheduledCore(para(11), collator("collator"))


@pytest.mark.guide("A37", "A115")
@pytest.mark.parametrize(
    ("claims", "after_time_out"),
    [
        ((11, 12), (11, None)),  # the next claim goes to core 0
        ((11, 12, 13), (13, 12)),  # to core 1
        ((11, 12, 13, 14), (13, 14)),
    ],
)
def test_a_timed_out_claim_goes_to_the_core_whose_turn_it_is(
    claims: tuple[int, ...], after_time_out: tuple[int | None, ...]
) -> None:
    """Two parathread cores, with a candidate of 11 and one of 12; each answer supposes that only
    its own core times out."""
    world = World(
        validators=4,
        parathreads=[11, 12, 13, 14],
        parathread_cores=2,
        parathread_retries=9,
        scheduling_lookahead=4,
        parachain_rotation_frequency=0,
    )

    def add(store: Overlay) -> None:
        for number in claims:
            world.host.scheduler.add_parathread_claim(store, claim(number))

    world.add_block(extrinsics=add)
    world.add_block(world.data(candidates=[world.candidate(11), world.candidate(12)]))
    cores = world.api.availability_cores(world.state)
    answers = [core.next_up_on_time_out for core in cores if isinstance(core, OccupiedCore)]
    assert len(answers) == 2
    shown = tuple(None if next_ is None else next_.para_id for next_ in answers)
    assert shown == after_time_out

    for number in range(2):  # what the scheduler does
        store = world.child()
        world.host.scheduler.schedule(store, {core(number): FreedReason.TIMED_OUT})
        now = {each.core: each.para_id for each in world.host.scheduler.scheduled(store)}
        assert now.get(core(number)) == after_time_out[number]


@pytest.mark.guide("A115")
def test_next_up_is_who_comes_next() -> None:
    """When the candidate becomes available in the next block."""
    world = sample()
    (*_, third) = world.api.availability_cores(world.state)
    assert isinstance(third, OccupiedCore)
    world.add_block(world.data(world.all_vote([2])))
    store = world.child()
    assert world.host.scheduler.core_para(store, core(2)) is not None
    included = [e.receipt.descriptor.para_id for e in world.api.candidate_events(world.state)]
    assert included == [11]


@pytest.mark.guide("A36", "A115")
@given(st.integers(0, 5), st.integers(0, 12), st.integers(1, 12), st.integers(0, 40), st.data())
def test_time_out_at_is_the_first_block_of_the_predicate(
    start: int, frequency: int, period: int, age: int, data: st.DataObject
) -> None:
    since = start + data.draw(st.integers(0, 20))
    now = since + 1 + age

    def is_timed_out(at: int) -> bool:
        phase = (at - start) % frequency if frequency else 0
        return phase < period and at - since >= period

    expected = next(at for at in range(now, now + 100) if is_timed_out(at))
    info = GroupRotationInfo(*(BlockNumber(U32(n)) for n in (start, frequency, now)))
    assert time_out_at(info, block(since), block(period)) == expected


@pytest.mark.guide("A115")
def test_validation_data_under_assumptions() -> None:
    world = sample()

    def head(number: int, assumption: OccupiedCoreAssumption) -> bytes | None:
        data = world.api.persisted_validation_data(world.state, para(number), assumption)
        if data is None:
            return None
        assert data.relay_parent_number == world.number
        assert data.relay_parent_storage_root == world.header.state_root
        assert data.max_pov_size == 10 * 1024 * 1024
        return data.parent_head

    assert head(1, INCLUDED) == b"new head"
    assert head(1, TIMED_OUT) == b"head of 1"
    assert head(1, FREE) is None
    assert [head(2, assumption) for assumption in (INCLUDED, TIMED_OUT, FREE)] == [b"head of 2"] * 3
    assert head(99, FREE) is None


@pytest.mark.guide("A115")
def test_a_collation_on_validation_data_from_the_api_is_accepted() -> None:
    world = World(validators=4, parachains=[1])
    world.add_block()
    data = world.api.persisted_validation_data(world.state, para(1), FREE)
    assert data is not None
    backed = world.candidate(1)
    assert backed.candidate.descriptor.persisted_validation_data_hash == data.hash()
    world.add_block(world.data(candidates=[backed]))


@pytest.mark.guide("A20", "A115")
def test_validation_code_under_assumptions() -> None:
    world = World(
        validators=4,
        parachains=[1],
        validation_upgrade_delay=2,
        validation_upgrade_frequency=1,
        chain_availability_period=1,
        thread_availability_period=1,
    )
    world.include(1, new_code=code(1, 1))  # relay parent 0, expected at 2
    world.add_block(world.data(candidates=[world.candidate(1)]))  # relay parent 2, block 3
    assert world.api.validation_code(world.state, para(1), TIMED_OUT) == code(1)
    assert world.api.validation_code(world.state, para(1), INCLUDED) == code(1, 1)
    assert world.api.validation_code(world.state, para(1), FREE) is None
    assert world.api.validation_code(world.state, para(9), FREE) is None
    assert world.api.validation_code_hash(world.state, para(1), INCLUDED) == blake2_256(code(1, 1))
    assert world.api.validation_code_hash(world.state, para(1), FREE) is None
    found = world.api.validation_code_by_hash(world.state, validation_code_hash(code(1, 1)))
    assert found == code(1, 1)


@pytest.mark.guide("A45", "A115")
def test_acceptance_criteria_under_assumptions() -> None:
    """The pending candidate announces code that is expected at 20: with it, the next may be
    announced from 20 on; without it, at once."""
    world = World(
        validators=4,
        parachains=[1],
        validation_upgrade_delay=20,
        validation_upgrade_frequency=7,
        max_head_data_size=100,
        max_code_size=1000,
    )
    world.add_block(world.data(candidates=[world.candidate(1, new_code=code(1, 1))]))
    expected = AcceptanceCriteria(
        max_head_data_size=U32(100),
        max_code_size=U32(1000),
        new_code_allowed_from=block(0),
        relay_parent_number=block(1),
    )
    assert world.api.acceptance_criteria(world.state, para(1), TIMED_OUT) == expected
    included = replace(expected, new_code_allowed_from=block(20))
    assert world.api.acceptance_criteria(world.state, para(1), INCLUDED) == included
    assert world.api.acceptance_criteria(world.state, para(1), FREE) is None
    assert world.api.acceptance_criteria(world.state, para(9), TIMED_OUT) is None


@pytest.mark.guide("A18", "A96", "A115")
def test_planned_upgrades_under_assumptions() -> None:
    """Code that a pending candidate announces is planned for whoever builds on that candidate; it
    is no more when a block that was made when it was expected is taken as included."""
    world = World(validators=4, parachains=[1], validation_upgrade_delay=6)
    assert world.api.new_code_expected_at(world.state) == block(6)
    world.add_block(world.data(candidates=[world.candidate(1, new_code=code(1, 1))]))
    planned = PlannedUpgrade(validation_code_hash(code(1, 1)), block(6))
    assert world.api.new_code_expected_at(world.state) == block(7)
    assert world.api.planned_upgrade(world.state, para(1), TIMED_OUT) is None
    assert world.api.planned_upgrade(world.state, para(1), INCLUDED) == planned
    world.add_block(world.data(world.all_vote([0])))
    for _ in range(4):
        world.add_block()
    assert world.api.planned_upgrade(world.state, para(1), FREE) == planned
    world.add_block(world.data(candidates=[world.candidate(1)]))  # relay parent 6
    assert world.api.planned_upgrade(world.state, para(1), TIMED_OUT) == planned
    assert world.api.planned_upgrade(world.state, para(1), INCLUDED) is None
    assert world.api.planned_upgrade(world.state, para(9), FREE) is None


@pytest.mark.guide("A115")
def test_candidate_events_and_included_candidates() -> None:
    world = World(validators=4, parachains=[1, 2])
    backed = world.candidate(1, head=b"one")
    world.add_block(world.data(candidates=[backed]))
    (event,) = world.api.candidate_events(world.state)
    assert event == CandidateBackedEvent(
        backed.candidate.to_plain(),
        HeadData(b"one"),
        core(0),
        event.group,  # type: ignore[union-attr]
    )
    world.add_block(world.data(world.all_vote([0])))
    (event,) = world.api.candidate_events(world.state)
    assert isinstance(event, CandidateIncludedEvent)
    assert event.receipt == backed.candidate.to_plain()
    (record,) = world.api.included_candidates(world.state)
    assert record.receipt == event.receipt
    world.add_block()
    assert world.api.candidate_events(world.state) == ()
    assert world.api.disputes(world.state) == ()


@pytest.mark.guide("A115")
def test_answers_leave_no_trace() -> None:
    world = sample()
    root = world.state.root
    world.api.availability_cores(world.state)
    world.api.persisted_validation_data(world.state, para(1), INCLUDED)
    assert world.state.root == root
    assert world.host.paras.heads.get(world.state, para(1)) == b"head of 1"
