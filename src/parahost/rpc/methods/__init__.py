"""The methods, by family. ``table()`` has all of them."""

from __future__ import annotations

from parahost.rpc.methods.archive import ARCHIVE
from parahost.rpc.methods.author import AUTHOR
from parahost.rpc.methods.babe import BABE
from parahost.rpc.methods.chain import CHAIN
from parahost.rpc.methods.chain_head import CHAIN_HEAD
from parahost.rpc.methods.chain_spec import CHAIN_SPEC
from parahost.rpc.methods.grandpa import GRANDPA
from parahost.rpc.methods.keys import KEYS
from parahost.rpc.methods.payment import PAYMENT
from parahost.rpc.methods.rpc import rpc_family
from parahost.rpc.methods.state import STATE
from parahost.rpc.methods.system import SYSTEM
from parahost.rpc.methods.transaction import TRANSACTION
from parahost.rpc.table import MethodTable

FAMILIES = (
    CHAIN,
    STATE,
    AUTHOR,
    KEYS,
    PAYMENT,
    SYSTEM,
    BABE,
    GRANDPA,
    CHAIN_HEAD,
    CHAIN_SPEC,
    TRANSACTION,
    ARCHIVE,
)


def all_methods() -> MethodTable:
    """Everything that the server can be asked."""
    return MethodTable([*FAMILIES, rpc_family(FAMILIES)])
