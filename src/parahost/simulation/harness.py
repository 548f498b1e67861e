"""A whole network in one process: built from a plan and a seed, run for so many blocks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any, TextIO

import trio

from parahost.network.limits import NetworkLimits
from parahost.ports import Database
from parahost.primitives.basic import Hash
from parahost.runtime.storage import State
from parahost.simulation import checkers
from parahost.simulation.adversaries import Outsider
from parahost.simulation.checkers import OK, Checker, Scene, SignatureMade
from parahost.simulation.faults import Fault
from parahost.simulation.journal import Trace
from parahost.simulation.memory import Held, held_by
from parahost.simulation.network import LinkConditions, Switch
from parahost.simulation.nodes import RunContext, SimulatedNode
from parahost.simulation.observatory import Observatory
from parahost.simulation.plan import plan_network
from parahost.simulation.random import Streams
from parahost.simulation.record import ChainRecord, RecordedBlock
from parahost.simulation.scenario import Scenario
from parahost.simulation.scheduler import run_virtual
from parahost.simulation.sharing import Sharing
from parahost.simulation.statistics import Statistics

START_SPREAD_S = 0.5
"""Nodes start at random times within so many seconds."""
REACHED = "reached_its_end"
"""The verdict on whether the chain came to the number of blocks that was asked for."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run went. ``verdicts``: by checker, ``ok`` or what was violated first. ``virtual_s``
    and ``real_s`` are its lengths in seconds, by the world's time and by ours."""

    seed: int
    digest: str
    verdicts: Mapping[str, str]
    statistics: Mapping[str, Any]
    virtual_s: float
    real_s: float

    @property
    def ok(self) -> bool:
        return all(verdict == OK for verdict in self.verdicts.values())

    @property
    def speed_ratio(self) -> float:
        """How many times faster than real time it was."""
        return self.virtual_s / self.real_s if self.real_s else 0.0

    def report(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "seed": self.seed,
            "digest": self.digest,
            "verdicts": dict(self.verdicts),
            "speed_ratio": round(self.speed_ratio, 2),
            "virtual_seconds": round(self.virtual_s, 3),
            "real_seconds": round(self.real_s, 3),
            **self.statistics,
        }


class Simulation:
    """One run of a network. What it holds may be looked at afterwards."""

    def __init__(
        self,
        scenario: Scenario,
        seed: int,
        *,
        trace_file: TextIO | None = None,
        sharing: bool = True,
        checks: Sequence[type[Checker]] = checkers.ALL,
    ) -> None:
        """
        :param trace_file: gets every event as a line of JSON.
        :param sharing: whether nodes share pure results; it changes the speed only.
        """
        self.scenario = scenario
        self.plan = plan = plan_network(scenario.shape)
        self.seed = seed
        self.streams = Streams(seed)
        self.trace = Trace(trace_file)
        conditions = LinkConditions(scenario.links)
        # Everybody may be connected to everybody, as on a small chain.
        count, least = len(plan.nodes), NetworkLimits()
        limits = replace(
            least,
            max_unproven_validators=max(least.max_unproven_validators, count),
            max_collators=max(least.max_collators, count),
        )
        self.switch = Switch(self.trace, conditions, limits)
        if scenario.geography is not None:
            names = [node.name for node in plan.nodes]
            scenario.geography.lay_out(names, conditions, scenario.links)
        self.record = ChainRecord(plan.genesis)
        around = RunContext(
            plan.genesis,
            self.switch,
            self.trace,
            self.streams,
            Sharing(sharing),
            tuple(node.peer for node in plan.validators),
            on_signature=self._on_signature,
        )
        self.nodes: Mapping[str, SimulatedNode] = {
            node.name: SimulatedNode(node, around) for node in plan.nodes
        }
        scene = Scene(
            plan,
            self.record,
            is_honest=self.is_honest,
            disk_of=self._disk_of,
            state_of=self._state_of,
            queues_of=self._queues_of,
            memory_of=self._memory_of,
            is_excused=self.is_excused,
            is_damaged=self.is_damaged,
            calm_since=self.calm_since,
            is_undisturbed=self.is_undisturbed,
        )
        self.checkers = [check(scene) for check in checks if check.name not in scenario.without]
        self._observatory = Observatory(self.record, self.nodes, self.is_honest, self.checkers)
        self.statistics = Statistics(plan, self.record, self.trace)
        self.trace.watch(self._observatory.hear)
        self._nursery: trio.Nursery | None = None
        self._dishonest: dict[str, None] = {}
        self._excused: dict[str, None] = {}
        self._damaged: dict[str, None] = {}
        self._trouble_ahead = len(scenario.faults)
        self._calm_since = 0.0
        self._is_meddled_with = False
        for adversary in scenario.adversaries:
            if isinstance(adversary, Outsider):
                continue
            alteration = adversary.conspire(self)
            for name in adversary.who:
                self._dishonest[name] = None
                self.nodes[name].alterations.append(alteration)
        for fault in scenario.faults:
            fault.prepare(self)

    def run(self, progress: Callable[[RecordedBlock], None] | None = None) -> Outcome:
        """Run until an honest node has the scenario's last block, or patience is at an end.

        :param progress: called with each new block.
        """
        if progress is not None:
            self.record.on_block.append(progress)
        blocks, limit_s = self.scenario.blocks, self.scenario.limit_s
        done = trio.Event()

        def look_for_end(block: RecordedBlock) -> None:
            if block.number >= blocks:
                done.set()

        self.record.on_block.append(look_for_end)

        async def last_block() -> None:
            with trio.move_on_after(limit_s):
                await done.wait()

        outcome = self.run_while(last_block)
        if done.is_set():
            return outcome
        best = self.record.best().number
        reached = f"block {blocks} did not come in {limit_s:.0f} s, but {best} did"
        return replace(outcome, verdicts={**outcome.verdicts, REACHED: reached})

    def run_while(self, work: Callable[[], Awaitable[None]]) -> Outcome:
        """Run for as long as ``work`` takes, which is a task of the world beside its nodes."""
        begun = perf_counter()
        virtual_s = run_virtual(lambda: self._main(work), self.streams.seed_of("scheduler"))
        real_s = perf_counter() - begun
        verdicts = {checker.name: checker.verdict for checker in self.checkers}
        statistics = {**self.statistics.summary(), "faults_not_over": self._trouble_ahead}
        for expectation in self.scenario.expects:
            verdicts[expectation.name] = expectation.judge(statistics)
        return Outcome(
            self.seed,
            self.trace.digest(),
            verdicts,
            statistics,
            virtual_s,
            real_s,
        )

    async def _main(self, work: Callable[[], Awaitable[None]]) -> float:
        """When it ended, in virtual seconds."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            nursery.start_soon(self.switch.run)
            starts = self.streams.stream("starts")
            for node in self.nodes.values():
                nursery.start_soon(self._start_after, starts.unit() * START_SPREAD_S, node)
            for fault in self.scenario.faults:
                nursery.start_soon(self._suffer, fault)
            for adversary in self.scenario.adversaries:
                if isinstance(adversary, Outsider):
                    for name in adversary.who:
                        nursery.start_soon(adversary.take_part, self, name)
            await work()
            ended_at = trio.current_time()
            self._observatory.end()
            self.trace.close()
            nursery.cancel_scope.cancel()
        return ended_at

    def _on_signature(self, signature: SignatureMade) -> None:
        self._observatory.hear_signature(signature)

    async def _start_after(self, delay_s: float, node: SimulatedNode) -> None:
        await trio.sleep(delay_s)
        await node.live()

    async def _suffer(self, fault: Fault) -> None:
        await fault.run(self)
        self.end_trouble()

    # What who runs it does by hand

    def begin_trouble(self) -> None:
        """Something is done to the network that is in no scenario; checkers are to know of it."""
        self._trouble_ahead += 1
        self._is_meddled_with = True

    def end_trouble(self) -> None:
        """It is over."""
        self._trouble_ahead -= 1
        self._calm_since = trio.current_time()

    # What faults do

    def start(self, node: str) -> None:
        """See ``faults.World``."""
        if self._nursery is not None:
            self.nodes[node].rise(self._nursery)

    def excuse(self, node: str) -> None:
        """See ``faults.World``."""
        self._excused[node] = None

    def damage(self, node: str) -> None:
        """See ``faults.World``."""
        self._damaged[node] = None

    # What checkers ask

    def is_honest(self, name: str) -> bool:
        """Whether there is such a node, and nothing is done to its behaviour."""
        return name in self.nodes and name not in self._dishonest

    def is_excused(self, name: str) -> bool:
        return name in self._excused or name in self._damaged

    def is_damaged(self, name: str) -> bool:
        return name in self._damaged

    def is_undisturbed(self) -> bool:
        return self.scenario.is_undisturbed and not self._is_meddled_with

    def calm_since(self) -> float:
        return float("inf") if self._trouble_ahead else self._calm_since

    def _disk_of(self, name: str) -> Database:
        return self.nodes[name].disk

    def _state_of(self, name: str, block: Hash) -> State:
        node = self.nodes[name].node
        assert node is not None, f"{name} is down"
        return node.chain.state(block)

    def _queues_of(self, name: str) -> dict[str, int]:
        node = self.nodes[name].node
        if node is None:
            return {}
        return {subsystem: stats.longest for subsystem, stats in node.overseer.stats().items()}

    def _memory_of(self, name: str) -> dict[str, Held]:
        node = self.nodes[name].node
        return {} if node is None else held_by(node)
