"""Trouble with machines: disks and clocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from parahost.ports import DatabaseError
from parahost.simulation.faults.fault import Fault, World

TABLES = (
    "availability.blocks",
    "availability.chunks",
    "availability.data",
    "availability.due",
    "availability.meta",
    "availability.records",
    "base",
    "bodies",
    "canonical",
    "deltas",
    "epochs",
    "grandpa",
    "headers",
    "justifications",
    "meta",
    "misbehavior",
    "open",
    "parachain",
    "signed",
)
"""All that nodes keep on disk."""


@dataclass(frozen=True, kw_only=True)
class FullDisk(Fault):
    """Writes of the nodes of ``who`` fail. A node that goes down for it starts again when there is
    room."""

    kind: ClassVar[str] = "full_disk"
    lasting: ClassVar[bool] = True

    lasts_s: float = 10.0

    async def begin(self, world: World) -> None:
        for name in self.who:
            world.excuse(name)
            world.nodes[name].on_write.append(_refuse)

    async def end(self, world: World) -> None:
        for name in self.who:
            world.nodes[name].on_write.remove(_refuse)
            world.start(name)


def _refuse() -> None:
    raise DatabaseError("no space left on the disk")


@dataclass(frozen=True, kw_only=True)
class DamagedRows(Fault):
    """On the disks of ``who``, a byte changes in each of ``count`` rows of a table, by chance."""

    kind: ClassVar[str] = "damaged_rows"

    table: str = "availability.chunks"
    count: int = 1

    def check(self, names: Sequence[str]) -> None:
        super().check(names)
        if self.table not in TABLES:
            raise ValueError(f"{self.kind}: there is no table {self.table}: {', '.join(TABLES)}")
        if self.count < 1:
            raise ValueError(f"{self.kind}: count is at least 1")

    async def begin(self, world: World) -> None:
        random = world.streams.stream("fault", self.kind, *self.who, str(self.at))
        for name in self.who:
            world.damage(name)
            disk = world.nodes[name].disk
            rows = [row for row in disk.scan(self.table) if row[1]]
            for _ in range(min(self.count, len(rows))):
                key, value = rows.pop(random.below(len(rows)))
                place = random.below(len(value))
                damaged = bytearray(value)
                damaged[place] ^= 1 + random.below(255)
                disk.damage(self.table, key, bytes(damaged))


@dataclass(frozen=True, kw_only=True)
class WrongClock(Fault):
    """The clocks of ``who`` jump by ``seconds``, and back at the end if it lasts."""

    kind: ClassVar[str] = "wrong_clock"

    seconds: float = 1.0

    def check(self, names: Sequence[str]) -> None:
        super().check(names)
        if not self.seconds:
            raise ValueError(f"{self.kind}: jumps by nothing")

    async def begin(self, world: World) -> None:
        for name in self.who:
            world.nodes[name].clock.jump(self.seconds)

    async def end(self, world: World) -> None:
        if self.lasts_s:
            for name in self.who:
                world.nodes[name].clock.jump(-self.seconds)
