"""A simulated node: a disk, a clock and keys that outlive it, and one life after another."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import trio

from parahost.crypto.keystore import KeyRing, ProtectedKeyStore
from parahost.node.node import Collating, Node, Ports, Tweaks
from parahost.parachains import running
from parahost.primitives.basic import PeerId
from parahost.runtime.storage import State
from parahost.simulation.clock import NodeClock
from parahost.simulation.journal import NodeJournal, Trace
from parahost.simulation.keystore import OnSignature, WatchedKeyStore
from parahost.simulation.network import Endpoint, Internet
from parahost.simulation.plan import NodePlan
from parahost.simulation.random import Streams
from parahost.simulation.sharing import Sharing
from parahost.storage.memory import MemoryDatabase

if TYPE_CHECKING:
    from trio_typing import TaskStatus


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all nodes of a run have in common."""

    genesis: State
    internet: Internet
    trace: Trace
    streams: Streams
    sharing: Sharing
    bootnodes: tuple[PeerId, ...]
    on_signature: OnSignature


class SimulatedNode:
    """One machine of the network."""

    def __init__(self, plan: NodePlan, around: Surroundings) -> None:
        self.plan = plan
        self.name = plan.name
        self.clock = NodeClock()
        self.disk = MemoryDatabase()
        self.lives = 0
        self.failure: Exception | None = None
        """What brought it down, other than a crash that was asked for."""
        self._around = around
        self._keys = KeyRing.of(plan.keys)
        self._life: _Life | None = None

    @property
    def node(self) -> Node | None:
        """The node, while it runs."""
        return None if self._life is None else self._life.node

    async def live(self, *, task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Start it, and run it until it is crashed, fails, or is cancelled."""
        self.lives += 1
        scope, ended = trio.CancelScope(), trio.Event()
        self._record("node.started", life=self.lives)
        try:
            with scope:
                await self._run(scope, ended, task_status)
        except Exception as error:
            if not scope.cancel_called:
                self.failure = error
                cause = root_cause(error)
                self._record("node.failed", reason=f"{type(cause).__name__}: {cause}")
        finally:
            self._life = None
            ended.set()

    async def crash(self, lose: int = 0) -> None:
        """End its life at once, and with it the last ``lose`` writes that were not synced; at most
        as many as there are. What is left is a disk to start from again."""
        life = self._life
        if life is None:
            return
        lost = min(lose, self.disk.unsynced)
        self._record("node.crashed", lost=lost)
        self.disk = self.disk.crash(lost)
        life.scope.cancel()
        await life.ended.wait()

    async def _run(
        self, scope: trio.CancelScope, ended: trio.Event, task_status: TaskStatus[None]
    ) -> None:
        around, plan = self._around, self.plan
        journal = NodeJournal(self.name, around.trace)
        streams = around.streams.within("node", self.name, f"life {self.lives}")
        endpoint = Endpoint(
            around.internet,
            self.name,
            plan.peer,
            role=plan.role.observed,
            known=around.bootnodes,
            clock=self.clock,
            random=streams.stream("links"),
        )
        ports = Ports(
            clock=self.clock,
            random=streams.stream("port"),
            journal=journal,
            database=self.disk,
            keystore=WatchedKeyStore(
                self.name, ProtectedKeyStore(self._keys, self.disk), around.on_signature
            ),
            network=endpoint,
            steering=endpoint,
            verifier=around.sharing.verifier(),
            validation_host=around.sharing.validation_host(),
        )
        pick = streams.stream("pick")
        tweaks = Tweaks(
            execute=around.sharing.execute,
            pick=lambda waiting: pick.below(waiting) if waiting > 1 else 0,
        )
        async with AsyncExitStack() as stack:
            collating = None
            if plan.parachain is not None:
                spec = plan.parachain
                collator = spec.make_collator()
                await stack.enter_async_context(
                    running(
                        collator,
                        para_id=spec.id,
                        genesis_head=spec.genesis_head,
                        database=self.disk,
                        journal=journal,
                        clock=self.clock,
                    )
                )
                collating = Collating(collator, spec.id)
            node = Node(around.genesis, plan.role, ports, collating=collating, tweaks=tweaks)
            self._life = _Life(node, endpoint, scope, ended)
            async with trio.open_nursery() as nursery:
                await nursery.start(node.run)
                await nursery.start(endpoint.run)
                task_status.started()

    def _record(self, event: str, **fields: object) -> None:
        self._around.trace.record(self.name, event, fields)


@dataclass(frozen=True, slots=True)
class _Life:
    """A node from one start to its end."""

    node: Node
    endpoint: Endpoint
    scope: trio.CancelScope
    ended: trio.Event


def root_cause(error: BaseException) -> BaseException:
    """The first error that was no consequence of another."""
    while True:
        if isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        elif error.__cause__ is not None:
            error = error.__cause__
        else:
            return error
