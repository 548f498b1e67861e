"""A node about to be put together: where faults and adversaries lay hands on it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

from parahost.chain.blocks import Execute
from parahost.consensus.grandpa import VotingRule
from parahost.crypto.keystore import KeyRing
from parahost.node.node import Node, Ports
from parahost.node.overseer import Interceptor
from parahost.parachains import Collator
from parahost.simulation.journal import NodeJournal
from parahost.simulation.plan import NodePlan
from parahost.simulation.random import Streams

NodeJob = Callable[[Node], Awaitable[None]]
"""Something to run beside a node; it is cancelled with it."""


@dataclass(slots=True)
class Build:
    """All that a node will be made of, for one life of it. An :data:`Alteration` may exchange any
    part: wrap a port, add an interceptor or a job.

    ``keys`` are the bare keys behind ``ports.keystore``: they sign whatever they are given.
    """

    plan: NodePlan
    ports: Ports
    keys: KeyRing
    streams: Streams
    journal: NodeJournal
    execute: Callable[[Execute], Execute]
    collator: Collator | None = None
    interceptors: list[Interceptor] = field(default_factory=list)
    jobs: list[NodeJob] = field(default_factory=list)
    capacity: int = 1024
    voting_rule: VotingRule | None = None

    def with_ports(self, **changed: Any) -> None:
        """Exchange some ports, by their names in ``Ports``."""
        self.ports = replace(self.ports, **changed)


Alteration = Callable[[Build], None]
"""Changes a node before each life of it."""
