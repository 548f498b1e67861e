"""What clients ask about a transaction before they send it: whether it may be in the next block,
and what it costs. The answers are the pool's and the block's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from parahost.crypto.verifier import DirectVerifier
from parahost.primitives.basic import U32, U64, U128, Hash
from parahost.primitives.header import BoundedExtrinsic
from parahost.primitives.scale import encode
from parahost.runtime.dispatch import DispatchClass
from parahost.runtime.errors import InvalidTransaction
from parahost.runtime.executive import Runtime, dispatch_info
from parahost.runtime.extrinsic import open_envelope
from parahost.runtime.storage import State
from parahost.runtime.transaction_payment import BASE_FEE, BYTE_FEE, fee
from parahost.runtime.transaction_validity import (
    Tag,
    TransactionErr,
    TransactionOk,
    TransactionSource,
    TransactionValidity,
    ValidTransactionForm,
    refusal_form,
)
from parahost.runtime.transactions import TransactionClaim, priority
from parahost.runtime.weights import Weight

_RUNTIME: Final = Runtime(DirectVerifier())
_MAX_U64: Final = (1 << 64) - 1

# TaggedTransactionQueue


def validate_transaction(
    state: State, source: TransactionSource, tx: BoundedExtrinsic, block_hash: Hash
) -> TransactionValidity:
    """Whether a transaction may be in a child of the state's block, whose hash is ``block_hash``,
    or in a later descendant."""
    number = _RUNTIME.modules.system.block_number(state)
    try:
        claim = _RUNTIME.preview_transaction(tx)
        valid = _RUNTIME.validate_in_child(state, number, block_hash, tx)
    except InvalidTransaction as why:
        return TransactionErr(refusal_form(why.reason))
    longevity = U64(min(valid.longevity, _MAX_U64))
    if claim is None:
        assert valid.deed is not None, "what is valid and nobody has signed is a report"
        return TransactionOk(
            ValidTransactionForm(U64(_MAX_U64), (), (valid.deed,), longevity, True)
        )
    due = _RUNTIME.standing(state, claim.signer).nonce
    requires = (_tag(claim, claim.nonce - 1),) if claim.nonce > due else ()
    worth = U64(min(priority(claim.tip, len(tx)), _MAX_U64))
    provides = (_tag(claim, claim.nonce),)
    return TransactionOk(ValidTransactionForm(worth, requires, provides, longevity, True))


def _tag(claim: TransactionClaim, nonce: int) -> Tag:
    return encode((claim.signer, U32(nonce)), tuple[Hash, U32])


# TransactionPaymentApi


@dataclass(frozen=True, slots=True)
class RuntimeDispatchInfo:
    """Substrate's: what a transaction takes of a block, and its fee without the tip."""

    weight: Weight
    class_: DispatchClass
    partial_fee: U128


@dataclass(frozen=True, slots=True)
class InclusionFee:
    """The parts of a fee. No part depends on weight here."""

    base_fee: U128
    len_fee: U128
    adjusted_weight_fee: U128


@dataclass(frozen=True, slots=True)
class FeeDetails:
    """Nothing is paid for what nobody has signed."""

    inclusion_fee: InclusionFee | None
    tip: U128


def query_info(_state: State, uxt: BoundedExtrinsic, len: U32) -> RuntimeDispatchInfo:
    """What a transaction takes and costs. Its bytes are counted; ``len`` is not looked at."""
    envelope = open_envelope(uxt)
    info = dispatch_info(envelope.call(), envelope)
    due = 0 if envelope.signature is None else fee(envelope.length, 0)
    return RuntimeDispatchInfo(info.weight, info.class_, U128(due))


def query_fee_details(_state: State, uxt: BoundedExtrinsic, len: U32) -> FeeDetails:
    """Of what parts the fee of a transaction is made. Its bytes are counted; ``len`` is not looked
    at."""
    envelope = open_envelope(uxt)
    if envelope.signature is None:
        return FeeDetails(None, U128(0))
    inclusion = InclusionFee(U128(BASE_FEE), U128(BYTE_FEE * envelope.length), U128(0))
    return FeeDetails(inclusion, U128(envelope.signature.extra.tip))


def query_weight_to_fee(_state: State, weight: Weight) -> U128:
    """What a weight costs: nothing."""
    return U128(0)


def query_length_to_fee(_state: State, length: U32) -> U128:
    """What so many bytes cost, without what every transaction costs."""
    return U128(BYTE_FEE * length)
