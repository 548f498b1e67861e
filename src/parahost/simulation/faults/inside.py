"""Trouble within nodes: validation workers, queues."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import trio

from parahost.ports import ExecutionKind, ExecutionOutcome, Undecided
from parahost.simulation.build import Build
from parahost.simulation.faults.fault import Fault, Moment, World
from parahost.simulation.workers import Execution

TROUBLES = ("dies", "hangs", "late")


@dataclass(frozen=True, kw_only=True)
class BadWorkers(Fault):
    """The validation workers of ``who`` die at once, hang until their time is over, or answer
    rightly but ``late_s`` seconds late."""

    kind: ClassVar[str] = "bad_workers"
    lasting: ClassVar[bool] = True

    lasts_s: float = 30.0
    trouble: str = "dies"
    late_s: float = 1.0

    def check(self, names: Sequence[str]) -> None:
        super().check(names)
        if self.trouble not in TROUBLES:
            raise ValueError(f"{self.kind}: trouble is one of {', '.join(TROUBLES)}")
        if self.late_s < 0:
            raise ValueError(f"{self.kind}: late_s is not below 0")

    async def begin(self, world: World) -> None:
        for name in self.who:
            world.nodes[name].workers_troubles.append(self._answer)

    async def end(self, world: World) -> None:
        for name in self.who:
            world.nodes[name].workers_troubles.remove(self._answer)

    async def _answer(self, kind: ExecutionKind, execute: Execution) -> ExecutionOutcome:
        match self.trouble:
            case "dies":
                await trio.sleep(0.01)
                return Undecided("the worker died")
            case "hangs":
                await trio.sleep(kind.cpu_limit_s)
                return Undecided("the worker hung")
        await trio.sleep(self.late_s)
        return await execute()


@dataclass(frozen=True, kw_only=True)
class TinyQueues(Fault):
    """The queues of ``who`` hold no more than ``capacity`` messages before those outside must
    wait; from the start to the end."""

    kind: ClassVar[str] = "tiny_queues"

    at: Moment = field(default_factory=lambda: Moment(seconds=0.0))
    capacity: int = 1

    def check(self, names: Sequence[str]) -> None:
        super().check(names)
        if self.capacity < 1:
            raise ValueError(f"{self.kind}: capacity is at least 1")

    def prepare(self, world: World) -> None:
        for name in self.who:
            world.nodes[name].alterations.append(self._alter)

    def _alter(self, build: Build) -> None:
        build.capacity = min(build.capacity, self.capacity)

    async def begin(self, world: World) -> None:
        """It has been so from the start."""
