"""Who may back what, against the runtime that accepts it in the end."""

from __future__ import annotations

from dataclasses import replace

import pytest

from parahost.node.backing.assignments import ParaAssignment, assign, next_up
from parahost.primitives.basic import U32, BlockNumber
from parahost.primitives.candidates import CommittedCandidateReceipt
from parahost.primitives.runtime_api import (
    CoreFree,
    CoreScheduled,
    GroupRotationInfo,
    OccupiedCore,
    OccupiedCoreAssumption,
    ScheduledCore,
    ValidatorGroups,
)
from parahost.runtime.parachains.inclusion_errors import InvalidCandidate
from parahost.runtime.parachains.paras import validation_code_hash
from tests.node.backing.world import GROUPS, cores
from tests.runtime.parachains.world import World, para

INCLUDED, FREE = OccupiedCoreAssumption.INCLUDED, OccupiedCoreAssumption.FREE


def test_who_is_next_on_a_core() -> None:
    scheduled, occupied, claimed = cores()
    assert isinstance(scheduled, CoreScheduled) and isinstance(occupied, OccupiedCore)
    assert next_up(scheduled) == (scheduled.scheduled, FREE)
    assert next_up(occupied) == (occupied.next_up_on_available, INCLUDED)
    assert next_up(replace(occupied, next_up_on_available=None)) is None
    assert next_up(CoreFree()) is None
    assert isinstance(claimed, CoreScheduled)


@pytest.mark.guide("A73")
def test_groups_are_assigned_as_they_are_rotated() -> None:
    groups = ValidatorGroups(
        GROUPS, GroupRotationInfo(BlockNumber(U32(0)), BlockNumber(U32(5)), BlockNumber(U32(5)))
    )
    assert [each.group for each in assign(groups, cores()).values()] == [
        GROUPS[2],
        GROUPS[0],
        GROUPS[1],
    ]
    assert (
        assign(
            ValidatorGroups(
                (), GroupRotationInfo(BlockNumber(U32(0)), BlockNumber(U32(5)), BlockNumber(U32(5)))
            ),
            cores(),
        )
        == {}
    )
    unclaimed = (*cores()[:2], CoreFree())
    assert len(assign(groups, unclaimed)) == 2
    other = (*cores()[:2], CoreScheduled(ScheduledCore(para(7), None)))
    assert list(assign(groups, other))[-1] == 7


def receipt_for(
    world: World, assignment: ParaAssignment, assumption: OccupiedCoreAssumption
) -> CommittedCandidateReceipt:
    """What a collator makes on the head under an assumption."""
    number = assignment.para_id
    made = world.receipt(number, head=b"head in %d" % world.number)
    data = world.api.persisted_validation_data(world.state, number, assumption)
    code = world.api.validation_code(world.state, number, assumption)
    assert data is not None and code is not None
    descriptor = replace(
        made.descriptor,
        persisted_validation_data_hash=data.hash(),
        validation_code_hash=validation_code_hash(code),
    )
    return world.signed(replace(made, descriptor=descriptor), "collator")


@pytest.mark.guide("A73", "A80", "A116")
def test_the_runtime_accepts_what_is_backed_so_one_block_after_the_other() -> None:
    """Over rotations, with each candidate made available by the block that brings the next."""
    world = World(validators=6, parachains=(1, 2, 3), parachain_rotation_frequency=2)
    served: dict[tuple[int, ...], set[int]] = {}
    for _ in range(8):
        groups = world.api.validator_groups(world.state)
        assignments = assign(groups, world.api.availability_cores(world.state)).values()
        assert {each.para_id for each in assignments} == {1, 2, 3}
        candidates = []
        for assignment in assignments:
            served.setdefault(assignment.group, set()).add(assignment.para_id)
            receipt = receipt_for(world, assignment, assignment.assumption)
            index = groups.groups.index(assignment.group)
            candidates.append(world.back(receipt, group=index))
        world.add_block(world.data(world.all_vote(world.pending_cores()), candidates))
        assert world.pending_cores() == [0, 1, 2]
    assert all(paras == {1, 2, 3} for paras in served.values()), "each group serves each para"
    assert {each.assumption for each in assignments} == {INCLUDED}


@pytest.mark.guide("A80")
def test_what_counts_on_availability_waits_for_it() -> None:
    world = World(validators=6, parachains=(1,))
    world.add_block(world.data(candidates=[world.candidate(1)]))
    groups = world.api.validator_groups(world.state)
    (assignment,) = assign(groups, world.api.availability_cores(world.state)).values()
    backed = world.back(receipt_for(world, assignment, INCLUDED), group=0)
    with pytest.raises(InvalidCandidate):
        world.add_block(world.data(candidates=[backed]))

    late = world.back(receipt_for(world, assignment, OccupiedCoreAssumption.TIMED_OUT), group=0)
    votes = world.all_vote([0])
    with pytest.raises(InvalidCandidate):
        world.add_block(world.data(votes, [late]))
    world.add_block(world.data(votes, [backed]))
