"""Crashes: at a moment, at a write, between two messages; and new starts."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import trio

from parahost.simulation.faults.fault import Fault, World
from parahost.simulation.journal import WORLD
from parahost.simulation.nodes import PowerFailure, SimulatedNode

RESTART_S = 1.0
"""A node that is not kept down comes back after so many seconds."""


@dataclass(frozen=True, kw_only=True)
class Crash(Fault):
    """The nodes of ``who`` die, whatever they are waiting for, and with them the last ``lose``
    writes that were not synced; they start again on what is left after ``lasts_s``."""

    kind: ClassVar[str] = "crash"

    lasts_s: float = RESTART_S
    lose: int = 0

    def check(self, names: Sequence[str]) -> None:
        super().check(names)
        if self.lose < 0:
            raise ValueError(f"{self.kind}: loses {self.lose} writes, less than none")

    async def begin(self, world: World) -> None:
        for name in self.who:
            await _fell(world.nodes[name], self.lose)

    async def end(self, world: World) -> None:
        for name in self.who:
            _recover(world, name)


class Strike(Fault):
    """From its moment on, the nodes of ``who`` die, each when it does something for the
    :attr:`count`-th time, and start again after ``lasts_s``."""

    lose: int = 0

    @property
    @abstractmethod
    def count(self) -> int: ...

    @abstractmethod
    def hooks(self, node: SimulatedNode) -> list[Callable[[], None]]:
        """What is called each time that the node does it."""

    def check(self, names: Sequence[str]) -> None:
        super().check(names)
        if self.count < 1 or self.lose < 0:
            raise ValueError(f"{self.kind}: counts from 1, and loses at least nothing")

    async def run(self, world: World) -> None:
        await self.at.come(world.record)
        async with trio.open_nursery() as nursery:
            for name in self.who:
                nursery.start_soon(self._strike, world, name)

    async def begin(self, world: World) -> None:
        """Each node has its own moment."""

    async def _strike(self, world: World, name: str) -> None:
        node = world.nodes[name]
        left, struck = self.count, trio.Event()

        def strike() -> None:
            nonlocal left
            left -= 1
            if left == 0:
                struck.set()
                raise PowerFailure

        self.hooks(node).append(strike)
        await struck.wait()
        self.hooks(node).remove(strike)
        world.trace.record(WORLD, f"fault.{self.kind}", {"who": name})
        await _fell(node, self.lose)
        await trio.sleep(self.lasts_s)
        _recover(world, name)


@dataclass(frozen=True, kw_only=True)
class CrashAtWrite(Strike):
    """They die at their next ``write``-th write to disk, which does not happen."""

    kind: ClassVar[str] = "crash_at_write"

    lasts_s: float = RESTART_S
    write: int = 1
    lose: int = 0

    @property
    def count(self) -> int:
        return self.write

    def hooks(self, node: SimulatedNode) -> list[Callable[[], None]]:
        return node.on_write


@dataclass(frozen=True, kw_only=True)
class CrashAtStep(Strike):
    """They die before the next ``step``-th message that one of their subsystems would handle."""

    kind: ClassVar[str] = "crash_at_step"

    lasts_s: float = RESTART_S
    step: int = 1
    lose: int = 0

    @property
    def count(self) -> int:
        return self.step

    def hooks(self, node: SimulatedNode) -> list[Callable[[], None]]:
        return node.on_step


async def _fell(node: SimulatedNode, lose: int) -> None:
    """Crash it, and keep it down."""
    node.kept_down += 1
    await node.crash(lose)


def _recover(world: World, name: str) -> None:
    """One crash less keeps it down."""
    world.nodes[name].kept_down -= 1
    world.start(name)
