"""Disputes of what another fork has included, unconcluded: availability first, then validity."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from parahost.approval.criteria import certify, own_assignments
from parahost.primitives.approval import Assignment, SecondaryChecks
from parahost.primitives.basic import (
    H256,
    U32,
    ZERO_HASH,
    BlockNumber,
    CandidateHash,
    CoreIndex,
    Hash,
    SessionIndex,
    ValidationCode,
    ValidationCodeHash,
    ValidatorIndex,
    ValidatorSignature,
)
from parahost.primitives.candidates import CandidateReceipt
from parahost.primitives.disputes import (
    BackingSeconded,
    BackingValid,
    DisputeOutcome,
    SignedDisputeStatement,
    VoteValid,
)
from parahost.primitives.hashing import blake2_256
from parahost.primitives.header import Header
from parahost.primitives.remote_disputes import (
    AvailabilityVotes,
    RemoteDispute,
    availability_payload,
)
from parahost.runtime.errors import ModuleError
from parahost.runtime.origin import NoOrigin, Signed
from parahost.runtime.parachains import remote_disputes
from parahost.runtime.parachains.dispute_errors import DisputeClosed, Unconcluded
from parahost.runtime.parachains.dispute_events import (
    DisputeInitiated,
    DisputeTimedOut,
)
from parahost.runtime.parachains.inclusion_inherent import InclusionCall
from parahost.runtime.parachains.remote_disputes import (
    BadIncludingHeader,
    CodeMissing,
    DisputeRemotely,
    InvalidAvailability,
    NotBacked,
    NotRemote,
    RefusedVotes,
    RemoteCandidateAvailable,
    RemoteCandidateUnavailable,
    TooManyRemoteDisputes,
)
from parahost.runtime.parachains.sanitize import sanitize
from parahost.runtime.parachains.validity import NoteChecks
from parahost.runtime.session import SESSIONS_KEPT

from .test_approvals import APPROVAL, approved, key_store
from .test_disputes import (
    CONFIG,
    LATE,
    SUPERMAJORITY,
    TIME,
    VALIDATORS,
    free,
    one_loses,
    signed,
    stakes,
    told,
    votes,
)
from .world import STAKE, World, account_of, code, signature, validator_name

WAIT = 5
Key = tuple[SessionIndex, CandidateHash]
REMOTE = replace(CONFIG, approval=APPROVAL, remote_availability_period=BlockNumber(U32(WAIT)))
FOREIGN = Header(ZERO_HASH, BlockNumber(U32(7)), H256(bytes([7]) * 32), H256(bytes(32)))


def remote_world(**config: Any) -> World:
    return World(
        validators=VALIDATORS,
        parachains=[1, 2, 3, 4],
        acceptance_period=4,
        **{"validity": REMOTE, **config},
    )


def receipt(
    world: World, number: int = 1, judged_by: ValidationCode | None = None
) -> CandidateReceipt:
    """A candidate of another fork: what it is made on does not exist here."""
    made = world.receipt(1, head=b"elsewhere %d" % number).to_plain()
    descriptor = replace(made.descriptor, relay_parent=Hash(H256(bytes([8]) * 32)))
    if judged_by is not None:
        descriptor = replace(
            descriptor, validation_code_hash=ValidationCodeHash(blake2_256(judged_by))
        )
    return replace(made, descriptor=descriptor)


def backing(world: World, key: Key) -> list[SignedDisputeStatement]:
    """By all of group 0."""
    parent = Hash(H256(bytes([8]) * 32))
    members = world.host.scheduler.validator_groups.get(world.state)[0]
    kinds: list[BackingSeconded | BackingValid] = [
        BackingSeconded(parent),
        *[BackingValid(parent)] * (len(members) - 1),
    ]
    return [
        signed(key, VoteValid(kind), member) for kind, member in zip(kinds, members, strict=True)
    ]


def backers(world: World) -> list[int]:
    return list(world.host.scheduler.validator_groups.get(world.state)[0])


def others(world: World) -> list[int]:
    return [each for each in range(VALIDATORS) if each not in backers(world)]


def brought(
    world: World, made: CandidateReceipt, *, against: Iterable[int], **fields: Any
) -> RemoteDispute:
    key = SessionIndex(U32(0)), made.hash()
    statements = (*backing(world, key), *votes(key, against=against).statements)
    dispute = RemoteDispute(
        made, key[0], CoreIndex(U32(0)), FOREIGN, code=None, statements=statements
    )
    return replace(dispute, **fields)


def bring(world: World, dispute: RemoteDispute) -> Key:
    sender = Signed(account_of(world.validators[0]))
    world.add_block(
        extrinsics=lambda store: world.host.remote_disputes.dispatch(
            store, sender, DisputeRemotely(dispute)
        )
    )
    return dispute.session, dispute.receipt.hash()


def held(key: Key, *validators: int) -> AvailabilityVotes:
    payload = availability_payload(key[1], key[0])
    made = [
        (
            ValidatorIndex(U32(each)),
            ValidatorSignature(signature(validator_name(each), payload)),
        )
        for each in validators
    ]
    return AvailabilityVotes(key[0], key[1], tuple(made))


# Availability


@pytest.mark.guide("A59", "A60")
def test_it_waits_for_availability_and_then_takes_its_course() -> None:
    world = remote_world()
    challenger = others(world)[0]
    key = bring(world, brought(world, receipt(world), against=[challenger]))
    assert [each for each, _ in world.api.remote_disputes(world.state)] == [key]
    assert world.api.disputes(world.state) == ()
    with pytest.raises(Unconcluded):
        world.add_block(disputes=[votes(key, against=others(world)[1:3], valid=others(world)[3:4])])
    world.add_block(availability=[held(key, *range(SUPERMAJORITY - 1))])
    assert world.api.disputes(world.state) == ()
    world.add_block(availability=[held(key, SUPERMAJORITY)])
    assert told(world, RemoteCandidateAvailable) == [RemoteCandidateAvailable(*key)]
    assert told(world, DisputeInitiated) == [DisputeInitiated(*key, False)]
    ((_, begun),) = world.api.disputes(world.state)
    assert begun.backers.ones() == sorted(backers(world))
    assert begun.validators_against.ones() == [challenger]
    world.add_block(disputes=[votes(key, against=others(world)[1:])])
    ((_, begun),) = world.api.disputes(world.state)
    assert begun.outcome is DisputeOutcome.INVALID
    assert stakes(world) == one_loses(*backers(world), each=STAKE)
    assert world.api.frozen(world.state) is None
    world.add_blocks_until(world.number + LATE + 1)
    assert world.api.remote_disputes(world.state) == ()


@pytest.mark.guide("A60")
def test_what_does_not_become_available_costs_who_disputed_it() -> None:
    world = remote_world()
    disputers = others(world)[:2]
    dispute = brought(world, receipt(world), against=disputers)
    key = bring(world, dispute)
    world.add_block(availability=[held(key, *range(SUPERMAJORITY - 1))])
    world.add_blocks_until(2 + WAIT)
    assert told(world, RemoteCandidateUnavailable) == [RemoteCandidateUnavailable(*key)]
    assert stakes(world) == one_loses(*disputers, each=STAKE // 100)
    assert world.api.remote_disputes(world.state) == ()
    with pytest.raises(InvalidAvailability):
        world.add_block(availability=[held(key, SUPERMAJORITY)])
    with pytest.raises(NotRemote):
        bring(world, dispute)
    assert stakes(world) == one_loses(*disputers, each=STAKE // 100), "once on each fork"


@pytest.mark.guide("A60")
def test_the_block_that_follows_is_time_enough_if_it_has_to_be() -> None:
    hasty = replace(REMOTE, remote_availability_period=BlockNumber(U32(1)))
    world = remote_world(validity=hasty)
    key, late = (
        bring(world, brought(world, receipt(world, number), against=others(world)[number:][:1]))
        for number in (1, 2)
    )
    assert told(world, RemoteCandidateUnavailable) == []
    world.add_block(availability=[held(late, *range(SUPERMAJORITY))])
    assert told(world, RemoteCandidateUnavailable) == [RemoteCandidateUnavailable(*key)]
    assert told(world, RemoteCandidateAvailable) == [RemoteCandidateAvailable(*late)]


@pytest.mark.guide("A60")
def test_the_end_of_their_session_saves_no_disputers() -> None:
    """It is judged as long as the validators have time to say what they hold."""
    world = remote_world()
    for _ in range(SESSIONS_KEPT):
        world.add_block(new_session=VALIDATORS)
    disputers = others(world)[:2]
    key = bring(world, brought(world, receipt(world), against=disputers))
    world.add_block(new_session=VALIDATORS)
    world.add_blocks_until(world.number + WAIT)
    assert told(world, RemoteCandidateUnavailable) == [RemoteCandidateUnavailable(*key)]
    assert stakes(world) == one_loses(*disputers, each=STAKE // 100)
    world.add_block(new_session=VALIDATORS)
    assert world.api.session_info(world.state, key[0]) is None


@pytest.mark.guide("A63")
def test_without_a_supermajority_those_who_vouched_pay_and_nobody_waits_for_it() -> None:
    world = remote_world()
    key = bring(world, brought(world, receipt(world), against=others(world)[:1]))
    world.add_block(availability=[held(key, *range(SUPERMAJORITY))])
    world.add_blocks_until(world.number + TIME + 1)
    assert stakes(world) == one_loses(*backers(world), each=STAKE // 1000)
    with pytest.raises(DisputeClosed):
        world.add_block(disputes=[votes(key, against=others(world)[1:3], valid=others(world)[3:4])])
    world.add_block()
    assert world.api.remote_disputes(world.state) == ()
    assert world.api.remote_candidates(world.state) == ()


@pytest.mark.guide("A57", "A63")
def test_what_was_not_decided_and_is_included_here_afterwards_is_decided_and_settled() -> None:
    """Nobody is spared because the dispute was given up once: it is open again."""
    world = remote_world(
        chain_availability_period=BlockNumber(U32(TIME + 4)),
        validation_upgrade_delay=BlockNumber(U32(TIME + 5)),
    )
    backed = world.candidate(1)
    made, accuser = backed.candidate.to_plain(), others(world)[0]
    world.add_block(world.data(candidates=[backed]))
    key = bring(world, brought(world, made, against=[accuser]))
    world.add_block(availability=[held(key, *range(SUPERMAJORITY))])
    world.add_blocks_until(world.number + TIME + 1)
    assert told(world, DisputeTimedOut) == [DisputeTimedOut(*key)]
    world.add_block(world.data(world.all_vote(world.pending_cores())))
    assert [each.key() for each in world.api.included_candidates(world.state)] == [key]
    world.add_block(disputes=[votes(key, against=others(world)[1:])])
    assert world.api.frozen(world.state) is not None
    world.add_blocks_until(world.number + LATE + 1)
    assert stakes(world) == one_loses(*backers(world), each=STAKE)
    assert free(world)[accuser] > STAKE, "who was right has a share"


@pytest.mark.guide("A58", "A60")
def test_a_conclusion_from_elsewhere_outruns_availability() -> None:
    world = remote_world()
    key = bring(world, brought(world, receipt(world), against=others(world)[:1]))
    whole = votes(key, against=others(world), valid=backers(world)[:1])
    world.add_block(disputes=[whole])
    ((_, state),) = world.api.disputes(world.state)
    assert state.outcome is DisputeOutcome.INVALID
    world.add_block()
    assert world.api.remote_disputes(world.state) == ()
    world.add_blocks_until(4 + WAIT)
    assert stakes(world) == one_loses(*backers(world), each=STAKE), "not for its availability"


# The same checkers on all forks


@pytest.mark.guide("A61")
def test_checkers_are_drawn_by_the_fork_of_inclusion_and_their_checks_count() -> None:
    """Two forks that have nothing in common but the dispute draw the same ones."""
    stories, one, two = set(), remote_world(), remote_world()
    two.add_blocks_until(3)
    for world in (one, two):
        made = receipt(one)
        key = bring(world, brought(world, made, against=others(world)[:1]))
        world.add_block(availability=[held(key, *range(SUPERMAJORITY))])
        (record,) = world.api.remote_candidates(world.state)
        assert record.key() == key and set(record.backers) == set(backers(world))
        stories.add(record.relay_vrf_story)
        world.add_blocks_until(world.number + 3)
        checker = others(world)[1]
        public = world.validators[checker]
        (own,) = own_assignments(
            key_store(), public, record.relay_vrf_story, APPROVAL, cores=4, candidates=[record.core]
        )
        cert = certify(key_store(), public, record.relay_vrf_story, own)
        announced = SecondaryChecks(
            key[0], key[1], (Assignment(ValidatorIndex(U32(checker)), cert),), ()
        )
        world.add_block(checks=[announced, approved(record, checker)])
        ((_, begun),) = world.api.disputes(world.state)
        assert checker in begun.validators_for.ones(), "a check is a vote"
    assert len(stories) == 1


# Code


@pytest.mark.guide("A59")
def test_the_code_travels_with_the_dispute_when_this_fork_lacks_it() -> None:
    world = remote_world()
    foreign = code(77)
    made = receipt(world, judged_by=foreign)
    code_hash = made.descriptor.validation_code_hash
    against = others(world)[:1]
    with pytest.raises(CodeMissing):
        bring(world, brought(world, made, against=against))
    with pytest.raises(CodeMissing):
        bring(world, brought(world, made, against=against, code=code(78)))
    bring(world, brought(world, made, against=against, code=foreign))
    assert world.api.validation_code_by_hash(world.state, code_hash) == foreign
    world.add_blocks_until(world.number + WAIT + 1)
    assert world.api.validation_code_by_hash(world.state, code_hash) is None


# Refusals


def test_what_is_no_remote_dispute_is_refused() -> None:
    world = remote_world()
    world.include(2)
    made, against = receipt(world), others(world)[:1]
    good = brought(world, made, against=against)
    only_votes = votes((good.session, made.hash()), against=against).statements
    everybody = brought(world, made, against=others(world)[:SUPERMAJORITY])
    (included,) = world.api.included_candidates(world.state)
    unknown = replace(FOREIGN, extrinsics_root=H256(bytes([1]) * 32))
    cases: list[tuple[type[ModuleError], RemoteDispute]] = [
        (NotRemote, replace(good, receipt=included.receipt)),
        (NotBacked, replace(good, statements=only_votes)),
        (NotBacked, replace(good, core=CoreIndex(U32(4)))),
        (BadIncludingHeader, replace(good, including_header=unknown)),
        (RefusedVotes, replace(good, session=SessionIndex(U32(1)))),
        (RefusedVotes, brought(world, made, against=[])),
        (RefusedVotes, brought(world, made, against=[against[0], against[0]])),
        (RefusedVotes, everybody),
        (RefusedVotes, replace(good, receipt=receipt(world, 2))),
    ]
    for error, dispute in cases:
        before = world.state
        with pytest.raises(error):
            bring(world, dispute)
        assert world.state is before
    bring(world, good)
    with pytest.raises(NotRemote):
        bring(world, good)


def test_there_are_so_many_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_disputes, "MAX_REMOTE_DISPUTES", 2)
    world = remote_world()
    one, another, third = others(world)[:3]
    for number, disputer in enumerate((one, another)):
        bring(world, brought(world, receipt(world, number), against=[disputer]))
    with pytest.raises(TooManyRemoteDisputes):
        bring(world, brought(world, receipt(world, 9), against=[third]))
    assert not may_begin(world, third)
    world.add_blocks_until(world.number + WAIT + 1)
    assert may_begin(world, third)


def may_begin(world: World, validator: int, session: int = 0) -> bool:
    return world.api.may_dispute_remotely(
        world.state, SessionIndex(U32(session)), ValidatorIndex(U32(validator))
    )


@pytest.mark.guide("A59")
def test_a_validator_answers_for_one_at_a_time_and_so_takes_one_place() -> None:
    """In all sessions together; until it is decided, not until it is closed."""
    world = remote_world()
    loner, other = others(world)[:2]
    key = bring(world, brought(world, receipt(world, 1), against=[loner]))
    with pytest.raises(RefusedVotes):
        bring(world, brought(world, receipt(world, 2), against=[loner]))
    bring(world, brought(world, receipt(world, 2), against=[loner, other]))
    assert not may_begin(world, loner) and not may_begin(world, other)
    assert may_begin(world, others(world)[2])
    world.add_block(availability=[held(key, *range(SUPERMAJORITY))], new_session=VALIDATORS)
    assert not may_begin(world, loner, session=0) and not may_begin(world, loner, session=1)
    world.add_block(disputes=[votes(key, against=others(world)[1:])])
    assert [each for each, _ in world.api.remote_disputes(world.state)].count(key) == 1
    assert may_begin(world, loner) and may_begin(world, loner, session=1)


def test_nobody_who_is_none_of_the_session_begins_one() -> None:
    world = remote_world()
    assert not may_begin(world, VALIDATORS) and not may_begin(world, 0, session=1)


@pytest.mark.guide("A60", "A103")
def test_bad_votes_on_availability_are_refused_and_stay_out() -> None:
    world = remote_world()
    key = bring(world, brought(world, receipt(world), against=others(world)[:1]))
    world.add_block(availability=[held(key, 3)])
    good = held(key, 4)
    (_, made) = good.votes[0]
    cases = [
        held((SessionIndex(U32(1)), key[1]), 4),
        held(key, 3),
        held(key, 4, 4),
        held(key),
        replace(good, votes=((ValidatorIndex(U32(5)), made),)),
        replace(good, votes=((ValidatorIndex(U32(VALIDATORS)), made),)),
    ]
    for bad in cases:
        with pytest.raises(InvalidAvailability):
            world.add_block(availability=[bad])
        kept = sanitize(world.host, world.state, world.data(), NoteChecks((), (bad, good)))
        assert [each.votes for each in kept.checks.availability] == [good.votes]
        store = world.child()
        world.host.inclusion_inherent.dispatch(store, NoOrigin(), InclusionCall(kept.inherent))
        world.host.validity.dispatch(store, NoOrigin(), kept.checks)
