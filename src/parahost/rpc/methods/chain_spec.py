"""``chainSpec_v1_*``: which chain this is."""

from __future__ import annotations

from parahost.rpc.served import CallContext
from parahost.rpc.table import Family
from parahost.rpc.values import Json, hex_of

CHAIN_SPEC = Family()


@CHAIN_SPEC.method("chainSpec_v1_chainName")
def chain_name(context: CallContext) -> Json:
    """What the chain is called."""
    return context.served.spec.name


@CHAIN_SPEC.method("chainSpec_v1_genesisHash")
def genesis_hash(context: CallContext) -> Json:
    """The hash of the genesis block, which tells this chain from all others."""
    return hex_of(context.served.chain.genesis_hash)


@CHAIN_SPEC.method("chainSpec_v1_properties")
def properties(context: CallContext) -> Json:
    """What wallets want to know: the addresses' prefix, the token's name and decimals."""
    return dict(context.served.spec.properties)
