"""``rpc_methods``."""

from __future__ import annotations

from collections.abc import Iterable

from parahost.rpc.served import CallContext
from parahost.rpc.table import Family
from parahost.rpc.values import Json


def rpc_family(families: Iterable[Family]) -> Family:
    """The method that tells of all others."""
    rpc = Family()
    methods = [method for family in families for method in family]

    @rpc.method("rpc_methods")
    def rpc_methods(context: CallContext) -> Json:
        """The names of all methods, other names and those that end subscriptions too."""
        names = {"rpc_methods"}
        for method in methods:
            names.update(method.names, method.ends)
        return {"methods": sorted(names)}

    return rpc
