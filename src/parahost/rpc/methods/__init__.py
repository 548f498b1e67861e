"""The methods, by family. ``table()`` has all of them."""

from __future__ import annotations

from parahost.rpc.methods.chain import CHAIN
from parahost.rpc.methods.rpc import rpc_family
from parahost.rpc.methods.state import STATE
from parahost.rpc.methods.system import SYSTEM
from parahost.rpc.table import MethodTable

FAMILIES = (CHAIN, STATE, SYSTEM)


def all_methods() -> MethodTable:
    """Everything that the server can be asked."""
    return MethodTable([*FAMILIES, rpc_family(FAMILIES)])
