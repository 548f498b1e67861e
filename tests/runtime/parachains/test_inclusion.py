"""Candidates from backed to available, and everything that makes a block invalid on the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from parahost.primitives.acceptance import (
    CodeTooLarge,
    HeadTooLarge,
    MessagesNotCarried,
    NewCodeTooSoon,
    NotWasm,
    Refusal,
    WrongWatermark,
)
from parahost.primitives.availability import SignedAvailabilityBitfield
from parahost.primitives.basic import (
    H256,
    H512,
    U32,
    U64,
    BlockNumber,
    CollatorSignature,
    HeadData,
    Slot,
    ValidationCode,
    ValidatorIndex,
    ValidatorSignature,
)
from parahost.primitives.candidates import CommittedCandidateReceipt, OutboundHrmpMessage
from parahost.primitives.hashing import blake2_256
from parahost.primitives.runtime_api import IncludedCandidate
from parahost.primitives.scale import BitVec
from parahost.primitives.statements import BackedCandidate, Explicit, Implicit
from parahost.runtime.errors import InvalidBlock
from parahost.runtime.parachains import inclusion_errors as errors
from parahost.runtime.parachains.inclusion import (
    CandidateBacked,
    CandidateIncluded,
    CandidateTimedOut,
)
from parahost.runtime.session import SESSIONS_KEPT
from parahost.runtime.storage import Overlay

from .world import Claim, World, block, claim, code, collator, para

A = para(1)


def pending_world(**config: Any) -> World:
    """A candidate of para 1 is pending on core 0; the cores of para 2 and 3 are free."""
    world = World(validators=7, parachains=[1, 2, 3], **config)
    world.add_block(world.data(candidates=[world.candidate(1)]))
    return world


def votes_of(world: World) -> list[int]:
    pending = world.host.inclusion.pending_availability.get(world.state, A)
    assert pending is not None
    return pending.availability_votes.ones()


# Bitfields


@pytest.mark.guide("A38", "A42")
def test_votes_add_up_over_blocks_and_the_latest_bitfields_are_kept() -> None:
    world = pending_world()
    world.add_block(world.data(world.bitfields({0: [0], 3: [0], 5: []})))
    assert votes_of(world) == [0, 3]
    world.add_block(world.data(world.bitfields({0: [], 1: [0]})))
    assert votes_of(world) == [0, 1, 3]
    kept = dict(world.host.inclusion.bitfields.iterate(world.state))
    assert {v: (r.bitfield.ones(), r.submitted_at) for v, r in kept.items()} == {
        0: ([], 3),
        1: ([0], 3),
        3: ([0], 2),
        5: ([], 2),
    }


@pytest.mark.guide("A42")
def test_a_bitfield_with_a_bit_for_a_free_core_is_disregarded_and_the_block_valid() -> None:
    world = pending_world()
    world.add_block(world.data(world.bitfields({0: [0], 1: [0, 2], 2: [1]})))
    assert votes_of(world) == [0]
    assert set(world.host.inclusion.bitfields.keys(world.state)) == {0}


@pytest.mark.guide("A43")
@pytest.mark.parametrize(
    ("validators", "threshold"), [(1, 1), (2, 2), (3, 3), (4, 3), (6, 5), (7, 5), (10, 7)]
)
def test_a_candidate_is_available_with_more_than_two_thirds(
    validators: int, threshold: int
) -> None:
    world = World(validators=validators, parachains=[1])
    world.add_block(world.data(candidates=[world.candidate(1, head=b"moved")]))
    for voter in range(threshold - 1):
        world.add_block(world.data(world.bitfields({voter: [0]})))
    assert world.pending_cores() == [0]
    assert world.host.paras.heads.get(world.state, A) == b"head of 1"
    world.add_block(world.data(world.bitfields({threshold - 1: [0]})))
    assert world.pending_cores() == []
    assert world.host.paras.heads.get(world.state, A) == b"moved"


Bitfields = list[SignedAvailabilityBitfield]
BAD_BITFIELDS: list[tuple[type[InvalidBlock], Callable[[World], Bitfields]]] = [
    (errors.WrongBitfieldLength, lambda w: [w.bitfield(0, [0], length=4)]),
    (errors.WrongBitfieldLength, lambda w: [w.bitfield(0, [0], length=2)]),
    (errors.TooManyBitfields, lambda w: [*w.all_vote([0]), w.bitfield(7, [0])]),
    (errors.UnknownValidator, lambda w: [w.bitfield(7, [0])]),
    (errors.DuplicateBitfield, lambda w: [w.bitfield(2, [0]), w.bitfield(2, [0])]),
    (errors.BitfieldsOutOfOrder, lambda w: [w.bitfield(3, [0]), w.bitfield(2, [0])]),
    (
        errors.BadBitfieldSignature,
        lambda w: [replace(w.bitfield(2, [0]), validator_index=ValidatorIndex(U32(3)))],
    ),
    (
        errors.BadBitfieldSignature,
        lambda w: [replace(w.bitfield(2, [0]), bitfield=BitVec.zeros(3))],
    ),
    (
        errors.BadBitfieldSignature,
        lambda w: [replace(w.bitfield(2, [2]), signature=ValidatorSignature(H512(bytes(64))))],
    ),
]


@pytest.mark.guide("A41", "A50")
@pytest.mark.parametrize(("error", "make"), BAD_BITFIELDS)
def test_a_bad_bitfield_makes_the_block_invalid(
    error: type[InvalidBlock], make: Callable[[World], Bitfields]
) -> None:
    world = pending_world()
    with pytest.raises(error):
        world.add_block(world.data(make(world)))


@pytest.mark.guide("A41")
def test_a_bitfield_for_another_parent_is_not_accepted() -> None:
    world = pending_world()
    old = world.bitfield(0, [0])
    world.add_block()
    with pytest.raises(errors.BadBitfieldSignature):
        world.add_block(world.data([old]))


# Candidates


@pytest.mark.guide("A39", "A47")
def test_a_backed_candidate_awaits_availability_without_votes() -> None:
    world = World(validators=7, parachains=[1, 2, 3], validation_upgrade_frequency=1)
    backed = world.candidate(1, new_code=code(1, 1))
    world.add_block(world.data(candidates=[backed]))
    inclusion = world.host.inclusion
    pending = inclusion.pending_availability.get(world.state, A)
    assert pending is not None
    assert pending.core == 0
    assert pending.receipt == backed.candidate.to_plain()
    assert pending.availability_votes == BitVec.zeros(7)
    assert pending.relay_parent_number == 0
    assert pending.backed_in_number == 1
    members = world.host.scheduler.group_validators(world.state, pending.backing_group)
    assert members is not None
    assert pending.backers.ones() == sorted(members)
    commitments = inclusion.pending_availability_commitments.get(world.state, A)
    assert commitments == backed.candidate.commitments
    key = inclusion.pending_availability.storage_key(A)
    raw = world.state.get_raw(key)
    assert raw is not None
    assert bytes(code(1, 1)) not in bytes(raw), "code is kept apart"
    assert world.api.candidate_pending_availability(world.state, A) == backed.candidate


@pytest.mark.guide("A40")
def test_a_session_change_clears_candidates_and_bitfields() -> None:
    world = pending_world()
    world.add_block(world.data(world.bitfields({0: [0]})))
    world.add_block(new_session=7)
    inclusion = world.host.inclusion
    for item in (
        inclusion.pending_availability,
        inclusion.pending_availability_commitments,
        inclusion.bitfields,
    ):
        assert list(item.keys(world.state)) == []
    assert world.host.paras.heads.get(world.state, A) == b"head of 1"
    world.add_block(world.data(candidates=[world.candidate(1)]))


@pytest.mark.guide("A44", "A47", "A116")
def test_candidates_come_in_order_of_cores() -> None:
    world = World(validators=7, parachains=[1, 2, 3])
    candidates = [world.candidate(number) for number in (1, 2, 3)]
    with pytest.raises(errors.CandidatesOutOfOrder):
        world.add_block(world.data(candidates=[candidates[1], candidates[0]]))
    with pytest.raises(errors.CandidatesOutOfOrder):
        world.add_block(world.data(candidates=[candidates[0], candidates[0]]))
    world.add_block(world.data(candidates=[candidates[0], candidates[2]]))
    assert world.pending_cores() == [0, 2]


@pytest.mark.guide("A44", "A116")
def test_no_candidate_while_one_is_pending() -> None:
    world = pending_world()
    with pytest.raises(errors.UnscheduledCandidate):
        world.add_block(world.data(candidates=[world.back(world.receipt(1), group=0)]))


@pytest.mark.guide("A44")
def test_a_candidate_of_an_unknown_para_is_not_scheduled() -> None:
    world = World(validators=7, parachains=[1], parathreads=[11], parathread_cores=1)
    backed = world.back(world.receipt(11), group=1)
    with pytest.raises(errors.UnscheduledCandidate):
        world.add_block(world.data(candidates=[backed]))


def changed(world: World, **fields: Any) -> BackedCandidate:
    """A candidate with other fields in its descriptor, signed and backed like that."""
    receipt = world.receipt(1)
    descriptor = replace(receipt.descriptor, **fields)
    return world.back(world.signed(replace(receipt, descriptor=descriptor), "collator"))


def committing(world: World, **fields: Any) -> BackedCandidate:
    """A candidate with other commitments, and a ``para_head`` that fits."""
    receipt = world.receipt(1)
    commitments = replace(receipt.commitments, **fields)
    descriptor = replace(receipt.descriptor, para_head=blake2_256(commitments.head_data))
    return world.back(world.signed(CommittedCandidateReceipt(descriptor, commitments), "collator"))


BAD_CANDIDATES: dict[str, tuple[type[InvalidBlock], Callable[[World], BackedCandidate]]] = {
    "relay parent": (
        errors.DisallowedRelayParent,
        lambda w: changed(w, relay_parent=w.header.parent_hash),
    ),
    "validation data": (
        errors.WrongHash,
        lambda w: changed(w, persisted_validation_data_hash=H256(bytes(32))),
    ),
    "code": (errors.WrongHash, lambda w: changed(w, validation_code_hash=H256(bytes(32)))),
    "head hash": (errors.WrongHash, lambda w: changed(w, para_head=H256(bytes(32)))),
    "collator": (
        errors.BadCollatorSignature,
        lambda w: w.back(w.signed(w.receipt(1), "somebody else")),
    ),
    "collator's bytes": (
        errors.BadCollatorSignature,
        lambda w: w.back(
            replace(
                w.receipt(1),
                descriptor=replace(
                    w.receipt(1).descriptor, signature=CollatorSignature(H512(bytes(64)))
                ),
            )
        ),
    ),
    "no majority": (
        errors.InvalidBacking,
        lambda w: w.back(w.receipt(1), positions=[0]),
    ),
    "votes and bits": (
        errors.InvalidBacking,
        lambda w: replace(w.candidate(1), validator_indices=BitVec.with_ones(3, [0, 1])),
    ),
    "group's size": (
        errors.InvalidBacking,
        lambda w: replace(w.candidate(1), validator_indices=BitVec.with_ones(4, [0, 1, 2])),
    ),
    "other group": (InvalidBlock, lambda w: w.back(w.receipt(1), group=1)),
    "kind of vote": (errors.BadBackingSignature, lambda w: with_other_kinds(w.candidate(1))),
    "stolen votes": (
        errors.BadBackingSignature,
        lambda w: replace(w.candidate(1), validity_votes=w.candidate(1).validity_votes[::-1]),
    ),
    "votes for another": (
        errors.BadBackingSignature,
        lambda w: replace(w.candidate(1), candidate=w.receipt(1, head=b"another")),
    ),
}


def with_other_kinds(backed: BackedCandidate) -> BackedCandidate:
    votes = tuple(
        Explicit(vote.signature) if isinstance(vote, Implicit) else Implicit(vote.signature)
        for vote in backed.validity_votes
    )
    return replace(backed, validity_votes=votes)


@pytest.mark.guide("A44", "A46", "A50", "A80")
@pytest.mark.parametrize("what", BAD_CANDIDATES)
def test_a_bad_candidate_makes_the_block_invalid(what: str) -> None:
    error, make = BAD_CANDIDATES[what]
    world = World(validators=9, parachains=[1, 2, 3])
    world.add_block()
    with pytest.raises(error):
        world.add_block(world.data(candidates=[make(world)]))
    world.add_block(world.data(candidates=[world.candidate(1)]))


LIMITS: dict[str, Any] = {"max_head_data_size": 100, "max_code_size": 1000}
UNACCEPTABLE: dict[str, tuple[dict[str, Any], Refusal]] = {
    "head": ({"head_data": HeadData(bytes(101))}, HeadTooLarge(101, 100)),
    "code": (
        {"new_validation_code": ValidationCode(b"\0asm".ljust(1001))},
        CodeTooLarge(1001, 1000),
    ),
    "no code": ({"new_validation_code": ValidationCode(b"")}, NotWasm(b"")),
    "no Wasm": ({"new_validation_code": ValidationCode(b"#!/bin/sh")}, NotWasm(b"#!/b")),
    "upward": ({"upward_messages": (b"x",)}, MessagesNotCarried(1, 0, 0)),
    "horizontal": (
        {"horizontal_messages": (OutboundHrmpMessage(para(2), b"x"),)},
        MessagesNotCarried(0, 1, 0),
    ),
    "downward": ({"processed_downward_messages": U32(1)}, MessagesNotCarried(0, 0, 1)),
    "watermark": ({"hrmp_watermark": block(0)}, WrongWatermark(block(0), block(1))),
}


@pytest.mark.guide("A45", "A50")
@pytest.mark.parametrize("what", UNACCEPTABLE)
def test_outputs_that_the_chain_does_not_accept_make_the_block_invalid(what: str) -> None:
    fields, reason = UNACCEPTABLE[what]
    world = World(validators=9, parachains=[1, 2, 3], **LIMITS)
    world.add_block()
    with pytest.raises(errors.UnacceptableOutputs) as caught:
        world.add_block(world.data(candidates=[committing(world, **fields)]))
    assert caught.value.reason == reason


def test_outputs_of_exactly_the_largest_size_are_accepted() -> None:
    world = World(validators=9, parachains=[1], **LIMITS)
    largest = committing(
        world,
        head_data=HeadData(bytes(100)),
        new_validation_code=ValidationCode(b"\0asm".ljust(1000)),
    )
    world.add_block(world.data(candidates=[largest]))
    assert world.pending_cores() == [0]


@pytest.mark.guide("A46")
@pytest.mark.parametrize(
    ("positions", "enough"), [([0], False), ([0, 1], False), ([0, 2, 3], True)]
)
def test_backing_takes_more_than_half_of_the_group(positions: list[int], enough: bool) -> None:
    world = World(validators=4, parachains=[1])
    data = world.data(candidates=[world.back(world.receipt(1), positions=positions)])
    if enough:
        world.add_block(data)
        assert world.pending_cores() == [0]
    else:
        with pytest.raises(errors.InvalidBacking):
            world.add_block(data)


@pytest.mark.guide("A44")
def test_a_parathread_takes_only_its_claims_collator() -> None:
    world = World(validators=4, parathreads=[11], parathread_cores=1, parathread_retries=9)
    world.add_block(
        extrinsics=lambda store: world.host.scheduler.add_parathread_claim(store, claim(11))
    )
    with pytest.raises(errors.WrongCollator):
        world.add_block(world.data(candidates=[world.candidate(11, by="another")]))
    world.add_block(world.data(candidates=[world.candidate(11)]))
    assert world.pending_cores() == [0]
    pending = world.api.candidate_pending_availability(world.state, para(11))
    assert pending is not None
    assert pending.descriptor.collator == collator("collator")


# Code upgrades

SOON: dict[str, Any] = {"chain_availability_period": 1, "thread_availability_period": 1}
"""With which new code may be expected soon."""


@pytest.mark.guide("A45", "A48")
def test_an_upgrade_is_planned_when_its_candidate_is_included() -> None:
    world = World(validators=4, parachains=[1], validation_upgrade_delay=5, **SOON)
    world.add_blocks_until(3)
    world.add_block(world.data(candidates=[world.candidate(1, new_code=code(1, 1))]))
    assert not world.host.paras.future_code.contains(world.state, A)
    world.add_block(world.data(world.all_vote([0])))
    assert world.host.paras.future_code_upgrades.get(world.state, A) == 3 + 5
    assert world.host.paras.future_code.get(world.state, A) == code(1, 1)
    assert world.host.paras.heads.get(world.state, A) == b"new head"
    world.include(1)  # relay parent 5
    assert world.host.paras.validation_code.get(world.state, A) == code(1)
    world.add_blocks_until(8)
    world.include(1)  # relay parent 8
    assert world.host.paras.validation_code.get(world.state, A) == code(1, 1)
    assert world.host.paras.past_code.get(world.state, (A, block(8))) == code(1)


@pytest.mark.guide("A45")
def test_no_upgrade_sooner_than_the_frequency() -> None:
    """The last is expected at 2 and applied; with frequency 10, the next at 12 or later."""
    world = World(
        validators=4,
        parachains=[1],
        validation_upgrade_delay=2,
        validation_upgrade_frequency=10,
        **SOON,
    )
    world.include(1, new_code=code(1, 1))  # relay parent 0, expected at 2
    world.include(1)  # relay parent 2: applied
    assert world.host.paras.validation_code.get(world.state, A) == code(1, 1)
    while world.number + 2 < 12:
        with pytest.raises(errors.UnacceptableOutputs) as caught:
            world.add_block(world.data(candidates=[world.candidate(1, new_code=code(1, 2))]))
        assert caught.value.reason == NewCodeTooSoon(block(world.number), block(10))
        world.add_block()
    world.add_block(world.data(candidates=[world.candidate(1, new_code=code(1, 2))]))
    assert world.pending_cores() == [0]


@pytest.mark.guide("A45")
def test_no_upgrade_while_another_waits_that_it_would_replace() -> None:
    world = World(
        validators=4, parachains=[1], validation_upgrade_delay=20, validation_upgrade_frequency=1
    )
    world.include(1, new_code=code(1, 1))  # expected at 20
    with pytest.raises(errors.UnacceptableOutputs) as caught:
        world.add_block(world.data(candidates=[world.candidate(1, new_code=code(1, 2))]))
    assert caught.value.reason == NewCodeTooSoon(block(2), block(20))


@pytest.mark.guide("A45", "A48")
def test_an_upgrade_announced_by_the_block_that_applies_another_loses_neither() -> None:
    world = World(
        validators=4,
        parachains=[1],
        validation_upgrade_delay=3,
        validation_upgrade_frequency=1,
        **SOON,
    )
    world.include(1, new_code=code(1, 1))  # expected at 3
    world.add_blocks_until(3)
    world.include(1, new_code=code(1, 2))  # relay parent 3: applies the first, plans for 6
    paras = world.host.paras
    assert paras.validation_code.get(world.state, A) == code(1, 1)
    assert paras.future_code_upgrades.get(world.state, A) == 6
    assert paras.future_code.get(world.state, A) == code(1, 2)


@pytest.mark.guide("A48")
def test_new_code_near_the_last_block_number_is_planned_for_the_last() -> None:
    world = World(validators=4, parachains=[1])
    candidate = world.receipt(1, new_code=code(1, 1))
    store = Overlay(world.state)
    world.host.inclusion.enact_candidate(store, BlockNumber(U32(2**32 - 3)), candidate)
    assert world.host.paras.future_code_upgrades.get(store, A) == 2**32 - 1


# Enactment and timeouts


@pytest.mark.guide("A43", "A48")
def test_what_is_available_is_handed_to_validity() -> None:
    """With session, receipt, backers, including block and the author's VRF output (D20)."""
    world = pending_world(acceptance_period=3)
    pending = world.host.inclusion.pending_availability.get(world.state, A)
    assert pending is not None
    parent = world.parent
    world.add_block(world.data(world.all_vote([0])))
    (record,) = world.api.included_candidates(world.state)
    assert record == IncludedCandidate(
        session=world.api.session_index_for_child(world.state),
        receipt=pending.receipt,
        core=pending.core,
        backing_group=pending.backing_group,
        backers=tuple(ValidatorIndex(U32(index)) for index in pending.backers.ones()),
        relay_parent_number=block(0),
        included_in=block(2),
        included_slot=Slot(U64(2)),
        parent_hash=parent,
        relay_vrf_story=Claim().relay_vrf_story(world.state),
    )
    world.add_blocks_until(5)
    assert len(world.api.included_candidates(world.state)) == 1
    world.add_block()
    assert world.api.included_candidates(world.state) == ()


@pytest.mark.guide("A43", "A56")
def test_sessions_are_known_as_long_as_their_candidates() -> None:
    """And the last few in any case: candidates of other forks may be disputed."""
    world = pending_world(acceptance_period=20)
    world.add_block(world.data(world.all_vote([0])), new_session=5)  # block 2
    (record,) = world.api.included_candidates(world.state)
    for _ in range(9):
        world.add_block(new_session=5)
    info = world.api.session_info(world.state, record.session)
    assert info is not None
    assert len(info.validators) == 7
    current = world.api.session_index_for_child(world.state)
    known = sorted(world.host.included.sessions.keys(world.state))
    assert known == list(range(record.session, current + 1)) and len(known) > SESSIONS_KEPT + 1
    world.add_blocks_until(23)
    known = sorted(world.host.included.sessions.keys(world.state))
    assert known == list(range(current - SESSIONS_KEPT, current + 1))


@pytest.mark.guide("A49")
def test_collect_pending_gives_up_what_the_predicate_says() -> None:
    world = World(validators=9, parachains=[1, 2, 3])
    world.add_block(world.data(candidates=[world.candidate(n) for n in (1, 2, 3)]))
    store = world.child()
    asked: list[tuple[int, int]] = []

    def is_over(core: int, since: int) -> bool:
        asked.append((core, since))
        return core != 1

    assert world.host.inclusion.collect_pending(store, is_over) == [0, 2]
    assert sorted(asked) == [(0, 1), (1, 1), (2, 1)]
    assert list(world.host.inclusion.pending_availability.keys(store)) == [para(2)]
    assert list(world.host.inclusion.pending_availability_commitments.keys(store)) == [para(2)]
    assert world.host.paras.heads.get(store, A) == b"head of 1"


@pytest.mark.guide("A36", "A49", "A52")
def test_a_timed_out_core_is_scheduled_and_occupied_in_the_same_block() -> None:
    world = World(
        validators=4, parachains=[1], parachain_rotation_frequency=0, chain_availability_period=2
    )
    world.add_block(world.data(candidates=[world.candidate(1)]))
    world.add_block()
    again = world.back(world.receipt(1, head=b"again"), group=0)
    world.add_block(world.data(candidates=[again]))
    assert world.api.candidate_pending_availability(world.state, A) == again.candidate
    kinds = [type(event).__name__ for event in world.api.candidate_events(world.state)]
    assert kinds == ["CandidateTimedOutEvent", "CandidateBackedEvent"]


@pytest.mark.guide("A24", "A43", "A52")
def test_an_available_core_is_occupied_again_in_the_same_block() -> None:
    world = pending_world()
    group = world.host.inclusion.pending_availability.get(world.state, A)
    assert group is not None
    store = world.child()
    world.host.inclusion.include(store, A, group)
    follow_up = world.back(world.receipt(1, head=b"second", view=store), group=group.backing_group)
    world.add_block(world.data(world.all_vote([0]), [follow_up]))
    assert world.host.paras.heads.get(world.state, A) == b"new head"
    assert world.api.candidate_pending_availability(world.state, A) == follow_up.candidate


def test_events_tell_what_became_of_candidates() -> None:
    world = World(validators=4, parachains=[1], chain_availability_period=1)
    kinds = (CandidateBacked, CandidateIncluded, CandidateTimedOut)

    def found() -> list[type]:
        records = world.system.block_events(world.state)
        return [type(r.event) for r in records if isinstance(r.event, kinds)]

    world.add_block(world.data(candidates=[world.candidate(1)]))
    assert found() == [CandidateBacked]
    world.add_block(world.data(world.all_vote([0])))
    assert found() == [CandidateIncluded]
    world.add_blocks_until(9)
    world.add_block(world.data(candidates=[world.candidate(1)]))
    assert found() == [CandidateBacked]
    world.add_block()
    assert found() == []
