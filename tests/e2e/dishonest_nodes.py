"""``python -m tests.e2e.dishonest_nodes``: a devnet's zygote, some of whose nodes are adversaries.

They are those of the simulator's wardrobe, in processes: an honest node with somebody between its
parts. ``DISHONEST`` in the environment says who is what: ``validator-3=vouches_blindly,...``.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import trio

from parahost.cli.main import run
from parahost.crypto.keystore import KeyDirectory
from parahost.devnet.zygote import serve
from parahost.node.node import Collating, Node, Ports, Tweaks
from parahost.node.role import Role
from parahost.parachains import Collator
from parahost.process import run_node
from parahost.process.base_path import BasePath
from parahost.runtime.storage import State
from parahost.simulation.adversaries import KINDS
from parahost.simulation.build import Build
from parahost.simulation.journal import NodeJournal
from parahost.simulation.plan import NodePlan, node_identity
from parahost.simulation.random import Streams

if TYPE_CHECKING:
    from trio_typing import TaskStatus

DISHONEST = "DISHONEST"


class DishonestNode(Node):
    """A node that an adversary has laid hands on before it was put together."""

    name: str
    kind: str
    keystore: Path

    def __init__(
        self,
        genesis: State,
        role: Role,
        ports: Ports,
        *,
        collating: Collating | None = None,
        **others: Any,
    ) -> None:
        build = Build(
            NodePlan(self.name, role, node_identity(self.name).peer, ()),
            ports,
            KeyDirectory(self.keystore).load(),
            Streams(0),
            cast(NodeJournal, ports.journal),
            lambda execute: execute,
            None if collating is None else cast(Collator, collating.collator),
        )
        no_world = cast(Any, None)
        KINDS[self.kind](who=(self.name,)).conspire(no_world)(build)
        if collating is not None and build.collator is not None:
            collating = replace(collating, collator=build.collator)
        super().__init__(
            genesis,
            role,
            build.ports,
            collating=collating,
            tweaks=Tweaks(interceptors=tuple(build.interceptors)),
            **others,
        )
        self._jobs = build.jobs

    async def run(self, *, task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        async with trio.open_nursery() as nursery:
            for job in self._jobs:
                nursery.start_soon(job, self)
            await nursery.start(super().run)
            task_status.started()


def run_as_it_is(argv: Sequence[str]) -> int:
    """A node, honest or not, with its command line."""
    kinds = dict(each.split("=") for each in os.environ[DISHONEST].split(","))
    name = argv[argv.index("--name") + 1]
    if name in kinds:
        base = BasePath(Path(argv[argv.index("--base-path") + 1]))
        DishonestNode.name, DishonestNode.kind = name, kinds[name]
        DishonestNode.keystore = base.keystore
        vars(run_node)["Node"] = DishonestNode
    return run(argv)


if __name__ == "__main__":
    serve(run_as_it_is)
