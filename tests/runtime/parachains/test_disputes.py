"""Disputes on one fork: votes, supermajorities, penalties, rewards, what is reverted and frozen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parahost.primitives.approval import approval_payload
from parahost.primitives.basic import (
    H256,
    H512,
    U32,
    BlockNumber,
    CandidateHash,
    Hash,
    SessionIndex,
    ValidatorIndex,
    ValidatorSignature,
)
from parahost.primitives.disputes import (
    PARACHAINS_ENGINE,
    ApprovalChecking,
    ApprovalCheckingMultipleCandidates,
    BackingSeconded,
    BackingValid,
    DisputeOutcome,
    DisputeState,
    DisputeStatementSet,
    ExplicitInvalidVote,
    ExplicitVote,
    Revert,
    SignedDisputeStatement,
    VoteInvalid,
    VoteValid,
    dispute_payload,
    vote_payload,
)
from parahost.primitives.header import Consensus
from parahost.primitives.runtime_api import IncludedCandidate
from parahost.primitives.scale import decode
from parahost.primitives.statements import CompactSeconded, SigningContext, Valid, statement_payload
from parahost.primitives.validity_configuration import ValidityConfiguration
from parahost.runtime.origin import NoOrigin, Root
from parahost.runtime.parachains import disputes as disputes_module
from parahost.runtime.parachains import sanitize as sanitizing
from parahost.runtime.parachains import validity as validity_module
from parahost.runtime.parachains.dispute_errors import (
    BadVote,
    BadVoteSignature,
    DisputeClosed,
    InvalidDispute,
    MayNotDispute,
    NothingDisputed,
    TooManyDisputes,
    Unconcluded,
    UnknownDisputeSession,
)
from parahost.runtime.parachains.dispute_events import (
    DisputeConcluded,
    DisputeInitiated,
    DisputeTimedOut,
)
from parahost.runtime.parachains.disputes import (
    MAX_OPEN_DISPUTES,
    ForceUnfreeze,
)
from parahost.runtime.parachains.groups import Group
from parahost.runtime.parachains.inclusion import CandidateDisputed
from parahost.runtime.parachains.inclusion_errors import (
    DisabledBacker,
    ForkFrozen,
    InvalidatedCandidate,
)
from parahost.runtime.parachains.inclusion_inherent import InclusionCall
from parahost.runtime.parachains.sanitize import sanitize
from parahost.runtime.parachains.validity import MAX_DISPUTED
from parahost.runtime.slashing import Misconduct, ValidatorPunished
from parahost.runtime.storage import Overlay
from parahost.runtime.validity_parameters import DEFAULT_VALIDITY_CONFIGURATION
from parahost.runtime.weights import micros

from .test_approvals import CHECKED, announced, approved, first, wait_for_all
from .world import STAKE, World, account_of, claim, keypair, para, signature, validator_name

VALIDATORS = 12
SUPERMAJORITY = 9
LATE = 3
TIME = 6
CONFIG = replace(
    DEFAULT_VALIDITY_CONFIGURATION,
    dispute_period=BlockNumber(U32(TIME)),
    late_vote_period=BlockNumber(U32(LATE)),
)


def included_world(validity: ValidityConfiguration = CONFIG) -> World:
    """The candidates of paras 1 and 2 have been included by block 2."""
    world = World(validators=VALIDATORS, parachains=[1, 2], validity=validity, acceptance_period=4)
    world.include(1, 2)
    return world


def candidate(world: World, core: int = 0) -> IncludedCandidate:
    return next(each for each in world.api.included_candidates(world.state) if each.core == core)


def signed(
    key: tuple[SessionIndex, CandidateHash], statement: VoteValid | VoteInvalid, validator: int
) -> SignedDisputeStatement:
    payload = vote_payload(statement, key[1], key[0]) or b""
    made = ValidatorSignature(signature(validator_name(validator), payload))
    return statement, ValidatorIndex(U32(validator)), made


def votes(
    key: tuple[SessionIndex, CandidateHash],
    *,
    against: Iterable[int] = (),
    valid: Iterable[int] = (),
) -> DisputeStatementSet:
    statements = [signed(key, VoteInvalid(ExplicitInvalidVote()), each) for each in against]
    statements += [signed(key, VoteValid(ExplicitVote()), each) for each in valid]
    return DisputeStatementSet(key[1], key[0], tuple(statements))


def state(world: World, record: IncludedCandidate) -> DisputeState:
    return dict(world.api.disputes(world.state))[record.key()]


def outsiders(record: IncludedCandidate) -> list[int]:
    """Who has not backed it."""
    return [each for each in range(VALIDATORS) if each not in record.backers]


def stakes(world: World) -> list[int]:
    return [world.staking.stake(world.state, account_of(each)) for each in world.validators]


def free(world: World) -> list[int]:
    return [world.balances.free(world.state, account_of(each)) for each in world.validators]


def told(world: World, kind: type) -> list[object]:
    records = world.system.block_events(world.state)
    return [record.event for record in records if isinstance(record.event, kind)]


def reverts(digest: tuple[object, ...]) -> list[Revert]:
    return [
        decode(Revert, item.data)
        for item in digest
        if isinstance(item, Consensus) and item.engine == PARACHAINS_ENGINE
    ]


def groups(world: World) -> Sequence[Group]:
    return world.host.scheduler.validator_groups.get(world.state)


def one_loses(*losers: int, each: int) -> list[int]:
    return [STAKE - each * (index in losers) for index in range(VALIDATORS)]


# Beginning


@pytest.mark.guide("A56")
def test_the_first_contradiction_begins_a_dispute_in_which_the_backing_counts() -> None:
    world = included_world()
    record = candidate(world)
    challenger = outsiders(record)[0]
    world.add_block(disputes=[votes(record.key(), against=[challenger])])
    assert told(world, DisputeInitiated) == [DisputeInitiated(*record.key(), True)]
    begun = state(world, record)
    assert begun.validators_for.ones() == begun.backers.ones() == sorted(record.backers)
    assert begun.validators_against.ones() == [challenger]
    assert begun.outcome is None and begun.opened_by == challenger
    assert stakes(world) == [STAKE] * VALIDATORS, "nobody is punished before the end"


@pytest.mark.guide("A56")
def test_checks_count_as_votes_before_and_after_the_beginning() -> None:
    world = included_world(replace(CONFIG, approval=CHECKED.approval))
    record = candidate(world)
    wait_for_all(world)
    checkers = first(record, 6)
    world.add_block(checks=[announced(record, *checkers), approved(record, checkers[0])])
    world.add_block(disputes=[votes(record.key(), against=[checkers[5]])])
    assert set(state(world, record).validators_for.ones()) == {*record.backers, checkers[0]}
    world.add_block(checks=[approved(record, checkers[1])])
    assert set(state(world, record).validators_for.ones()) == {*record.backers, *checkers[:2]}


@pytest.mark.guide("A55")
def test_a_disputed_candidate_is_not_accepted_and_its_window_extends() -> None:
    world = included_world(replace(CONFIG, approval=CHECKED.approval))
    record = candidate(world)
    wait_for_all(world)
    checkers = first(record, 6)
    world.add_block(disputes=[votes(record.key(), against=[checkers[5]])])
    world.add_block(checks=[announced(record, *checkers), approved(record, *checkers[:5])])
    assert world.api.candidate_checks(world.state, record.key()).accepted_in is not None, (
        "with the checks there is a supermajority for it"
    )
    assert state(world, record).outcome is DisputeOutcome.VALID


@pytest.mark.guide("A55", "A56")
def test_an_undecided_candidate_is_kept_and_not_accepted() -> None:
    world = included_world(replace(CONFIG, approval=CHECKED.approval))
    record = candidate(world)
    wait_for_all(world)
    checkers = first(record, 6)
    world.add_block(disputes=[votes(record.key(), against=checkers[2:5])])
    world.add_block(checks=[announced(record, *checkers), approved(record, *checkers[:2])])
    world.add_blocks_until(40)
    assert state(world, record).outcome is None
    assert candidate(world).key() == record.key()
    assert world.api.candidate_checks(world.state, record.key()).accepted_in is None


@pytest.mark.guide("A55")
def test_what_is_disputed_after_it_was_accepted_is_kept() -> None:
    """As long as votes are taken: to judge them, all that is known of it is needed."""
    world = included_world()
    record = candidate(world)
    assert world.api.candidate_checks(world.state, record.key()).accepted_in is not None
    world.add_block(disputes=[votes(record.key(), against=outsiders(record)[:1])])
    world.add_blocks_until(30)
    assert candidate(world).key() == record.key()


# Conclusions


def found_invalid(
    key: tuple[SessionIndex, CandidateHash], *, loser: int = VALIDATORS - 1
) -> DisputeStatementSet:
    """A supermajority votes against it, ``loser`` has vouched for it."""
    others = [each for each in range(VALIDATORS) if each != loser]
    return votes(key, against=others[:SUPERMAJORITY], valid=[loser])


def concluded_invalid() -> tuple[World, IncludedCandidate]:
    """Three of twelve have backed it, the nine others vote against it."""
    world = World(
        validators=VALIDATORS, parachains=[1, 2, 3, 4], validity=CONFIG, acceptance_period=4
    )
    world.include(1, 2)
    record = candidate(world)
    others = outsiders(record)
    assert (len(record.backers), len(others)) == (3, SUPERMAJORITY)
    world.add_block(disputes=[votes(record.key(), against=others[:-1])])
    assert state(world, record).outcome is None
    world.add_block(disputes=[votes(record.key(), against=others[-1:])])
    return world, record


@pytest.mark.guide("A57", "A62", "A65")
def test_who_backed_an_invalid_candidate_loses_all() -> None:
    world, record = concluded_invalid()
    assert told(world, DisputeConcluded) == [
        DisputeConcluded(*record.key(), DisputeOutcome.INVALID)
    ]
    assert stakes(world) == one_loses(*record.backers, each=STAKE)
    assert {event.misconduct for event in told(world, ValidatorPunished)} == {  # type: ignore[attr-defined]
        Misconduct.BACKED_INVALID
    }, "and nobody else: not who has backed the other candidate"


@pytest.mark.guide("A57")
def test_the_header_says_where_to_go_back_to_and_what_to_leave_out() -> None:
    world = World(validators=VALIDATORS, parachains=[1, 2, 3, 4], validity=CONFIG)
    world.include(1)
    record = candidate(world)
    store = world.child()
    data = replace(world.data(), disputes=(votes(record.key(), against=outsiders(record)),))
    world.host.inclusion_inherent.dispatch(store, NoOrigin(), InclusionCall(data))
    (revert,) = reverts(world.system.digest(store))
    assert revert == Revert(BlockNumber(U32(1)), record.parent_hash, record.receipt.hash())


@pytest.mark.guide("A57")
def test_a_fork_with_an_invalid_candidate_includes_none_any_more() -> None:
    world, record = concluded_invalid()
    assert world.api.frozen(world.state) == record.included_in - 1
    with pytest.raises(ForkFrozen):
        world.add_block(world.data(candidates=[world.candidate(2)]))
    with pytest.raises(ForkFrozen):
        world.add_block(world.data(world.all_vote([])))
    full = world.data(world.all_vote([]), [world.candidate(2)])
    assert sanitize(world.host, world.state, full).inherent == world.data()
    world.add_blocks_until(world.number + 12)
    world.add_block(
        extrinsics=lambda store: world.host.disputes.dispatch(store, Root(), ForceUnfreeze())
    )
    everything = world.data(candidates=[world.candidate(number) for number in (1, 2, 3, 4)])
    kept = sanitize(world.host, world.state, everything).inherent
    assert len(kept.backed_candidates) == 3, "one group is disabled as a whole"
    world.add_block(kept)


@pytest.mark.guide("A57", "A62")
def test_a_supermajority_for_it_slashes_who_disputed_it() -> None:
    world = included_world()
    record = candidate(world)
    others = outsiders(record)
    world.add_block(disputes=[votes(record.key(), against=others[:2], valid=others[2:4])])
    assert state(world, record).outcome is None
    world.add_block(disputes=[votes(record.key(), valid=others[4:5])])
    assert state(world, record).outcome is DisputeOutcome.VALID
    assert stakes(world) == one_loses(*others[:2], each=STAKE // 100)
    assert not world.api.frozen(world.state)
    assert world.api.disabled_validators(world.state) == set(others[:2])


@pytest.mark.guide("A57", "A64")
def test_late_votes_count_and_the_silent_pay_in_the_end() -> None:
    world = included_world()
    record = candidate(world)
    others = outsiders(record)
    money, issued = free(world), world.balances.total_issuance.get(world.state)
    world.add_block(disputes=[votes(record.key(), against=others[:1], valid=others[1:4])])
    assert state(world, record).outcome is DisputeOutcome.VALID
    world.add_block(disputes=[votes(record.key(), against=others[4:5])])
    small = STAKE // 100
    assert stakes(world) == one_loses(others[0], others[4], each=small), "who comes late pays too"
    world.add_blocks_until(world.number + LATE - 1)
    assert stakes(world) == one_loses(others[0], others[4], each=small), "nobody is silent yet"
    world.add_block()
    silent = others[5]
    expected = one_loses(others[0], others[4], each=small)
    expected[silent] -= STAKE // 2000
    assert stakes(world) == expected
    with pytest.raises(DisputeClosed):
        world.add_block(disputes=[votes(record.key(), valid=[silent])])
    lost = 2 * small + STAKE // 2000
    assert state(world, record).lost == lost
    right = {*record.backers, *others[1:4]}
    share = lost // 10 // len(right)
    assert free(world) == [before + share * (index in right) for index, before in enumerate(money)]
    burnt = issued - world.balances.total_issuance.get(world.state)
    assert burnt == lost - share * len(right), "no unit is lost or made"


@pytest.mark.guide("A64")
def test_a_large_settlement_takes_several_blocks() -> None:
    """Each touches so many balances, and in the end it is the same."""
    whole, parts = settled(1000, blocks=1), settled(5, blocks=6)
    assert whole == parts


@pytest.mark.guide("A64")
def test_only_those_with_whom_there_is_something_to_settle_take_room() -> None:
    """Nobody was silent: there is one share for each of those who were right."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(disputes_module, "MAX_SETTLED", VALIDATORS)
        world = included_world()
        record = candidate(world)
        others = outsiders(record)
        world.add_block(disputes=[votes(record.key(), against=others[:1], valid=others[1:])])
        money = free(world)
        world.add_blocks_until(world.number + LATE + 1)
        assert world.host.disputes.settling.get(world.state) == ()
        richer = {at for at, now in enumerate(free(world)) if now > money[at]}
        assert richer == {*record.backers, *others[1:]}


def settled(most: int, blocks: int) -> tuple[list[int], list[int]]:
    """Stakes and balances when a dispute is settled, so many validators in each block."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(disputes_module, "MAX_SETTLED", most)
        world = included_world()
        record = candidate(world)
        others = outsiders(record)
        world.add_block(disputes=[votes(record.key(), against=others[:1], valid=others[1:4])])
        world.add_blocks_until(world.number + LATE)
        for _ in range(blocks):
            world.add_block()
        assert world.host.disputes.settling.get(world.state) == ()
        return stakes(world), free(world)


@pytest.mark.guide("A57", "A63")
def test_a_period_is_of_blocks_that_follow_if_it_be_one() -> None:
    """In which all may have their say: before those who vouched pay, and when it is concluded."""
    one = BlockNumber(U32(1))
    world = included_world(replace(CONFIG, dispute_period=one, late_vote_period=one))
    first, second = candidate(world), candidate(world, core=1)
    others = outsiders(first)
    opened = [votes(each.key(), against=outsiders(each)[:1]) for each in (first, second)]
    world.add_block(disputes=opened)
    world.add_block(disputes=[votes(first.key(), valid=others[1:-1])])
    assert state(world, first).outcome is DisputeOutcome.VALID
    assert told(world, DisputeTimedOut) == []
    world.add_block(disputes=[votes(first.key(), valid=others[-1:])])
    assert told(world, DisputeTimedOut) == [DisputeTimedOut(*second.key())]
    assert state(world, first).validators_for[others[-1]]
    world.add_block()
    assert state(world, first).is_closed
    expected = [STAKE - STAKE // 1000 * (each in second.backers) for each in range(VALIDATORS)]
    expected[others[0]] -= expected[others[0]] // 100
    assert stakes(world) == expected


@pytest.mark.guide("A63")
def test_without_a_supermajority_those_who_vouched_pay_once() -> None:
    world = included_world()
    record = candidate(world)
    others = outsiders(record)
    world.add_block(disputes=[votes(record.key(), against=others[:1], valid=others[1:2])])
    world.add_blocks_until(world.number + TIME + 1)
    assert told(world, DisputeTimedOut) == [DisputeTimedOut(*record.key())]
    fee = STAKE // 1000
    vouched = {*record.backers, others[1]}
    assert stakes(world) == one_loses(*vouched, each=fee)
    assert world.api.disabled_validators(world.state) == set(), "it was no crime"
    world.add_blocks_until(world.number + 3 * TIME)
    assert stakes(world) == one_loses(*vouched, each=fee), "once"
    world.add_block(disputes=[votes(record.key(), valid=others[2:4])])
    assert state(world, record).outcome is DisputeOutcome.VALID, "and votes still count"


@pytest.mark.guide("A62")
def test_who_votes_both_ways_counts_for_neither_and_is_punished_for_it() -> None:
    world = included_world()
    record = candidate(world)
    others = outsiders(record)
    twofold = record.backers[0]
    world.add_block(disputes=[votes(record.key(), against=[others[0], twofold])])
    tenth = STAKE // 10
    assert stakes(world) == one_loses(twofold, each=tenth)
    world.add_block(disputes=[votes(record.key(), valid=others[1:4])])
    assert state(world, record).outcome is None, "nine vouch, one of them has taken it back"
    world.add_block(disputes=[votes(record.key(), valid=others[4:5])])
    assert state(world, record).outcome is DisputeOutcome.VALID
    expected = one_loses(others[0], each=STAKE // 100)
    expected[twofold] = (STAKE - tenth) - (STAKE - tenth) // 100
    assert stakes(world) == expected


def test_when_in_the_end_nobody_was_right_nobody_is_rewarded() -> None:
    """Who has concluded it takes back what it has said."""
    world = World(validators=4, validity=CONFIG)
    world.add_block(disputes=[votes(elsewhere(), against=[1, 2, 3], valid=[0])])
    world.add_block(disputes=[votes(elsewhere(), valid=[1, 2, 3])])
    world.add_blocks_until(world.number + LATE + 2)
    assert world.host.disputes.settling.get(world.state) == ()
    assert stakes(world) == [0] * 4
    assert free(world) == [STAKE] * 4


# Candidates of other forks


def elsewhere(session: int = 0) -> tuple[SessionIndex, CandidateHash]:
    return SessionIndex(U32(session)), CandidateHash(H256(bytes([9]) * 32))


def backed_elsewhere(*backers: int) -> list[SignedDisputeStatement]:
    parent = Hash(H256(bytes([8]) * 32))
    kinds: list[BackingSeconded | BackingValid] = [
        BackingSeconded(parent),
        *[BackingValid(parent)] * (len(backers) - 1),
    ]
    return [
        signed(elsewhere(), VoteValid(kind), backer)
        for kind, backer in zip(kinds, backers, strict=True)
    ]


@pytest.mark.guide("A58", "A65")
def test_a_dispute_that_another_fork_has_concluded_is_resolved_at_once() -> None:
    world = included_world()
    against = votes(elsewhere(), against=range(3, 12))
    whole = replace(against, statements=(*backed_elsewhere(0, 1, 2), *against.statements))
    world.add_block(disputes=[whole])
    assert told(world, DisputeInitiated) == [DisputeInitiated(*elsewhere(), False)]
    assert told(world, DisputeConcluded) == [DisputeConcluded(*elsewhere(), DisputeOutcome.INVALID)]
    assert stakes(world) == one_loses(0, 1, 2, each=STAKE)
    assert world.api.frozen(world.state) is None, "this fork has not included it"
    late = votes(elsewhere(), valid=[0])
    with pytest.raises(BadVote):
        world.add_block(disputes=[late])


@pytest.mark.guide("A57", "A58")
def test_backers_whom_a_conclusion_left_out_pay_when_their_backing_comes() -> None:
    """An author may bring a supermajority without some; the next one brings what is missing."""
    world = included_world()
    whole = votes(elsewhere(), against=range(3, 12))
    some = replace(whole, statements=(*backed_elsewhere(0), *whole.statements))
    world.add_block(disputes=[some])
    assert stakes(world) == one_loses(0, each=STAKE)
    backing = replace(whole, statements=tuple(backed_elsewhere(0, 1, 2)[1:]))
    world.add_block(disputes=[backing])
    assert stakes(world) == one_loses(0, 1, 2, each=STAKE)
    punished = {event.misconduct for event in told(world, ValidatorPunished)}  # type: ignore[attr-defined]
    assert punished == {Misconduct.BACKED_INVALID}


@pytest.mark.guide("A58")
def test_checks_made_elsewhere_are_votes_here() -> None:
    world = included_world()
    checks = [signed(elsewhere(), VoteValid(ApprovalChecking()), each) for each in range(3, 9)]
    against = votes(elsewhere(), against=[11])
    statements = (*backed_elsewhere(0, 1, 2), *checks, *against.statements)
    world.add_block(disputes=[replace(against, statements=statements)])
    assert told(world, DisputeConcluded) == [DisputeConcluded(*elsewhere(), DisputeOutcome.VALID)]
    assert stakes(world) == one_loses(11, each=STAKE // 100)


@pytest.mark.guide("A58")
def test_a_candidate_that_a_dispute_has_found_invalid_is_not_backed_and_leaves_its_core() -> None:
    world = World(validators=VALIDATORS, parachains=[1, 2, 3, 4], validity=CONFIG)
    backed = world.candidate(1)
    key = SessionIndex(U32(0)), backed.candidate.hash()
    found = found_invalid(key, loser=world.host.scheduler.validator_groups.get(world.state)[1][0])
    store = world.child()
    data = replace(world.data(candidates=[backed]), disputes=(found,))
    with pytest.raises(InvalidatedCandidate):
        world.host.inclusion_inherent.dispatch(store, NoOrigin(), InclusionCall(data))
    kept = sanitize(world.host, world.state, data).inherent
    assert kept == replace(data, backed_candidates=())
    world.add_block(world.data(candidates=[backed]))
    assert world.pending_cores() == [0]
    again = world.back(world.receipt(1, head=b"again"), group=0)
    data = world.data(world.all_vote([0]), [again])
    data = replace(data, disputes=(found,))
    kept = sanitize(world.host, world.state, data).inherent
    assert kept == replace(data, bitfields=())
    world.add_block(kept)
    assert world.pending_cores() == [0], "the core is free in the same block, for another"
    pending = world.host.inclusion.pending_availability.get(
        world.state, backed.candidate.descriptor.para_id
    )
    assert pending is not None and pending.receipt.hash() == again.candidate.hash()


@pytest.mark.guide("A49", "A58")
def test_of_several_that_await_availability_the_invalid_ones_leave_and_no_others() -> None:
    """What is available beside them is included in the same block."""
    world = World(validators=VALIDATORS, parachains=[1, 2, 3, 4], validity=CONFIG)
    backed = [world.candidate(number) for number in (1, 2, 3)]
    world.add_block(world.data(candidates=backed))
    found = [
        found_invalid((SessionIndex(U32(0)), each.candidate.hash()), loser=group[0])
        for each, group in zip(backed, groups(world), strict=False)
    ]
    world.add_block(world.data(world.all_vote([1])), disputes=[found[0], found[2]])
    assert world.pending_cores() == []
    assert [event.core for event in told(world, CandidateDisputed)] == [0, 2]  # type: ignore[attr-defined]
    assert [each.core for each in world.api.included_candidates(world.state)] == [1]
    heads = [world.host.paras.heads.get(world.state, para(number)) for number in (1, 2, 3)]
    assert heads == [b"head of 1", b"new head", b"head of 3"]


@pytest.mark.guide("A32", "A58")
def test_a_threads_claim_goes_with_its_invalid_candidate_and_the_next_has_the_core() -> None:
    """It has had its turn: unlike one that does not become available, it does not wait again."""
    world = World(
        validators=4,
        parathreads=[11, 12],
        parathread_cores=1,
        parathread_retries=9,
        validity=CONFIG,
    )
    scheduler = world.host.scheduler

    def claims(store: Overlay) -> None:
        for number in (11, 12):
            scheduler.add_parathread_claim(store, claim(number))

    world.add_block(extrinsics=claims)
    invalid = world.candidate(11)
    world.add_block(world.data(candidates=[invalid]))
    key = SessionIndex(U32(0)), invalid.candidate.hash()
    loser, *others = groups(world)[0]
    following = world.back(world.receipt(12), group=0, positions=range(1, 4))
    world.add_block(
        world.data(candidates=[following]), disputes=[votes(key, against=others, valid=[loser])]
    )
    (pending,) = world.host.inclusion.pending_availability.values(world.state)
    assert pending.receipt == following.candidate.to_plain()
    assert scheduler.parathread_claim_index.get(world.state) == (12,)
    assert scheduler.parathread_queue.get(world.state).queue == ()
    world.add_block(extrinsics=lambda store: scheduler.add_parathread_claim(store, claim(11)))


@pytest.mark.guide("A30", "A57")
def test_where_no_candidates_are_taken_no_claim_loses_a_try(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """When governance lets paras go on, all claims are there."""
    world = World(
        validators=VALIDATORS,
        parachains=[1, 2, 3],
        parathreads=[11],
        parathread_cores=1,
        parathread_retries=0,
        validity=CONFIG,
    )
    world.include(1)
    record, scheduler = candidate(world), world.host.scheduler
    world.add_block(
        extrinsics=lambda store: scheduler.add_parathread_claim(store, claim(11)),
        disputes=[votes(record.key(), against=outsiders(record))],
    )
    for _ in range(3):
        world.add_block()
        assert scheduler.parathread_claim_index.get(world.state) == (11,)
    world.add_block(
        extrinsics=lambda store: world.host.disputes.dispatch(store, Root(), ForceUnfreeze())
    )
    monkeypatch.setattr(validity_module, "MAX_UNACCEPTED", 0)
    world.add_block()
    assert scheduler.parathread_claim_index.get(world.state) == (11,)
    monkeypatch.undo()
    world.add_block()
    assert scheduler.parathread_claim_index.get(world.state) == ()


# Refusals


@pytest.mark.guide("A56", "A59")
def test_what_is_no_dispute_is_refused() -> None:
    world = included_world()
    record = candidate(world)
    key, other = record.key(), outsiders(record)[0]
    nobody = votes(key, against=[other])
    unsigned = (VoteInvalid(ExplicitInvalidVote()), ValidatorIndex(U32(other)), H512(bytes(64)))
    beyond = (VoteInvalid(ExplicitInvalidVote()), ValidatorIndex(U32(12)), H512(bytes(64)))
    strange = VoteValid(ApprovalCheckingMultipleCandidates((key[1],)))
    cases: list[tuple[type[InvalidDispute], DisputeStatementSet]] = [
        (UnknownDisputeSession, replace(nobody, session=SessionIndex(U32(7)))),
        (NothingDisputed, votes(key, valid=[other])),
        (NothingDisputed, votes(key)),
        (NothingDisputed, votes(elsewhere(), against=range(SUPERMAJORITY))),
        (NothingDisputed, votes(elsewhere(), valid=range(SUPERMAJORITY))),
        (Unconcluded, votes(elsewhere(), against=range(8), valid=[11])),
        (BadVote, votes(key, against=[other, other])),
        (BadVote, votes(key, valid=record.backers[:1])),
        (BadVote, replace(nobody, statements=(beyond,))),  # type: ignore[arg-type]
        (BadVote, replace(nobody, statements=(signed(key, strange, other),))),
        (BadVoteSignature, replace(nobody, statements=(unsigned,))),  # type: ignore[arg-type]
        (BadVoteSignature, replace(votes(elsewhere(), against=range(9)), candidate_hash=key[1])),
    ]
    for error, given_ in cases:
        with pytest.raises(error):
            world.add_block(disputes=[given_])
        data = replace(world.data(), disputes=(given_,))
        kept = sanitize(world.host, world.state, data).inherent
        world.host.inclusion_inherent.dispatch(world.child(), NoOrigin(), InclusionCall(kept))


def other_candidate(number: int) -> tuple[SessionIndex, CandidateHash]:
    return SessionIndex(U32(0)), CandidateHash(H256(bytes([number]) * 32))


def test_a_block_brings_statements_on_so_many_candidates_at_most() -> None:
    world = included_world()
    many = [found_invalid(other_candidate(number)) for number in range(MAX_DISPUTED + 1)]
    with pytest.raises(TooManyDisputes):
        world.add_block(disputes=many)
    kept = sanitize(world.host, world.state, replace(world.data(), disputes=tuple(many))).inherent
    assert kept.disputes == tuple(many[:MAX_DISPUTED])


def test_disputes_leave_room_for_the_rest_of_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(validators=VALIDATORS, parachains=[1], validity=CONFIG)
    monkeypatch.setattr(sanitizing, "MAX_DISPUTES_WEIGHT", micros(35_000))
    (group,) = world.host.scheduler.validator_groups.get(world.state)
    many = tuple(found_invalid(other_candidate(n), loser=group[-1]) for n in range(3))
    refused = votes(other_candidate(9), against=[1])
    backed = world.back(world.receipt(1), positions=range(VALIDATORS - 1))
    data = replace(world.data(candidates=[backed]), disputes=(refused, *many))
    kept = sanitize(world.host, world.state, data).inherent
    assert kept == replace(data, disputes=many[:2]), "what is refused takes no room"


@pytest.mark.guide("A56", "A57")
def test_who_has_lost_a_dispute_begins_no_other_and_backs_nothing_for_a_while() -> None:
    world = included_world()
    record, second = candidate(world), candidate(world, 1)
    loser = outsiders(record)[0]
    world.add_block(disputes=[votes(record.key(), against=[loser], valid=outsiders(record)[1:4])])
    with pytest.raises(MayNotDispute):
        world.add_block(disputes=[votes(second.key(), against=[loser])])
    groups = world.host.scheduler.validator_groups.get(world.state)
    number = next(core for core, group in enumerate(groups, 1) if loser in group)
    assignment = world.assignment(number)
    backed = world.back(world.receipt(number), group=assignment.group_idx)
    members = groups[assignment.group_idx]
    if loser not in members:
        backed = world.candidate(3 - number)
        members = groups[world.assignment(3 - number).group_idx]
    with pytest.raises(DisabledBacker) as refused:
        world.add_block(world.data(candidates=[backed]))
    assert refused.value.validator == loser
    kept = sanitize(world.host, world.state, world.data(candidates=[backed])).inherent
    (stripped,) = kept.backed_candidates
    assert [members[at] for at in stripped.validator_indices.ones()] == [
        member for member in members if member != loser
    ]
    world.add_block(kept)


@pytest.mark.guide("A56", "A57")
def test_the_votes_of_who_has_lost_a_dispute_count_where_another_begins() -> None:
    world = World(
        validators=VALIDATORS, parachains=[1, 2, 3, 4], validity=CONFIG, acceptance_period=4
    )
    world.include(1, 2)
    record, second = candidate(world), candidate(world, 1)
    loser, other = sorted(set(outsiders(record)) & set(outsiders(second)))[:2]
    honest = [each for each in outsiders(record) if each not in (loser, other)]
    world.add_block(disputes=[votes(record.key(), against=[loser], valid=honest)])
    assert world.api.disabled_validators(world.state) == {loser}
    world.add_block(disputes=[votes(second.key(), against=[loser, other])])
    begun = state(world, second)
    assert begun.validators_against.ones() == [loser, other] and begun.opened_by == other


@pytest.mark.guide("A57")
def test_a_lone_validator_answers_for_so_many_disputes_at_a_time() -> None:
    """It disputes whatever is included, and nobody else votes."""
    world = World(validators=VALIDATORS, parachains=[1, 2], validity=CONFIG, acceptance_period=90)
    loner, opened = 0, 0
    while opened < MAX_OPEN_DISPUTES:
        world.include(1, 2)
        for record in world.api.included_candidates(world.state)[-2:]:
            if loner not in record.backers and opened < MAX_OPEN_DISPUTES:
                world.add_block(disputes=[votes(record.key(), against=[loner])])
                opened += 1
    world.include(1, 2)
    fresh = [
        record
        for record in world.api.included_candidates(world.state)
        if loner not in record.backers and record.key() not in dict(world.api.disputes(world.state))
    ][-1]
    with pytest.raises(MayNotDispute):
        world.add_block(disputes=[votes(fresh.key(), against=[loner])])
    decided = next(
        record
        for record in world.api.included_candidates(world.state)
        if record.key() in dict(world.api.disputes(world.state))
    )
    honest = [each for each in outsiders(decided) if each != loner]
    world.add_block(disputes=[votes(decided.key(), valid=honest)])
    with pytest.raises(MayNotDispute):
        world.add_block(disputes=[votes(fresh.key(), against=[loner])])
    other = next(each for each in outsiders(fresh) if each != loner)
    world.add_block(disputes=[votes(fresh.key(), against=[loner, other])])
    assert state(world, fresh).opened_by == other


@pytest.mark.guide("A56")
def test_the_validators_of_the_session_of_inclusion_judge_it_with_the_keys_of_then() -> None:
    world = included_world()
    record = candidate(world)
    newcomers = [keypair(validator_name(each)).public for each in range(20, 20 + VALIDATORS)]
    world.add_block(new_session=tuple(H256(each) for each in newcomers))  # type: ignore[misc]
    others = outsiders(record)
    now = SessionIndex(U32(1)), record.key()[1]
    with pytest.raises(BadVoteSignature):
        world.add_block(disputes=[votes(now, against=others[:1])])
    world.add_block(disputes=[votes(record.key(), against=others[:1], valid=others[1:4])])
    assert state(world, record).outcome is DisputeOutcome.VALID
    old = account_of(World(validators=VALIDATORS).validators[others[0]])
    assert world.staking.stake(world.state, old) == STAKE - STAKE // 100


def test_two_disputes_at_once_conclude_in_either_order() -> None:
    for first_one, second_one in ((0, 1), (1, 0)):
        world = World(
            validators=VALIDATORS, parachains=[1, 2, 3, 4], validity=CONFIG, acceptance_period=9
        )
        world.include(1, 2)
        records = [candidate(world, core) for core in (first_one, second_one)]
        for record in records:
            world.add_block(disputes=[votes(record.key(), against=outsiders(record)[:1])])
        for record in records:
            rest = outsiders(record)[1:]
            world.add_block(disputes=[votes(record.key(), against=rest)])
        lost = {*records[0].backers, *records[1].backers}
        assert [stake == 0 for stake in stakes(world)] == [
            index in lost for index in range(VALIDATORS)
        ]
        assert world.api.frozen(world.state) == 1


# Payloads


def test_what_is_signed() -> None:
    key = elsewhere(258)
    parent = Hash(H256(bytes([3]) * 32))
    context = SigningContext(key[0], parent)
    assert dispute_payload(key[1], key[0], valid=True) == (
        b"DISP\x01" + key[1] + b"\x02\x01\x00\x00"
    )
    assert dispute_payload(key[1], key[0], valid=False)[:5] == b"DISP\x00"
    expected: dict[VoteValid | VoteInvalid, bytes] = {
        VoteValid(ExplicitVote()): dispute_payload(key[1], key[0], valid=True),
        VoteInvalid(ExplicitInvalidVote()): dispute_payload(key[1], key[0], valid=False),
        VoteValid(BackingSeconded(parent)): statement_payload(CompactSeconded, key[1], context),
        VoteValid(BackingValid(parent)): statement_payload(Valid, key[1], context),
        VoteValid(ApprovalChecking()): approval_payload(key[1], key[0]),
    }
    for statement, payload in expected.items():
        assert vote_payload(statement, key[1], key[0]) == payload
    assert len({*expected.values()}) == 5


# Whatever an author is given, what it keeps is accepted, whatever concludes in that very block

deeds = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.lists(st.tuples(st.integers(0, VALIDATORS), st.integers(0, 3)), max_size=14),
    ),
    max_size=5,
)


def made(world: World, which: int, said: list[tuple[int, int]]) -> DisputeStatementSet:
    """Statements on a candidate that is included, awaits availability, or is of another fork."""
    records = world.api.included_candidates(world.state)
    pending = list(world.host.inclusion.pending_availability.values(world.state))
    keys = [record.key() for record in records[:2]]
    keys += [(SessionIndex(U32(0)), each.receipt.hash()) for each in pending[:1]]
    key = [*keys, elsewhere()][min(which, len(keys))]
    kinds = (
        VoteInvalid(ExplicitInvalidVote()),
        VoteInvalid(ExplicitInvalidVote()),
        VoteValid(ExplicitVote()),
        VoteValid(ApprovalChecking()),
    )
    statements = [signed(key, kinds[kind], min(who, VALIDATORS)) for who, kind in said]
    return DisputeStatementSet(key[1], key[0], tuple(statements))


@pytest.mark.guide("A56", "A57", "A103")
@settings(max_examples=40, deadline=None)
@given(st.lists(deeds, min_size=1, max_size=4))
def test_what_is_kept_with_disputes_is_always_accepted(
    blocks: list[list[tuple[int, list[tuple[int, int]]]]],
) -> None:
    world = World(
        validators=VALIDATORS, parachains=[1, 2, 3, 4], validity=CONFIG, acceptance_period=20
    )
    world.include(1, 2)
    world.add_block(world.data(candidates=[world.candidate(3)]))
    issued = world.balances.total_issuance.get(world.state)
    for given_ in blocks:
        data = replace(
            world.data(world.all_vote(world.pending_cores()), [world.candidate(4)])
            if 3 not in world.pending_cores()
            else world.data(world.all_vote(world.pending_cores())),
            disputes=tuple(made(world, which, said) for which, said in given_),
        )
        kept = sanitize(world.host, world.state, data).inherent
        for statements in kept.disputes:
            (given_set, *_) = [
                each for each in data.disputes if set(statements.statements) <= set(each.statements)
            ]
            assert given_set.candidate_hash == statements.candidate_hash
        world.add_block(kept)
    world.add_blocks_until(world.number + TIME + LATE + 2)
    lost = sum(STAKE - stake for stake in stakes(world))
    given_back = sum(free(world)) - VALIDATORS * STAKE
    assert issued - world.balances.total_issuance.get(world.state) == lost - given_back
    assert given_back * 10 <= lost
