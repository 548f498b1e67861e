"""A whole network in one process: built from a plan and a seed, run for so many blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import TextIO

import trio

from parahost.simulation.journal import Trace, TraceEvent
from parahost.simulation.network import Internet, LinkQuality, Weather
from parahost.simulation.nodes import SimulatedNode, Surroundings
from parahost.simulation.plan import NetworkPlan
from parahost.simulation.random import Streams
from parahost.simulation.scheduler import run_virtual
from parahost.simulation.sharing import Sharing

START_SPREAD_S = 0.5
"""Nodes start at random times within so many seconds."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run went. ``reached`` tells whether it came to its last block; ``virtual_s`` and
    ``real_s`` are its lengths, in seconds, by the world's time and by ours."""

    digest: str
    reached: bool
    virtual_s: float
    real_s: float

    @property
    def speed_ratio(self) -> float:
        """How many times faster than real time it was."""
        return self.virtual_s / self.real_s if self.real_s else 0.0


class Simulation:
    """One run of a network. What it holds may be looked at afterwards."""

    def __init__(
        self,
        plan: NetworkPlan,
        seed: int,
        *,
        trace_file: TextIO | None = None,
        sharing: bool = True,
        quality: LinkQuality | None = None,
    ) -> None:
        self.plan = plan
        self.seed = seed
        self.streams = Streams(seed)
        self.trace = Trace(trace_file)
        self.weather = Weather(quality)
        self.internet = Internet(self.trace, self.weather)
        around = Surroundings(
            plan.genesis,
            self.internet,
            self.trace,
            self.streams,
            Sharing(sharing),
            tuple(node.peer for node in plan.validators),
        )
        self.nodes: dict[str, SimulatedNode] = {
            node.name: SimulatedNode(node, around) for node in plan.nodes
        }
        self._nursery: trio.Nursery | None = None

    def run(self, blocks: int, *, patience_slots: int | None = None) -> Outcome:
        """Run until a block with that number is imported, or until so many slots have passed."""
        limit_s = self.plan.shape.slot_s * (patience_slots or 4 * blocks + 20)
        begun = perf_counter()
        reached, virtual_s = run_virtual(
            lambda: self._main(blocks, limit_s), self.streams.seed_of("scheduler")
        )
        return Outcome(self.trace.digest(), reached, virtual_s, perf_counter() - begun)

    async def _main(self, blocks: int, limit_s: float) -> tuple[bool, float]:
        done = trio.Event()

        def watch(event: TraceEvent) -> None:
            if event.event == "chain.imported" and event.fields["number"] >= blocks:  # type: ignore[operator]
                done.set()

        self.trace.watch(watch)
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            nursery.start_soon(self.internet.run)
            starts = self.streams.stream("starts")
            for node in self.nodes.values():
                nursery.start_soon(self._start_after, starts.unit() * START_SPREAD_S, node)
            with trio.move_on_after(limit_s):
                await done.wait()
            ended_at = trio.current_time()
            nursery.cancel_scope.cancel()
        return done.is_set(), ended_at

    async def _start_after(self, delay_s: float, node: SimulatedNode) -> None:
        await trio.sleep(delay_s)
        await node.live()

    def running(self) -> Sequence[SimulatedNode]:
        """The nodes that are up."""
        return [node for node in self.nodes.values() if node.node is not None]
