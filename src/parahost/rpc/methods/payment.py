"""``payment_*``: what transactions cost."""

from __future__ import annotations

from parahost.primitives.basic import U32
from parahost.rpc.methods.author import read_extrinsic, refusal
from parahost.rpc.params import BlockHash, TransactionBytes
from parahost.rpc.served import CallContext
from parahost.rpc.table import Family
from parahost.rpc.values import Json
from parahost.runtime import transaction_api
from parahost.runtime.errors import InvalidTransaction

PAYMENT = Family()


@PAYMENT.method("payment_queryInfo", "payment_queryInfoAt")
def query_info(context: CallContext, extrinsic: TransactionBytes, hash: BlockHash | None) -> Json:
    """What an extrinsic takes of a block, and its fee without the tip."""
    read, state = read_extrinsic(extrinsic), context.served.state(hash)
    try:
        info = transaction_api.query_info(state, read, U32(len(extrinsic)))
    except InvalidTransaction as why:
        raise refusal(why) from None
    return {
        "weight": {"ref_time": info.weight.ref_time, "proof_size": info.weight.proof_size},
        "class": info.class_.name.lower(),
        "partialFee": str(info.partial_fee),
    }


@PAYMENT.method("payment_queryFeeDetails")
def query_fee_details(
    context: CallContext, extrinsic: TransactionBytes, hash: BlockHash | None
) -> Json:
    """The parts of an extrinsic's fee; null for one that nobody has signed."""
    read, state = read_extrinsic(extrinsic), context.served.state(hash)
    try:
        details = transaction_api.query_fee_details(state, read, U32(len(extrinsic)))
    except InvalidTransaction as why:
        raise refusal(why) from None
    fee = details.inclusion_fee
    if fee is None:
        return {"inclusionFee": None}
    return {
        "inclusionFee": {
            "baseFee": hex(fee.base_fee),
            "lenFee": hex(fee.len_fee),
            "adjustedWeightFee": hex(fee.adjusted_weight_fee),
        }
    }
