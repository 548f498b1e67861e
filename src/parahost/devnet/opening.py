"""What a devnet tells at its start: where it is reached, whose keys one may use, its paras."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from parahost.devnet.editions import ParaChanges
from parahost.devnet.plan import Plan
from parahost.parachains import ParachainSpec
from parahost.primitives.ss58 import ss58_encode
from parahost.rpc.access import HOSTED_TOOLS
from parahost.runtime.balances import UNIT
from parahost.runtime.development import ACCOUNT_URIS, ENDOWMENT, SUDO_URI, account_of


def opening_lines(plan: Plan) -> Iterator[str]:
    """For people, in this order."""
    if plan.continued:
        yield "the network on this base path goes on where it was"
    for node in plan.nodes:
        yield f"{node.name} serves JSON-RPC on {node.rpc}, metrics on {node.metrics}"
    yield f"in a browser: {HOSTED_TOOLS[0]}/apps/?rpc={next(iter(plan.rpc.values()))}"
    for uri in ACCOUNT_URIS:
        governs = "; it governs" if uri == SUDO_URI else ""
        address = ss58_encode(account_of(uri))
        yield f"account {uri} {address}: {ENDOWMENT // UNIT:,} tokens at first{governs}"
    for para, name in plan.paras.items():
        collators = [node.name for node in plan.nodes if _collates_for(node.seat.para, para)]
        yield f"para {para} is {name}; {', '.join(collators) or 'no collator of the devnet'}"
    for para, changes in plan.changes.items():
        for line in _changes(changes, plan, para):
            yield f"para {para}: {line}"
    for node in plan.by_hand:
        yield f"to be started by hand: {node.command.shell()}"


def _changes(changes: ParaChanges, plan: Plan, para: int) -> Iterator[str]:
    """What is another than when the network ran last, and what one may do."""
    if changes.code:
        spec = next(
            node.seat.para
            for node in (*plan.nodes, *plan.by_hand)
            if _collates_for(node.seat.para, para)
        )
        assert spec is not None
        url = next(iter(plan.rpc.values()))
        yield (
            "its validation function has changed, and the chain goes on with the code that it has:"
            f" `parahost para upgrade {shlex.quote(spec.source)} --id {para} --url {url}` or"
            " --watch upgrades it, --fresh begins anew"
        )
    if changes.genesis_head:
        yield (
            "its genesis head has changed, which a chain that has begun does not heed:"
            " --fresh begins anew"
        )
    if changes.collator:
        yield "its collator has changed, and the new one runs"


def _collates_for(spec: ParachainSpec | None, para: int) -> bool:
    return spec is not None and spec.id == para
