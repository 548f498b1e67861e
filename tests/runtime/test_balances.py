"""Transfers as Substrate has them: what moves, what is refused and why, who begins and who ends."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parahost.primitives.basic import H256, U32, U128, Hash
from parahost.primitives.hashing import blake2_256
from parahost.primitives.scale import encode
from parahost.runtime.balances import (
    EXISTENTIAL_DEPOSIT,
    UNIT,
    DustLost,
    Endowed,
    Transfer,
    TransferAll,
    TransferAllowDeath,
    TransferKeepAlive,
)
from parahost.runtime.dispatch import (
    CannotLookupRefusal,
    DispatchRefusal,
    TokenRefusal,
)
from parahost.runtime.errors import DispatchError, RuntimeBug, TokenReason
from parahost.runtime.module import RuntimeCall, encode_call
from parahost.runtime.origin import AccountId, Signed
from parahost.runtime.signers import AccountAddress, Address20, IndexAddress, RawAddress
from parahost.runtime.staking import Bond, Bonded
from parahost.runtime.storage import Overlay
from parahost.runtime.system import (
    ExtrinsicFailed,
    ExtrinsicSuccess,
    KilledAccount,
    NewAccount,
    Remark,
    Remarked,
    RemarkWithEvent,
)
from parahost.runtime.transaction_payment import TransactionFeePaid
from tests.runtime.world import GENESIS, NAMES, SHARED_RUNTIME, Chain, account

MODULES = SHARED_RUNTIME.modules
BALANCES, ACCOUNTS = MODULES.balances, MODULES.system.account
ALICE, BOB, NOBODY = (account(name) for name in ("Alice", "Bob", "Nobody"))
TO_BOB, TO_NOBODY = AccountAddress(BOB), AccountAddress(NOBODY)
ALICES = 1000 * UNIT
LEAST = EXISTENTIAL_DEPOSIT


def dispatched(chain: Chain, *calls: RuntimeCall, by: AccountId = ALICE) -> list[Any]:
    """What calls tell, made without a fee one after the other; what is refused is raised."""
    store = Overlay(chain.state)
    before = len(MODULES.system.block_events(store))
    for call in calls:
        MODULES.dispatch(store, Signed(by), call)
    chain.state = store.commit()
    MODULES.check(chain.state)
    return [record.event for record in MODULES.system.block_events(chain.state)[before:]]


def has(chain: Chain, who: AccountId) -> int:
    return BALANCES.free(chain.state, who)


# What moves


@pytest.mark.parametrize("call", [TransferAllowDeath, TransferKeepAlive])
@pytest.mark.parametrize("amount", [0, 1, 5 * UNIT, ALICES - LEAST])
def test_an_amount_moves(call: Any, amount: int) -> None:
    chain = Chain()
    events = dispatched(chain, call(TO_BOB, U128(amount)))
    assert events == [Transfer(ALICE, BOB, U128(amount))]
    assert (has(chain, ALICE), has(chain, BOB)) == (ALICES - amount, ALICES + amount)


def test_a_new_account_begins() -> None:
    chain = Chain()
    assert not ACCOUNTS.contains(chain.state, NOBODY)
    assert dispatched(chain, TransferKeepAlive(TO_NOBODY, U128(LEAST))) == [
        NewAccount(NOBODY),
        Endowed(NOBODY, U128(LEAST)),
        Transfer(ALICE, NOBODY, U128(LEAST)),
    ]
    info = ACCOUNTS.get(chain.state, NOBODY)
    assert (info.nonce, info.providers, info.consumers, info.data.free) == (0, 1, 0, LEAST)


@pytest.mark.parametrize("dust", [0, 1, LEAST - 1])
def test_an_account_ends_and_what_is_left_is_burnt(dust: int) -> None:
    chain = Chain()
    issued = BALANCES.total_issuance.get(chain.state)
    events = dispatched(chain, TransferAllowDeath(TO_BOB, U128(ALICES - dust)))
    assert events == [
        KilledAccount(ALICE),
        *([DustLost(ALICE, U128(dust))] if dust else []),
        Transfer(ALICE, BOB, U128(ALICES - dust)),
    ]
    assert not ACCOUNTS.contains(chain.state, ALICE)
    assert BALANCES.total_issuance.get(chain.state) == issued - dust


@pytest.mark.parametrize(("keep_alive", "left"), [(True, LEAST), (False, 0)])
def test_all_moves(keep_alive: bool, left: int) -> None:
    chain = Chain()
    dispatched(chain, TransferAll(TO_BOB, keep_alive))
    assert (has(chain, ALICE), has(chain, BOB)) == (left, 2 * ALICES - left)


def test_nobody_gives_itself_anything() -> None:
    chain = Chain()
    assert dispatched(chain, TransferAllowDeath(AccountAddress(ALICE), U128(ALICES))) == []
    assert has(chain, ALICE) == ALICES


def test_what_is_at_stake_stays_and_keeps_its_account() -> None:
    chain = Chain()
    assert dispatched(chain, Bond(U128(100 * UNIT))) == [Bonded(ALICE, U128(100 * UNIT))]
    assert ACCOUNTS.get(chain.state, ALICE).consumers == 1
    dispatched(chain, TransferAll(TO_BOB, False))
    assert (has(chain, ALICE), BALANCES.reserved(chain.state, ALICE)) == (LEAST, 100 * UNIT)


# What is refused


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (TransferAllowDeath(TO_BOB, U128(ALICES + 1)), TokenReason.FUNDS_UNAVAILABLE),
        (TransferKeepAlive(TO_BOB, U128(2**128 - 1)), TokenReason.FUNDS_UNAVAILABLE),
        (TransferKeepAlive(TO_BOB, U128(ALICES - LEAST)), TokenReason.NOT_EXPENDABLE),
        (TransferAllowDeath(TO_NOBODY, U128(LEAST - 1)), TokenReason.BELOW_MINIMUM),
        (TransferKeepAlive(TO_NOBODY, U128(1)), TokenReason.BELOW_MINIMUM),
    ],
)
def test_why_an_amount_does_not_move(call: RuntimeCall, reason: TokenReason) -> None:
    """The reason is in the event, in Substrate's form; the fee is paid all the same."""
    chain = Chain()
    chain.step(chain.signed("Alice", call))
    fees = [event for event in chain.events() if isinstance(event, TransactionFeePaid)]
    failed = next(event for event in chain.events() if isinstance(event, ExtrinsicFailed))
    assert failed.dispatch_error == TokenRefusal(reason)
    assert encode(failed.dispatch_error, DispatchRefusal) == bytes((7, reason))
    assert has(chain, ALICE) == ALICES - fees[0].actual_fee
    assert has(chain, BOB) == ALICES
    assert not ACCOUNTS.contains(chain.state, NOBODY)


@pytest.mark.parametrize("amount", [ALICES, ALICES - LEAST + 1])
def test_keep_alive_ends_no_account(amount: int) -> None:
    with pytest.raises(DispatchError, match="NOT_EXPENDABLE"):
        dispatched(Chain(), TransferKeepAlive(TO_BOB, U128(amount)))


def test_what_is_at_stake_cannot_be_left_without_an_account() -> None:
    chain = Chain()
    dispatched(chain, Bond(U128(100 * UNIT)))
    for amount in (900 * UNIT, 900 * UNIT - LEAST + 1):
        with pytest.raises(DispatchError, match="FROZEN"):
            dispatched(chain, TransferAllowDeath(TO_BOB, U128(amount)))
    with pytest.raises(DispatchError, match="900"):
        dispatched(chain, Bond(U128(900 * UNIT)))


@pytest.mark.parametrize("address", [IndexAddress(), RawAddress(b"Bob"), Address20(bytes(20))])
def test_an_address_that_leads_to_no_account(address: Any) -> None:
    chain = Chain()
    chain.step(chain.signed("Alice", TransferKeepAlive(address, U128(UNIT))))
    failed = next(event for event in chain.events() if isinstance(event, ExtrinsicFailed))
    assert failed.dispatch_error == CannotLookupRefusal()
    assert encode(failed.dispatch_error, DispatchRefusal) == b"\1"


# In blocks


def test_a_transfer_in_a_block() -> None:
    """The call's bytes are Substrate's, and events come in the order in which things happened."""
    chain = Chain()
    call = TransferKeepAlive(TO_BOB, U128(UNIT))
    assert encode_call(call).hex() == "050300" + BOB.hex() + "070010a5d4e8"
    chain.step(chain.signed("Alice", call))
    names = [type(event).__name__ for event in chain.events()[-3:]]
    assert names == ["TransactionFeePaid", "Transfer", "ExtrinsicSuccess"]


def test_an_ended_account_begins_anew_with_another_era_at_stake() -> None:
    """Its nonce is forgotten, as in Substrate; a mortal era is what guards against a repetition."""
    chain = Chain()
    chain.step(chain.signed("Alice", TransferAll(TO_BOB, False)))
    assert not ACCOUNTS.contains(chain.state, ALICE)
    chain.step(chain.signed("Bob", TransferKeepAlive(AccountAddress(ALICE), U128(UNIT))))
    assert ACCOUNTS.get(chain.state, ALICE).nonce == 0


def test_remarks() -> None:
    chain = Chain()
    chain.step(chain.signed("Alice", Remark(b"said")))
    assert isinstance(chain.events()[-1], ExtrinsicSuccess)
    chain.step(chain.signed("Alice", RemarkWithEvent(b"said")))
    assert chain.events()[-2] == Remarked(ALICE, Hash(H256(blake2_256(b"said"))))


# The books


def test_books_that_do_not_agree_are_noticed() -> None:
    for wrong in (
        {"providers": U32(0)},
        {"consumers": U32(1)},
    ):
        store = Overlay(Chain().state)
        ACCOUNTS.mutate(store, ALICE, lambda info, wrong=wrong: replace(info, **wrong))  # type: ignore[misc]
        with pytest.raises(RuntimeBug, match="counts"):
            BALANCES.check(store)
    store = Overlay(Chain().state)
    BALANCES.burn(store, ALICE, ALICES - LEAST)
    info = ACCOUNTS.get(store, ALICE)
    poor = replace(info, data=replace(info.data, free=U128(LEAST - 1)))
    ACCOUNTS.put(store, ALICE, poor)
    with pytest.raises(RuntimeBug, match="is there with"):
        BALANCES.check(store)


everybody = st.sampled_from((*NAMES, "Nobody", "Stranger"))
amounts = st.one_of(
    st.integers(0, 1200 * UNIT),
    st.integers(0, 2 * LEAST),
    st.sampled_from((ALICES, ALICES - LEAST, ALICES - LEAST + 1, LEAST - 1, LEAST)),
)
moves = st.tuples(
    st.sampled_from((TransferAllowDeath, TransferKeepAlive, TransferAll, Bond)),
    everybody,
    everybody,
    amounts,
)


@settings(max_examples=100, deadline=None)
@given(st.lists(moves, max_size=20))
def test_no_unit_is_lost_or_made(taken: list[tuple[type, str, str, int]]) -> None:
    """Against books kept by hand, of what each account has free and has bonded."""
    store = Overlay(GENESIS.build())
    free = {account(name): ALICES for name in (*NAMES, "Root")}
    bonded: dict[AccountId, int] = {}
    for kind, giver_name, taker_name, drawn in taken:
        giver, taker = account(giver_name), account(taker_name)
        had, stays = free.get(giver, 0), giver in bonded
        amount, to = drawn, AccountAddress(taker)
        call: Any
        if kind is Bond:
            call, possible = Bond(U128(amount)), 0 < amount <= had - LEAST
        else:
            call = kind(to, U128(amount))
            keeps = kind is TransferKeepAlive
            if kind is TransferAll:
                keeps = bool(drawn % 2)
                call = TransferAll(to, keeps)
                amount = max(had - LEAST, 0) if keeps or stays else had
            possible = had - amount >= (LEAST if keeps or stays else 0)
            possible &= not amount or free.get(taker, 0) + amount >= LEAST
        try:
            with store.transaction():
                MODULES.dispatch(store, Signed(giver), call)
        except DispatchError:
            assert not possible, (call, had, stays)
            continue
        assert possible, (call, had, stays)
        if kind is Bond:
            free[giver] -= amount
            bonded[giver] = bonded.get(giver, 0) + amount
        elif amount and giver != taker:
            free[giver] -= amount
            free[taker] = free.get(taker, 0) + amount
            if free[giver] < LEAST:
                del free[giver]
    MODULES.check(store)
    found = {who: info.data for who, info in ACCOUNTS.iterate(store)}
    assert {who: data.free for who, data in found.items()} == free
    assert {who: data.reserved for who, data in found.items() if data.reserved} == bonded
    issued = sum(free.values()) + sum(bonded.values())
    assert BALANCES.total_issuance.get(store) == issued
