"""What clients are told of a transaction is what pool and block make of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parahost.primitives.basic import U32, U128, ParaId
from parahost.primitives.header import Extrinsic
from parahost.primitives.scale import decode, encode
from parahost.runtime.api_trait import BadApiArguments
from parahost.runtime.balances import UNIT, TransferKeepAlive
from parahost.runtime.extrinsic import inherent
from parahost.runtime.parathreads import Claim
from parahost.runtime.runtime_apis import state_call
from parahost.runtime.system import ExtrinsicSuccess
from parahost.runtime.timestamp import SetTimestamp
from parahost.runtime.transaction_api import FeeDetails, InclusionFee, RuntimeDispatchInfo
from parahost.runtime.transaction_payment import TransactionFeePaid
from parahost.runtime.transaction_validity import TransactionOk, TransactionValidity
from parahost.runtime.weights import Weight
from tests.runtime.test_balances import TO_BOB
from tests.runtime.world import Chain, account

CHAIN = Chain()
CHAIN.step(CHAIN.signed("Alice", Claim(ParaId(U32(200)))))
TRANSFER = TransferKeepAlive(TO_BOB, U128(UNIT))


def validity(extrinsic: Extrinsic, source: int = 2) -> bytes:
    arguments = bytes((source,)) + encode(extrinsic, bytes) + CHAIN.header.hash()
    return state_call("TaggedTransactionQueue_validate_transaction", arguments, CHAIN.state)


def details(name: str, extrinsic: Extrinsic, kind: Any) -> Any:
    arguments = encode(extrinsic, bytes) + encode(U32(len(extrinsic) + 2), U32)
    return decode(kind, state_call(f"TransactionPaymentApi_{name}", arguments, CHAIN.state))


def test_a_valid_transaction() -> None:
    """Alice's next nonce is 1. The tags are her account with a nonce."""
    now, later = (CHAIN.signed("Alice", TRANSFER, nonce=nonce, tip=7) for nonce in (1, 3))
    alice = account("Alice")
    for source in range(3):
        told: Any = decode(TransactionValidity, validity(now, source))
        assert isinstance(told, TransactionOk)
        assert (told.valid.requires, told.valid.provides) == ((), (alice + b"\1\0\0\0",))
        assert told.valid.priority == (7 << 16) // len(now)
        assert told.valid.longevity == 1 << 32
        assert told.valid.propagate
    told = decode(TransactionValidity, validity(later))
    assert told.valid.requires == (alice + b"\2\0\0\0",)
    assert told.valid.provides == (alice + b"\3\0\0\0",)


@pytest.mark.parametrize(
    ("extrinsic", "error"),
    [
        (lambda: CHAIN.signed("Alice", TRANSFER, nonce=0), "010003"),
        (lambda: CHAIN.signed("Nobody", TRANSFER), "010001"),
        (lambda: CHAIN.signed("Alice", TRANSFER)[:-1] + b"\xff", "010004"),
        (lambda: inherent(SetTimestamp(1)), "010009"),
        (lambda: inherent(TRANSFER), "010101"),
        (lambda: b"\x84\1" + CHAIN.signed("Alice", TRANSFER)[34:], "010100"),
        (lambda: b"\5", "010000"),
        (lambda: b"", "010000"),
    ],
    ids=[
        "stale",
        "payment",
        "bad proof",
        "mandatory",
        "nobody signed",
        "an index for an address",
        "another version",
        "nothing",
    ],
)
def test_a_refusal_has_substrates_bytes(extrinsic: Callable[[], Extrinsic], error: str) -> None:
    assert validity(extrinsic()).hex() == error


@given(st.binary(max_size=200))
def test_any_bytes_have_a_verdict(garbage: bytes) -> None:
    assert validity(Extrinsic(garbage))[0] == 1


def test_the_fee_that_is_told_is_the_one_that_is_taken() -> None:
    chain = Chain()
    extrinsic = chain.signed("Alice", TRANSFER, tip=9)
    info = details("query_info", extrinsic, RuntimeDispatchInfo)
    parts = details("query_fee_details", extrinsic, FeeDetails)
    chain.step(extrinsic)
    paid = next(event for event in chain.events() if isinstance(event, TransactionFeePaid))
    assert paid.actual_fee == info.partial_fee + 9
    assert parts == FeeDetails(
        InclusionFee(U128(10**9), U128(10**6 * len(extrinsic)), U128(0)), U128(9)
    )
    done: Any = chain.events()[-1]
    assert isinstance(done, ExtrinsicSuccess)
    assert (done.dispatch_info.weight, done.dispatch_info.class_) == (info.weight, info.class_)


def test_nobody_pays_for_what_nobody_has_signed() -> None:
    for extrinsic in (inherent(SetTimestamp(1)), inherent(TRANSFER)):
        assert details("query_info", extrinsic, RuntimeDispatchInfo).partial_fee == 0
        assert details("query_fee_details", extrinsic, FeeDetails) == FeeDetails(None, U128(0))


def test_a_signature_that_is_a_dummy_does_not_matter_for_the_fee() -> None:
    signed = CHAIN.signed("Alice", TRANSFER)
    dummy = Extrinsic(signed[:35] + bytes(64) + signed[99:])
    assert details("query_info", dummy, RuntimeDispatchInfo) == details(
        "query_info", signed, RuntimeDispatchInfo
    )


def test_bytes_and_weights_have_prices() -> None:
    asked = encode(U32(100), U32)
    answer = state_call("TransactionPaymentApi_query_length_to_fee", asked, CHAIN.state)
    assert answer == encode(U128(100 * 10**6), U128)
    weight = encode(Weight(10**9), Weight)
    answer = state_call("TransactionPaymentApi_query_weight_to_fee", weight, CHAIN.state)
    assert answer == bytes(16)


@pytest.mark.parametrize("extrinsic", [b"", b"\x04\xfe", b"\x84\x07"])
def test_the_fee_of_garbage_cannot_be_told(extrinsic: bytes) -> None:
    with pytest.raises(BadApiArguments):
        details("query_info", Extrinsic(extrinsic), RuntimeDispatchInfo)
