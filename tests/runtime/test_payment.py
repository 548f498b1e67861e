"""What a transaction costs, who can pay, and that no unit gets lost."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from parahost.primitives.basic import U32, U128, ParaId
from parahost.runtime.balances import EXISTENTIAL_DEPOSIT, UNIT
from parahost.runtime.dispatch import Pays
from parahost.runtime.errors import CannotPay, FutureTransaction, RuntimeBug, StaleTransaction
from parahost.runtime.executive import Runtime
from parahost.runtime.genesis import BadGenesis
from parahost.runtime.parathreads import Claim
from parahost.runtime.storage import Overlay
from parahost.runtime.system import UNKNOWN_ACCOUNT, ExtrinsicFailed, ExtrinsicSuccess
from parahost.runtime.transaction_payment import TransactionFeePaid
from tests.runtime.test_transactions import refused_everywhere
from tests.runtime.world import GENESIS, Chain, account, key

CLAIM = Claim(ParaId(U32(200)))
REFUSED = Claim(ParaId(U32(999)))
BASE, BYTE = 10**9, 10**6


@pytest.fixture
def chain() -> Chain:
    chain = Chain()
    chain.step()
    return chain


def with_free(chain: Chain, name: str, free: int, frozen: int = 0) -> None:
    """Give an account another balance, on the books."""
    modules, store = chain.runtime.modules, Overlay(chain.state)
    info = modules.system.account.get(store, account(name))
    modules.balances.total_issuance.mutate(store, lambda all: U128(all + free - info.data.free))
    data = replace(info.data, free=U128(free), frozen=U128(frozen))
    consumers = U32(1 if frozen else 0)
    modules.system.account.put(store, account(name), replace(info, consumers=consumers, data=data))
    chain.state = store.commit()


def free(chain: Chain, name: str) -> int:
    return int(chain.runtime.modules.system.account.get(chain.state, account(name)).data.free)


@pytest.mark.parametrize(
    ("call", "outcome"), [(CLAIM, ExtrinsicSuccess), (REFUSED, ExtrinsicFailed)]
)
@pytest.mark.parametrize("tip", [0, 7])
def test_the_fee_is_burnt_whatever_becomes_of_the_call(
    chain: Chain, call: Claim, outcome: type[ExtrinsicSuccess | ExtrinsicFailed], tip: int
) -> None:
    issued = chain.runtime.modules.balances.total_issuance.get(chain.state)
    before = free(chain, "Alice")
    extrinsic = chain.signed("Alice", call, tip=tip)
    fee = BASE + BYTE * len(extrinsic) + tip
    chain.step(extrinsic)
    assert free(chain, "Alice") == before - fee
    assert chain.runtime.modules.balances.total_issuance.get(chain.state) == issued - fee
    events = chain.events()
    assert TransactionFeePaid(account("Alice"), U128(fee), U128(tip)) in events
    last: Any = events[-1]
    assert isinstance(last, outcome)
    assert last.dispatch_info.pays_fee is Pays.YES


def test_who_has_the_fee_can_pay_it_and_who_lacks_one_part_of_it_cannot(chain: Chain) -> None:
    fee = BASE + BYTE * len(chain.signed("Alice", CLAIM))
    with_free(chain, "Alice", EXISTENTIAL_DEPOSIT + fee - 1)
    refusal = refused_everywhere(chain, chain.signed("Alice", CLAIM))
    assert isinstance(refusal, CannotPay)
    assert (refusal.account, refusal.fee, refusal.free) == (account("Alice"), fee, fee - 1)
    with_free(chain, "Alice", EXISTENTIAL_DEPOSIT + fee)
    assert isinstance(refused_everywhere(chain, chain.signed("Alice", CLAIM, tip=1)), CannotPay)
    chain.step(chain.signed("Alice", CLAIM))
    assert free(chain, "Alice") == EXISTENTIAL_DEPOSIT, "a fee ends no account"


def test_what_is_frozen_pays_nothing(chain: Chain) -> None:
    with_free(chain, "Alice", UNIT, frozen=UNIT)
    assert isinstance(refused_everywhere(chain, chain.signed("Alice", CLAIM)), CannotPay)


def test_an_account_that_nobody_endowed_signs_nothing_and_leaves_no_trace(chain: Chain) -> None:
    assert account("Nobody") not in dict(GENESIS.balances)
    assert isinstance(refused_everywhere(chain, chain.signed("Nobody", CLAIM)), CannotPay)
    system = chain.runtime.modules.system
    assert not system.account.contains(chain.state, account("Nobody"))
    assert system.account.get(chain.state, account("Nobody")) == UNKNOWN_ACCOUNT


class BlindVerifier:
    """Whoever asks it has looked too far."""

    def sr25519(self, public: bytes, message: bytes, signature: bytes) -> bool:
        raise AssertionError("the signature was looked at")

    ed25519 = ecdsa = sr25519

    def vrf(self, *args: object) -> bool:
        raise AssertionError("a VRF was looked at")


def test_nonce_and_funds_are_looked_at_before_signature_and_call(chain: Chain) -> None:
    """A call that cannot even be read shows that it was not."""
    chain.step(chain.signed("Alice", CLAIM))
    runtime = Runtime(BlindVerifier())
    stale, poor = chain.signed("Alice", CLAIM, nonce=0), chain.signed("Nobody", CLAIM)
    garbage = bytes(2**20)
    for extrinsic, why in ((stale, StaleTransaction), (poor, CannotPay)):
        with pytest.raises(why):
            runtime.validate_transaction(chain.state, chain.header, extrinsic + garbage)  # type: ignore[arg-type]


def test_a_transaction_that_waits_for_another_must_be_paid_too(chain: Chain) -> None:
    later = chain.signed("Nobody", CLAIM, nonce=5)
    with pytest.raises(CannotPay):
        chain.runtime.validate_transaction(chain.state, chain.header, later)
    with pytest.raises(FutureTransaction):
        chain.builder().apply(chain.signed("Alice", CLAIM, nonce=5))


def test_units_from_nowhere_are_noticed(chain: Chain) -> None:
    store = Overlay(chain.state)
    data = replace(UNKNOWN_ACCOUNT.data, free=U128(EXISTENTIAL_DEPOSIT))
    info = replace(UNKNOWN_ACCOUNT, providers=U32(1), data=data)
    chain.runtime.modules.system.account.put(store, account("Nobody"), info)
    with pytest.raises(RuntimeBug, match="TotalIssuance"):
        chain.runtime.modules.balances.check(store)


@pytest.mark.parametrize(
    ("balances", "reason"),
    [
        (((account("Alice"), UNIT), (account("Alice"), UNIT)), "twice"),
        (((account("Alice"), 0),), "endowed with 0"),
        (((account("Alice"), EXISTENTIAL_DEPOSIT - 1),), "less than the existential deposit"),
        (((account("Alice"), 2**128 - 1), (account("Bob"), UNIT)), "more than all balances"),
    ],
)
def test_a_genesis_endows_each_account_once(balances: Any, reason: str) -> None:
    with pytest.raises(BadGenesis, match=reason) as refusal:
        replace(GENESIS, balances=balances).build()
    assert refusal.value.part == "balances"


def test_the_first_units_are_those_of_the_genesis() -> None:
    chain = Chain()
    issued = chain.runtime.modules.balances.total_issuance.get(chain.state)
    assert issued == sum(amount for _, amount in GENESIS.balances) == 7 * 1000 * UNIT
    info = chain.runtime.modules.system.account.get(chain.state, account("Alice"))
    assert (info.providers, info.data.free) == (1, 1000 * UNIT)
    assert key("Alice").public == account("Alice")
