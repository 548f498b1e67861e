"""The inherent is there exactly once, from nobody, and all of it holds or nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from parahost.primitives.basic import H256
from parahost.primitives.scale import decode, encode
from parahost.runtime.errors import BadOrigin
from parahost.runtime.module import RuntimeCall
from parahost.runtime.origin import NoOrigin, Root, Signed
from parahost.runtime.parachains.inclusion_errors import (
    InclusionMissing,
    InclusionRepeated,
    WrongParentHeader,
)
from parahost.runtime.parachains.inclusion_inherent import InclusionCall

from .world import World, claim


@pytest.mark.guide("A51")
def test_a_block_without_the_inherent_is_invalid() -> None:
    world = World(parachains=[1])
    store = world.child()
    with pytest.raises(InclusionMissing):
        world.host.finalize(store)


@pytest.mark.guide("A51", "A52")
def test_the_mark_is_taken_at_the_end_of_the_block() -> None:
    world = World(parachains=[1])
    inherent = world.host.inclusion_inherent
    store = world.child()
    assert not inherent.included.exists(store)
    inherent.dispatch(store, NoOrigin(), InclusionCall(world.data()))
    assert inherent.included.exists(store)
    world.host.finalize(store)
    assert not inherent.included.exists(store)


@pytest.mark.guide("A52")
def test_a_second_inherent_makes_the_block_invalid() -> None:
    world = World(parachains=[1])
    inherent = world.host.inclusion_inherent
    store = world.child()
    inherent.dispatch(store, NoOrigin(), InclusionCall(world.data()))
    with pytest.raises(InclusionRepeated):
        inherent.dispatch(store, NoOrigin(), InclusionCall(world.data()))


@pytest.mark.guide("A52")
@pytest.mark.parametrize("origin", [Root(), Signed(H256(bytes(32)))])  # type: ignore[arg-type]
def test_nobody_may_sign_the_inherent(origin: Root | Signed) -> None:
    world = World(parachains=[1])
    with pytest.raises(BadOrigin):
        world.host.inclusion_inherent.dispatch(world.child(), origin, InclusionCall(world.data()))


@pytest.mark.guide("A50", "A52")
def test_the_parents_header_must_be_the_parents() -> None:
    world = World(parachains=[1])
    header = replace(world.header, state_root=H256(bytes(32)))
    with pytest.raises(WrongParentHeader) as caught:
        world.add_block(replace(world.data(), parent_header=header))
    assert caught.value.parent == world.parent


@pytest.mark.guide("A52")
def test_bitfields_then_timeouts_then_schedule_then_candidates() -> None:
    """One block: a parathread's candidate becomes available and the next claim's is backed on
    the core it leaves; a parachain's times out."""
    world = World(
        validators=6,
        parachains=[1],
        parathreads=[11, 12],
        parathread_cores=1,
        parathread_retries=5,
        parachain_rotation_frequency=0,
        chain_availability_period=1,
        thread_availability_period=9,
    )
    scheduler = world.host.scheduler

    def claims(store):  # type: ignore[no-untyped-def]
        scheduler.add_parathread_claim(store, claim(11))
        scheduler.add_parathread_claim(store, claim(12))

    world.add_block(extrinsics=claims)
    world.add_block(world.data(candidates=[world.candidate(1), world.candidate(11)]))
    assert world.pending_cores() == [0, 1]
    next_claim = world.back(world.receipt(12), group=1)
    world.add_block(world.data(world.all_vote([1]), [next_claim]))
    assert world.pending_cores() == [1]
    assert world.api.candidate_pending_availability(
        world.state, next_claim.candidate.descriptor.para_id
    )
    kinds = [type(event).__name__ for event in world.api.candidate_events(world.state)]
    assert kinds == ["CandidateIncludedEvent", "CandidateTimedOutEvent", "CandidateBackedEvent"]
    assert scheduler.parathread_claim_index.get(world.state) == (12,)


def test_the_call_has_a_scale_form() -> None:
    world = World(parachains=[1])
    call = InclusionCall(world.data(world.all_vote([]), [world.candidate(1)]))
    encoded = encode(call, RuntimeCall)
    assert encoded[:2] == bytes([54, 0])
    assert decode(RuntimeCall, encoded) == call
