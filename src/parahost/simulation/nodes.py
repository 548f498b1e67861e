"""A simulated node: a disk, a clock and keys that outlive it, and one life after another."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import trio

from parahost.crypto.keystore import KeyRing, ProtectedKeyStore
from parahost.metrics.meter import NodeMeter
from parahost.node.node import Collating, Node, Ports, Tweaks
from parahost.node.overseer.overseer import Pick
from parahost.node.tallies import counted
from parahost.parachains import Collator, running
from parahost.primitives.basic import PeerId
from parahost.runtime.storage import State
from parahost.simulation.build import Alteration, Build
from parahost.simulation.clock import NodeClock
from parahost.simulation.executor import InlineExecutor
from parahost.simulation.journal import NodeJournal, Trace
from parahost.simulation.keystore import OnSignature, WatchedKeyStore
from parahost.simulation.network import Endpoint, Switch
from parahost.simulation.plan import NodePlan, node_identity
from parahost.simulation.random import SeededRandom, Streams
from parahost.simulation.sharing import Sharing
from parahost.simulation.workers import Workers, WorkerTrouble
from parahost.storage.memory import MemoryDatabase

if TYPE_CHECKING:
    from trio_typing import TaskStatus


@dataclass(frozen=True, slots=True)
class RunContext:
    """What all nodes of a run have in common."""

    genesis: State
    switch: Switch
    trace: Trace
    streams: Streams
    sharing: Sharing
    bootnodes: tuple[PeerId, ...]
    on_signature: OnSignature


class PowerFailure(BaseException):
    """Raised in the midst of what a node does: nothing in it survives."""


class SimulatedNode:
    """One machine of the network."""

    def __init__(self, plan: NodePlan, around: RunContext) -> None:
        self.plan = plan
        self.name = plan.name
        self.clock = NodeClock()
        self.disk = MemoryDatabase(lambda batch, durable: _call(self.on_write))
        self.lives = 0
        self.meter = NodeMeter()
        """What is counted in the present life, or was in the last one."""
        self.failure: ExceptionGroup[Exception] | None = None
        """What brought it down, other than a crash that was asked for."""
        self.alterations: list[Alteration] = []
        """What is changed about it before each life."""
        self.workers_troubles: list[WorkerTrouble] = []
        """What its validation workers suffer from now; of several the last."""
        self.on_write: list[Callable[[], None]] = []
        """Called before each write to its disk; may raise."""
        self.on_step: list[Callable[[], None]] = []
        """Called before each message that a subsystem of it handles; may raise."""
        self.kept_down = 0
        """How many crashes it must not yet recover from."""
        self._around = around
        self._keys = KeyRing.of(plan.keys)
        self._life: _Life | None = None
        self._is_up = False

    @property
    def node(self) -> Node | None:
        """The node, while it runs."""
        return None if self._life is None else self._life.node

    def rise(self, nursery: trio.Nursery) -> None:
        """Start it again, unless it is up or must stay down."""
        if not self._is_up and not self.kept_down:
            self._is_up = True
            nursery.start_soon(self.live)

    async def live(self, *, task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Start it, and run it until it is crashed, fails, or is cancelled."""
        self.lives += 1
        self._is_up = True
        self.clock.wind()
        scope, ended = trio.CancelScope(), trio.Event()
        self._record("node.started", life=self.lives)
        try:
            with scope:
                await self._run(scope, ended, task_status)
        except* PowerFailure:
            pass
        except* Exception as errors:
            if not scope.cancel_called:
                self.failure = errors
                cause = root_cause(errors)
                self._record("node.failed", reason=f"{type(cause).__name__}: {cause}")
        finally:
            self._life = None
            self._is_up = False
            ended.set()

    async def crash(self, lose: int = 0) -> None:
        """End its life at once, if it has one, and with it the last ``lose`` writes that were not
        synced; at most as many as there are. What is left is a disk to start from again."""
        lost = min(lose, self.disk.unsynced)
        self._record("node.crashed", lost=lost)
        self.disk = self.disk.crash(lost)
        if self._life is not None:
            life = self._life
            life.scope.cancel()
            await life.ended.wait()

    async def _run(
        self, scope: trio.CancelScope, ended: trio.Event, task_status: TaskStatus[None]
    ) -> None:
        around, plan = self._around, self.plan
        build = self._build()
        for alter in self.alterations:
            alter(build)
        async with AsyncExitStack() as stack:
            collating = None
            if build.collator is not None:
                await stack.enter_async_context(self._collating(build, build.collator))
                assert plan.parachain is not None
                collating = Collating(build.collator, plan.parachain.id, plan.parachain.expected())
            tweaks = Tweaks(
                execute=build.execute,
                ask=around.sharing.ask,
                pick=self._pick(build.streams.stream("pick")),
                interceptors=tuple(build.interceptors),
                capacity=build.capacity,
            )
            node = Node(
                around.genesis,
                plan.role,
                build.ports,
                collating=collating,
                voting_rule=build.voting_rule,
                tweaks=tweaks,
            )
            self._life = _Life(node, scope, ended)
            async with trio.open_nursery() as nursery:
                for job in build.jobs:  # which miss nothing that the node does
                    nursery.start_soon(job, node)
                await nursery.start(node.run)
                await nursery.start(self._endpoint.run)
                task_status.started()

    def _build(self) -> Build:
        """An honest node's parts."""
        around, plan = self._around, self.plan
        streams = around.streams.within("node", self.name, f"life {self.lives}")
        journal = NodeJournal(self.name, around.trace)
        self.meter = NodeMeter()
        self._endpoint = Endpoint(
            around.switch,
            self.name,
            node_identity(self.name),
            role=plan.role.observed,
            known=around.bootnodes,
            clock=self.clock,
            random=streams.stream("links"),
        )
        keystore = ProtectedKeyStore(self._keys, self.disk)
        return Build(
            plan,
            Ports(
                clock=self.clock,
                random=streams.stream("port"),
                journal=counted(journal, self.meter),
                database=self.disk,
                keystore=WatchedKeyStore(self.name, keystore, around.on_signature),
                network=self._endpoint,
                steering=self._endpoint,
                verifier=around.sharing.verifier(),
                validation_host=Workers(around.sharing.validation_host(), self._workers_trouble),
                executor=InlineExecutor(),
                meter=self.meter,
            ),
            self._keys,
            streams,
            journal,
            around.sharing.execute,
            None if plan.parachain is None else plan.parachain.make_collator(),
        )

    def _collating(self, build: Build, collator: Collator) -> AbstractAsyncContextManager[None]:
        spec = self.plan.parachain
        assert spec is not None
        return running(
            collator,
            para_id=spec.id,
            genesis_head=spec.genesis_head,
            database=build.ports.database,
            journal=build.ports.journal,
            clock=build.ports.clock,
        )

    def _pick(self, random: SeededRandom) -> Pick:
        """Whose message is handled next, by chance."""

        draw = random.unit

        def pick(waiting: int) -> int:
            if self.on_step:
                _call(self.on_step)
            return int(draw() * waiting) if waiting > 1 else 0

        return pick

    def _workers_trouble(self) -> WorkerTrouble | None:
        return self.workers_troubles[-1] if self.workers_troubles else None

    def _record(self, event: str, **fields: object) -> None:
        self._around.trace.record(self.name, event, fields)


@dataclass(frozen=True, slots=True)
class _Life:
    """A node from one start to its end."""

    node: Node
    scope: trio.CancelScope
    ended: trio.Event


def _call(hooks: list[Callable[[], None]]) -> None:
    for hook in list(hooks):
        hook()


def root_cause(error: BaseException) -> BaseException:
    """The first error that was no consequence of another."""
    while True:
        if isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        elif error.__cause__ is not None:
            error = error.__cause__
        else:
            return error
