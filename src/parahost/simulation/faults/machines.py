"""Trouble with machines: crashes, disks, clocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import trio

from parahost.ports import Batch, DatabaseError
from parahost.simulation.faults.fault import Fault, World
from parahost.simulation.journal import WORLD
from parahost.simulation.nodes import PowerFailure

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
            await world.nodes[name].crash(self.lose)

    async def end(self, world: World) -> None:
        for name in self.who:
            world.start(name)


@dataclass(frozen=True, kw_only=True)
class CrashAtWrite(Fault):
    """From its moment on, the nodes of ``who`` die at their next ``write``-th write to disk, which
    does not happen, and start again after ``lasts_s``."""

    kind: ClassVar[str] = "crash_at_write"

    lasts_s: float = RESTART_S
    write: int = 1
    lose: int = 0

    def check(self, names: Sequence[str]) -> None:
        super().check(names)
        if self.write < 1 or self.lose < 0:
            raise ValueError(f"{self.kind}: write counts from 1, lose from 0")

    async def run(self, world: World) -> None:
        await self.at.come(world.record)
        async with trio.open_nursery() as nursery:
            for name in self.who:
                nursery.start_soon(self._strike, world, name)

    async def begin(self, world: World) -> None:
        """Each node has its own moment."""

    async def _strike(self, world: World, name: str) -> None:
        node = world.nodes[name]
        left, struck = self.write, trio.Event()

        def before_write(batch: Batch, durable: bool) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                struck.set()
                raise PowerFailure

        node.disk.before_write = before_write
        await struck.wait()
        node.disk.before_write = None
        world.trace.record(WORLD, f"fault.{self.kind}", {"who": name})
        await node.crash(self.lose)
        await trio.sleep(self.lasts_s)
        world.start(name)


@dataclass(frozen=True, kw_only=True)
class FullDisk(Fault):
    """Writes of the nodes of ``who`` fail. A node that goes down for it starts again when there is
    room."""

    kind: ClassVar[str] = "full_disk"

    lasts_s: float = 10.0

    async def begin(self, world: World) -> None:
        for name in self.who:
            world.excuse(name)
            world.nodes[name].disk.before_write = _refuse

    async def end(self, world: World) -> None:
        for name in self.who:
            node = world.nodes[name]
            node.disk.before_write = None
            if node.node is None:
                world.start(name)


def _refuse(batch: Batch, durable: bool) -> None:
    raise DatabaseError("no space left on the disk")


@dataclass(frozen=True, kw_only=True)
class DamagedRows(Fault):
    """On the disks of ``who``, a byte changes in each of ``count`` rows of a table, by chance."""

    kind: ClassVar[str] = "damaged_rows"

    table: str = "availability.chunks"
    count: int = 1

    async def begin(self, world: World) -> None:
        random = world.streams.stream("fault", self.kind, *self.who, str(self.at))
        for name in self.who:
            world.excuse(name)
            disk = world.nodes[name].disk
            rows = [row for row in disk.scan(self.table) if row[1]]
            for _ in range(min(self.count, len(rows))):
                key, value = rows.pop(random.below(len(rows)))
                place = random.below(len(value))
                damaged = bytearray(value)
                damaged[place] ^= 1 + random.below(255)
                batch = Batch()
                batch.put(self.table, key, bytes(damaged))
                disk.write(batch, durable=True)


@dataclass(frozen=True, kw_only=True)
class WrongClock(Fault):
    """The clocks of ``who`` jump by ``seconds``, and back at the end if it lasts."""

    kind: ClassVar[str] = "wrong_clock"

    seconds: float = 1.0

    async def begin(self, world: World) -> None:
        for name in self.who:
            world.nodes[name].clock.jump(self.seconds)

    async def end(self, world: World) -> None:
        if self.lasts_s:
            for name in self.who:
                world.nodes[name].clock.jump(-self.seconds)
