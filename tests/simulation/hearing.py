"""What nodes tell in a run, and calls that somebody sends to its chain."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from parahost.crypto import sr25519
from parahost.node.node import Node
from parahost.primitives.header import Extrinsic
from parahost.runtime import api
from parahost.runtime.development import account_of
from parahost.runtime.extrinsic import signed
from parahost.runtime.module import RuntimeCall
from parahost.simulation import Simulation
from parahost.simulation.journal import TraceEvent


class Hearing:
    """Listens to a run, from before it begins."""

    def __init__(self, simulation: Simulation) -> None:
        self._events: dict[str, list[TraceEvent]] = {}
        simulation.trace.watch(self._hear)

    def of(self, event: str, node: str | None = None, **fields: object) -> Sequence[TraceEvent]:
        """Such events with these values, of one node or of all."""
        return [
            each
            for each in self._events.get(event, [])
            if node in (None, each.node) and fields.items() <= each.fields.items()
        ]

    def _hear(self, event: TraceEvent) -> None:
        self._events.setdefault(event.event, []).append(event)


def call_signed(node: Node, call: RuntimeCall, uri: str, after: int = 0) -> Extrinsic:
    """The call by the account of that secret, after so many others of its that wait."""
    keys = sr25519.Keypair.from_uri(uri)
    account = account_of(uri)
    return signed(
        call,
        account,
        partial(sr25519.sign, keys),
        nonce=api.account_nonce(node.chain.state(node.chain.best_hash), account) + after,
        genesis_hash=node.chain.genesis_hash,
    )
