"""Stakes: bonded, unlocked, slashed, rewarded; and no unit is lost or made."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parahost.primitives.basic import U32, U128, SessionIndex, ValidatorIndex
from parahost.primitives.validity_configuration import PARTS_PER_BILLION, Perbill
from parahost.runtime.babe import ReportBabeEquivocation
from parahost.runtime.balances import UNIT
from parahost.runtime.errors import ModuleError
from parahost.runtime.extrinsic import inherent
from parahost.runtime.genesis import BadGenesis
from parahost.runtime.grandpa import ReportGrandpaEquivocation
from parahost.runtime.module import RuntimeCall
from parahost.runtime.origin import Signed
from parahost.runtime.session import SESSIONS_KEPT, SetKeys, SetValidators
from parahost.runtime.slashing import Misconduct
from parahost.runtime.staking import (
    MAX_UNLOCKING,
    Bond,
    Bonded,
    InOffice,
    Ledger,
    NotEnough,
    NothingToMove,
    Slashed,
    TooManyParts,
    Unbond,
    Unlocking,
    Withdrawn,
    WithdrawUnbonded,
)
from parahost.runtime.storage import Overlay
from parahost.runtime.validity_parameters import (
    DEFAULT_VALIDITY_CONFIGURATION,
    BadValidityConfiguration,
    SetValidityConfiguration,
)
from tests.runtime.test_governance import number_of, refusal_in
from tests.runtime.test_offences import OFFENDER, two_blocks, two_votes, vote
from tests.runtime.world import (
    GENESIS,
    NAMES,
    SHARED_RUNTIME,
    Chain,
    account,
    session_keys,
)

STAKE = 100 * UNIT
STAKED = replace(GENESIS, stakes=tuple((account(name), STAKE) for name in NAMES[:4]))
MODULES = SHARED_RUNTIME.modules
STAKING, BALANCES, SLASHING = MODULES.staking, MODULES.balances, MODULES.slashing
SESSION = SessionIndex(U32(0))


def index(number: int) -> ValidatorIndex:
    return ValidatorIndex(U32(number))


def stake(chain: Chain, name: str) -> int:
    return STAKING.stake(chain.state, account(name))


def punish(chain: Chain, misconduct: Misconduct, *numbers: int) -> int:
    """As whoever finds out does it, in a block."""
    store = Overlay(chain.state)
    lost = SLASHING.punish(store, misconduct, SESSION, [index(number) for number in numbers])
    chain.state = store.commit()
    MODULES.check(chain.state)
    return lost


# The ledger


def test_genesis_puts_parts_of_balances_at_stake() -> None:
    chain = Chain(STAKED)
    assert stake(chain, "Alice") == STAKE
    assert BALANCES.free(chain.state, account("Alice")) == 900 * UNIT
    assert BALANCES.total_issuance.get(chain.state) == 7000 * UNIT
    with pytest.raises(BadGenesis, match="stakes"):
        replace(GENESIS, stakes=((account("Alice"), 1001 * UNIT),)).build()
    with pytest.raises(BadGenesis, match="stakes"):
        replace(GENESIS, stakes=((account("Alice"), 0),)).build()


def withdraws(chain: Chain, name: str) -> None:
    chain.step(chain.signed(name, WithdrawUnbonded()))


def test_bonding_sets_aside_and_unbonding_waits_for_the_last_judgement() -> None:
    chain, name = Chain(STAKED), NAMES[4]
    chain.step(chain.signed(name, Bond(U128(105 * UNIT))))
    assert Bonded(account(name), U128(105 * UNIT)) in chain.events()
    chain.step(chain.signed(name, Unbond(U128(20 * UNIT))))
    assert stake(chain, name) == 105 * UNIT, "it can still be slashed"
    session = MODULES.session.index(chain.state)
    while MODULES.session.can_be_judged(chain.state, session):
        withdraws(chain, name)
        assert refusal_in(chain) == number_of(NothingToMove)
    assert MODULES.session.index(chain.state) == session + SESSIONS_KEPT + 1
    withdraws(chain, name)
    assert Withdrawn(account(name), U128(20 * UNIT)) in chain.events()
    assert stake(chain, name) == 85 * UNIT
    withdraws(chain, name)
    assert refusal_in(chain) == number_of(NothingToMove), "nothing is freed twice"


def test_who_validates_takes_nothing_back_before_its_last_session_cannot_be_judged() -> None:
    """Else it would go on without a stake, or take it away before it is found out."""
    chain, session = Chain(STAKED), MODULES.session
    chain.step(chain.signed("Alice", Unbond(U128(STAKE))))
    while session.index(chain.state) <= SESSIONS_KEPT + 1:
        withdraws(chain, "Alice")
        assert refusal_in(chain) == number_of(InOffice)
    others = tuple(account(name) for name in NAMES[1:4])
    chain.step(chain.sudo(SetValidators(others)))
    while account("Alice") in session.validators.get(chain.state):
        last = session.index(chain.state)
        chain.step()
    while session.can_be_judged(chain.state, last):
        withdraws(chain, "Alice")
        assert refusal_in(chain) == number_of(InOffice)
    withdraws(chain, "Alice")
    assert Withdrawn(account("Alice"), U128(STAKE)) in chain.events()
    assert stake(chain, "Alice") == 0
    assert not tuple(session.last_in_office.keys(chain.state)), "nothing of it is kept for ever"


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (Bond(U128(1000 * UNIT)), NotEnough),
        (Bond(U128(0)), NothingToMove),
        (Unbond(U128(STAKE + 1)), NotEnough),
        (Unbond(U128(0)), NothingToMove),
        (WithdrawUnbonded(), InOffice),
    ],
)
def test_what_cannot_be_done_with_a_stake(
    call: Bond | Unbond | WithdrawUnbonded, error: type[ModuleError]
) -> None:
    chain = Chain(STAKED)
    chain.step(chain.signed("Alice", call))
    assert refusal_in(chain) == number_of(error)
    assert stake(chain, "Alice") == STAKE


def test_so_many_parts_unlock_at_a_time() -> None:
    """One of each session: so many can be judged only when disputes are open for very long."""
    chain = Chain(STAKED)
    store = Overlay(chain.state)
    for number in range(MAX_UNLOCKING):
        begin_session(store, number)
        STAKING.unbond(store, Signed(account("Alice")), Unbond(U128(1)))
    begin_session(store, MAX_UNLOCKING)
    with pytest.raises(TooManyParts):
        STAKING.unbond(store, Signed(account("Alice")), Unbond(U128(1)))


def begin_session(store: Overlay, number: int) -> None:
    """The next session, before which none is forgotten."""
    MODULES.session.current_index.put(store, session := SessionIndex(U32(number)))
    MODULES.session.past_keys.put(store, session, GENESIS.validators)


def test_parts_that_come_free_at_one_time_are_one() -> None:
    """However often and long a validator in office takes something back: there is room for more."""
    store, last = Overlay(Chain(STAKED).state), 3 * MAX_UNLOCKING
    for number in range(last + 1):
        begin_session(store, number)
        MODULES.session.past_keys.remove(store, SessionIndex(U32(max(number - 3, 0))))
        for _ in range(2):
            STAKING.unbond(store, Signed(account("Alice")), Unbond(U128(1)))
    ledger = STAKING.ledger.get(store, account("Alice"))
    judged = [Unlocking(U128(2), SessionIndex(U32(last - back))) for back in (2, 1, 0)]
    before = Unlocking(U128(2 * (last - 2)), SessionIndex(U32(last - 3)))
    assert ledger.unlocking == (before, *judged)
    assert ledger.total == STAKE


def test_a_slash_takes_what_unlocks_too() -> None:
    parts = (Unlocking(U128(5), SESSION), Unlocking(U128(7), SessionIndex(U32(1))))
    ledger = Ledger(U128(10), parts)
    assert ledger.slashed(4) == Ledger(U128(6), parts)
    assert ledger.slashed(13) == Ledger(U128(0), (parts[0], replace(parts[1], amount=U128(4))))
    assert ledger.slashed(18) == Ledger(U128(0), (replace(parts[0], amount=U128(4)),))
    assert ledger.slashed(22) == Ledger(U128(0))


# Penalties


@pytest.mark.guide("A57", "A63", "A64")
def test_each_misconduct_has_its_price() -> None:
    """D26, in parts of a stake."""
    prices = {
        Misconduct.BACKED_INVALID: STAKE,
        Misconduct.VOTED_FOR_INVALID: STAKE,
        Misconduct.VOTED_AGAINST_VALID: STAKE // 100,
        Misconduct.DOUBLE_VOTE: STAKE // 10,
        Misconduct.DISPUTED_UNAVAILABLE: STAKE // 100,
        Misconduct.DISTRACTION: STAKE // 1000,
        Misconduct.NOT_VOTED: STAKE // 2000,
    }
    assert set(prices) == set(Misconduct)
    for misconduct, price in prices.items():
        chain = Chain(STAKED)
        issued = BALANCES.total_issuance.get(chain.state)
        assert punish(chain, misconduct, 2) == price
        assert stake(chain, "Charlie") == STAKE - price
        assert BALANCES.total_issuance.get(chain.state) == issued - price, "it is burnt"
        assert (index(2) in SLASHING.disabled(chain.state)) == misconduct.disables


def test_the_price_is_a_parameter_from_the_next_session_on() -> None:
    chain = Chain(STAKED)
    config = DEFAULT_VALIDITY_CONFIGURATION
    dearer = replace(config.penalties, not_voted=Perbill(U32(PARTS_PER_BILLION // 2)))
    chain.step(chain.sudo(SetValidityConfiguration(replace(config, penalties=dearer))))
    assert MODULES.validity_parameters.current(chain.state) == config
    while MODULES.session.index(chain.state) == 0:
        chain.step()
    assert punish(chain, Misconduct.NOT_VOTED, 2) == STAKE // 2
    broken = replace(config, reward=Perbill(U32(PARTS_PER_BILLION + 1)))
    chain.step(chain.sudo(SetValidityConfiguration(broken)))
    assert refusal_in(chain) == number_of(BadValidityConfiguration)


def test_at_most_f_are_disabled_and_the_worst_of_them() -> None:
    chain = Chain(STAKED)
    punish(chain, Misconduct.VOTED_AGAINST_VALID, 0, 1)
    assert SLASHING.disabled(chain.state) == {0}, "four validators, one may be faulty"
    punish(chain, Misconduct.BACKED_INVALID, 3)
    assert SLASHING.disabled(chain.state) == {3}
    punish(chain, Misconduct.VOTED_AGAINST_VALID, 3)
    assert SLASHING.disabled(chain.state) == {3}, "the worst of its deeds counts"


def test_who_pays_and_who_is_disabled_are_two_questions() -> None:
    """Whoever has nothing left is disabled all the same, and whoever is not disabled, as worse ones
    are, pays all the same; a small deed makes no great one forgotten."""
    chain = Chain(STAKED)
    assert punish(chain, Misconduct.BACKED_INVALID, 1) == STAKE
    assert punish(chain, Misconduct.DOUBLE_VOTE, 2) == STAKE // 10
    assert SLASHING.disabled(chain.state) == {1}
    assert punish(chain, Misconduct.VOTED_AGAINST_VALID, 1) == 0
    assert SLASHING.disabled(chain.state) == {1}
    poor = Chain(replace(GENESIS, stakes=()))
    assert punish(poor, Misconduct.VOTED_AGAINST_VALID, 3) == 0
    assert SLASHING.disabled(poor.state) == {3}


def test_the_disabled_are_forgiven_when_nobody_can_judge_it_any_more() -> None:
    chain = Chain(STAKED)
    punish(chain, Misconduct.DOUBLE_VOTE, 1)
    while MODULES.session.index(chain.state) < SESSIONS_KEPT:
        assert SLASHING.disabled(chain.state) == {1}
        chain.step()
    assert SLASHING.disabled(chain.state) == set()


def test_rewards_are_new_units() -> None:
    chain = Chain(STAKED)
    issued, store = BALANCES.total_issuance.get(chain.state), Overlay(chain.state)
    SLASHING.reward(store, SESSION, [index(0), index(2), index(3)], 33)
    chain.state = store.commit()
    MODULES.check(chain.state)
    assert BALANCES.total_issuance.get(chain.state) == issued + 99
    assert BALANCES.free(chain.state, account("Charlie")) == 900 * UNIT + 33


# Conservation

amounts = st.integers(0, 1200 * UNIT) | st.integers(0, 3)
steps = st.one_of(
    st.tuples(st.just("bond"), st.integers(0, 3), amounts),
    st.tuples(st.just("unbond"), st.integers(0, 3), amounts),
    st.tuples(st.just("withdraw"), st.integers(0, 3), st.just(0)),
    st.tuples(st.sampled_from(list(Misconduct)), st.integers(0, 3), st.just(0)),
    st.tuples(st.just("reward"), st.integers(0, 3), amounts),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(steps, max_size=25))
def test_no_unit_is_lost_or_made(taken: list[tuple[str | Misconduct, int, int]]) -> None:
    """Whatever happens to stakes, what has been issued is what was there, less what was slashed,
    plus what was given as rewards; and nobody has more than that leaves."""
    chain = Chain(STAKED)
    store = Overlay(chain.state)
    expected = dict.fromkeys(range(4), 1000 * UNIT)
    for what, who, amount in taken:
        origin = Signed(account(NAMES[who]))
        try:
            with store.transaction():
                if what == "bond":
                    STAKING.bond(store, origin, Bond(U128(amount)))
                elif what == "unbond":
                    STAKING.unbond(store, origin, Unbond(U128(amount)))
                elif what == "withdraw":
                    STAKING.withdraw_unbonded(store, origin, WithdrawUnbonded())
                elif what == "reward":
                    SLASHING.reward(store, SESSION, [index(who)], amount)
                    expected[who] += amount
                elif isinstance(what, Misconduct):
                    expected[who] -= SLASHING.punish(store, what, SESSION, [index(who)])
        except ModuleError:
            pass
    state = store.commit()
    MODULES.check(state)
    for number, amount in expected.items():
        who_ = account(NAMES[number])
        assert BALANCES.free(state, who_) + STAKING.stake(state, who_) == amount
    assert BALANCES.total_issuance.get(state) == sum(expected.values()) + 3000 * UNIT


@pytest.mark.parametrize(
    "report",
    [
        ReportBabeEquivocation(two_blocks()),
        ReportGrandpaEquivocation(two_votes(vote(1), vote(2))),
    ],
)
def test_who_has_left_office_pays_for_what_it_did_there(report: RuntimeCall) -> None:
    """Out of what it takes back; and whoever sits in its place is not disabled for it."""
    chain, session = Chain(STAKED), MODULES.session
    chain.step(chain.signed(OFFENDER, Unbond(U128(STAKE))))
    chain.step(chain.signed("Eve", SetKeys(session_keys("Eve"))))
    successors = ("Alice", "Eve", "Charlie", "Dave")
    chain.step(chain.sudo(SetValidators(tuple(account(name) for name in successors))))
    while account(OFFENDER) in session.validators.get(chain.state):
        chain.step()
    chain.step(inherent(report))
    assert stake(chain, OFFENDER) == STAKE * 9 // 10
    assert [stake(chain, name) for name in successors] == [STAKE, 0, STAKE, STAKE]
    assert SLASHING.disabled(chain.state) == set()


def test_an_equivocation_costs_a_tenth_of_the_stake() -> None:
    chain = Chain(STAKED)
    chain.steps(3)
    chain.step(inherent(ReportBabeEquivocation(two_blocks())))
    assert stake(chain, OFFENDER) == STAKE * 9 // 10
    assert Slashed(account(OFFENDER), U128(STAKE // 10)) in chain.events()
