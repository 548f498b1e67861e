"""Disputes whose votes come in parts, in another order, about two sessions or beyond one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from parahost.primitives.basic import U32, SessionIndex, ValidatorIndex
from parahost.primitives.disputes import (
    DisputeOutcome,
    DisputeStatementSet,
    SignedDisputeStatement,
)
from parahost.primitives.validity_configuration import PARTS_PER_BILLION, Perbill
from parahost.runtime.origin import NoOrigin
from parahost.runtime.parachains import disputes as disputes_module
from parahost.runtime.parachains.dispute_errors import BadVote, BadVoteSignature
from parahost.runtime.parachains.dispute_events import DisputeTimedOut
from parahost.runtime.parachains.inclusion_inherent import InclusionCall
from parahost.runtime.parachains.sanitize import sanitize
from parahost.runtime.session import SESSIONS_KEPT

from .test_disputes import (
    CONFIG,
    LATE,
    TIME,
    VALIDATORS,
    backed_elsewhere,
    candidate,
    elsewhere,
    free,
    included_world,
    one_loses,
    other_candidate,
    outsiders,
    reverts,
    stakes,
    state,
    told,
    votes,
)
from .world import STAKE, World


def four_groups() -> World:
    """Of three each, so that all others are a supermajority."""
    return World(
        validators=VALIDATORS, parachains=[1, 2, 3, 4], validity=CONFIG, acceptance_period=20
    )


# In parts


def test_of_a_set_that_is_bad_in_part_the_good_part_stays_if_it_disputes_anything() -> None:
    """Of statements that say the same the first one stays. What is left has to contradict the
    backing."""
    world = included_world()
    record = candidate(world)
    key, (one, two, three) = record.key(), outsiders(record)[:3]
    (denial,), (vouching,) = (
        votes(key, against=[one]).statements,
        votes(key, valid=[two]).statements,
    )
    stranger = (denial[0], ValidatorIndex(U32(three)), denial[2])
    again = (*vouching[:2], denial[2])
    cases: list[tuple[list[SignedDisputeStatement], list[SignedDisputeStatement]]] = [
        ([denial, vouching, denial, again], [denial, vouching]),
        ([stranger, denial, vouching], [denial, vouching]),
        ([stranger, vouching], []),
        ([again, denial, vouching], [denial, vouching]),
    ]
    for given_, kept in cases:
        brought = DisputeStatementSet(key[1], key[0], tuple(given_))
        data = replace(world.data(), disputes=(brought,))
        taken = sanitize(world.host, world.state, data).inherent.disputes
        assert [each.statements for each in taken] == ([tuple(kept)] if kept else [])


def test_two_sets_on_one_candidate_are_taken_as_far_as_each_says_something_new() -> None:
    world = included_world()
    record = candidate(world)
    key, (one, two) = record.key(), outsiders(record)[:2]
    first, second = votes(key, against=[one]), votes(key, valid=[two])
    data = replace(world.data(), disputes=(first, first, second, first))
    kept = sanitize(world.host, world.state, data).inherent
    assert kept.disputes == (first, second)
    with pytest.raises(BadVote):
        world.add_block(data)
    world.add_block(kept)
    assert state(world, record).validators_against.ones() == [one]


# Many at once


@pytest.mark.guide("A57", "A64")
def test_who_disputes_more_than_one_candidate_a_block_keeps_none_open_for_longer() -> None:
    """Or what waits to be closed would grow, and with it all that is kept for a dispute."""
    world = included_world()
    a_block = 3
    for block in range(15):
        numbers = range(a_block * block, a_block * (block + 1))
        brought = [
            votes(other_candidate(each), against=[1], valid=range(2, 12)) for each in numbers
        ]
        world.add_block(disputes=brought)
    open_ = [each for _, each in world.api.disputes(world.state) if not each.is_closed]
    assert len(open_) == a_block * (LATE + 1)
    world.add_blocks_until(world.number + LATE + 1)
    assert all(each.is_closed for _, each in world.api.disputes(world.state))
    world.add_blocks_until(world.number + TIME)
    assert not list(world.host.disputes.due.keys(world.state))


@pytest.mark.guide("A63")
def test_of_those_without_a_supermajority_one_a_block_is_over() -> None:
    """Many may have to pay for each. What is concluded meanwhile waits for none of them."""
    world = included_world()
    both = [candidate(world, core) for core in (0, 1)]
    undecided = [votes(each.key(), against=outsiders(each)[:1]) for each in both]
    world.add_block(disputes=undecided)
    world.add_blocks_until(world.number + TIME)
    for each in both:
        world.add_block()
        assert told(world, DisputeTimedOut) == [DisputeTimedOut(*each.key())]
    world.add_block()
    assert told(world, DisputeTimedOut) == []
    assert not list(world.host.disputes.due.keys(world.state))


# In another order


@pytest.mark.guide("A57", "A58")
def test_a_backer_pays_for_its_backing_whichever_of_its_statements_comes_first() -> None:
    """An author who brings a backer's vote before its backing spares it nothing, where the one
    costs less than the other."""
    cheap = replace(CONFIG.penalties, voted_for_invalid=Perbill(U32(PARTS_PER_BILLION // 100)))
    lost = []
    for in_order in (True, False):
        world = included_world(replace(CONFIG, penalties=cheap))
        backing, vote = backed_elsewhere(0), votes(elsewhere(), valid=[0]).statements
        against = votes(elsewhere(), against=range(3, 12))
        first, second = (backing, vote) if in_order else (vote, backing)
        world.add_block(disputes=[replace(against, statements=(*against.statements, *first))])
        if in_order:
            with pytest.raises(BadVote):
                world.add_block(disputes=[replace(against, statements=tuple(second))])
        else:
            world.add_block(disputes=[replace(against, statements=tuple(second))])
        lost.append(stakes(world)[0])
        assert stakes(world)[1:] == [STAKE] * (VALIDATORS - 1)
    assert lost == [0, 0]


@pytest.mark.guide("A57")
@pytest.mark.parametrize("later_first", [True, False])
def test_a_fork_goes_back_to_before_the_first_invalid_candidate(later_first: bool) -> None:
    """In whichever order they are found."""
    world = four_groups()
    world.include(1)
    world.include(2)
    earlier, later = candidate(world, 0), candidate(world, 1)
    assert earlier.included_in < later.included_in
    order = (later, earlier) if later_first else (earlier, later)
    frozen = []
    for record in order:
        world.add_block(disputes=[votes(record.key(), against=outsiders(record))])
        frozen.append(world.api.frozen(world.state))
    assert frozen == [order[0].included_in - 1, earlier.included_in - 1]


# Over sessions


@pytest.mark.guide("A56", "A58")
def test_of_one_candidate_in_two_sessions_each_is_judged_for_itself() -> None:
    """The same validators, with the same keys; neither outcome says anything of the other."""
    world = included_world()
    world.add_block(new_session=VALIDATORS)
    here, there = elsewhere(0), elsewhere(1)
    replayed = replace(votes(here, valid=range(3, 12)), session=there[0])
    with pytest.raises(BadVoteSignature):
        world.add_block(disputes=[replayed])
    world.add_block(
        disputes=[
            votes(here, against=range(3, 12), valid=[0]),
            votes(there, valid=range(3, 12), against=[1]),
        ]
    )
    outcomes = {key: state.outcome for key, state in world.api.disputes(world.state)}
    assert outcomes == {here: DisputeOutcome.INVALID, there: DisputeOutcome.VALID}
    expected = one_loses(0, each=STAKE)
    expected[1] -= STAKE // 100
    assert stakes(world) == expected


@pytest.mark.guide("A55", "A57")
def test_a_dispute_of_before_a_session_change_is_concluded_and_reverted_after_it() -> None:
    """To the block before its inclusion, in the session before."""
    world = four_groups()
    world.include(1)
    record = candidate(world)
    first, *others = outsiders(record)
    world.add_block(disputes=[votes(record.key(), against=[first])], new_session=VALIDATORS)
    assert candidate(world).key() == record.key(), "it is needed still"
    store = world.child()
    data = replace(world.data(), disputes=(votes(record.key(), against=others),))
    world.host.inclusion_inherent.dispatch(store, NoOrigin(), InclusionCall(data))
    (revert,) = reverts(world.system.digest(store))
    assert (revert.to, revert.to_hash) == (record.included_in - 1, record.parent_hash)
    world.add_block(data)
    assert stakes(world) == one_loses(*record.backers, each=STAKE)


@pytest.mark.guide("A57")
def test_who_is_disabled_is_so_by_its_account_in_whatever_set_it_sits() -> None:
    """At most f of that set; whoever has its index now is not meant."""
    world = included_world()
    offender = world.validators[1]
    world.add_block(disputes=[votes(elsewhere(), against=[1], valid=range(2, 12))])
    others = [each for each in world.validators if each != offender]
    for session, disabled in (
        ((*others[:4], offender), {4}),
        ((offender, *others[:2]), set()),
        (others[:4], set()),
        ((*others[:3], offender), {3}),
    ):
        world.add_block(new_session=session)
        assert world.api.disabled_validators(world.state) == disabled


def kept_for_long_world() -> World:
    """Session 0 is as old as a session that is judged may be."""
    world = World(validators=VALIDATORS, parachains=[1, 2], validity=CONFIG, acceptance_period=2)
    for _ in range(SESSIONS_KEPT):
        world.add_block(new_session=VALIDATORS)
    return world


@pytest.mark.guide("A57", "A64")
def test_a_session_is_kept_until_its_disputes_are_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Open to late votes, then settled in parts: so long the silent have not paid, and those who
    were right have no share. Then nothing of it is left."""
    monkeypatch.setattr(disputes_module, "MAX_SETTLED", 1)
    world = kept_for_long_world()
    money = free(world)
    for number in (1, 2):
        world.add_block(disputes=[votes(other_candidate(number), against=range(3, 12), valid=[0])])
    world.add_block(new_session=VALIDATORS)
    world.add_block(disputes=[votes(other_candidate(2), valid=[1])])
    world.add_blocks_until(world.number + LATE + 2 * 2 * VALIDATORS)
    once = STAKE - STAKE // 2000
    assert stakes(world)[:3] == [0, 0, once - once // 2000], "the third was silent twice"
    assert all(now > before for before, now in zip(money[3:], free(world)[3:], strict=True))
    world.add_block(new_session=VALIDATORS)
    assert world.api.disputes(world.state) == ()
    assert world.api.earliest_judged_session(world.state) == 2
    world.add_blocks_until(world.number + TIME)
    assert not list(world.host.disputes.due.keys(world.state))


@pytest.mark.guide("A57")
def test_nobody_begins_another_dispute_of_a_session_that_is_kept_to_be_settled() -> None:
    """Or it would be kept as long as somebody likes. A supermajority needs nobody who begins."""
    world = kept_for_long_world()
    world.add_block(disputes=[votes(other_candidate(1), against=range(3, 12), valid=[0])])
    zero = SessionIndex(U32(0))
    assert world.api.may_dispute(world.state, zero, ValidatorIndex(U32(5)))
    world.add_block(new_session=VALIDATORS)
    assert world.api.earliest_judged_session(world.state) == zero
    assert not world.api.may_dispute(world.state, zero, ValidatorIndex(U32(5)))
    assert world.api.may_dispute(world.state, SessionIndex(U32(1)), ValidatorIndex(U32(5)))
    world.add_block(disputes=[votes(other_candidate(2), against=range(3, 12), valid=[1])])
    assert stakes(world) == one_loses(0, 1, each=STAKE)
