"""Trouble between nodes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from parahost.simulation.faults.fault import Fault, World
from parahost.simulation.network import LinkConditions, LinkQuality, Uniform


class Cut(Fault):
    """Ways on which nothing gets through; connections over them break when it takes long."""

    lasting: ClassVar[bool] = True

    @abstractmethod
    def ways(self, nodes: Iterable[str]) -> Iterator[tuple[str, str]]:
        """From whom to whom."""

    async def begin(self, world: World) -> None:
        for sender, receiver in self.ways(world.nodes):
            world.switch.conditions.cut(sender, receiver)

    async def end(self, world: World) -> None:
        for sender, receiver in self.ways(world.nodes):
            world.switch.conditions.mend(sender, receiver)
        world.switch.links_mended()


@dataclass(frozen=True, kw_only=True)
class Partition(Cut):
    """The nodes of ``who`` and all others do not hear each other; with ``one_way`` they are still
    heard, but hear nothing."""

    kind: ClassVar[str] = "partition"

    one_way: bool = False

    def check(self, names: Sequence[str]) -> None:
        super().check(names)
        if set(self.who) == set(names):
            raise ValueError(f"{self.kind}: nobody is on the other side")

    def ways(self, nodes: Iterable[str]) -> Iterator[tuple[str, str]]:
        for outside in nodes:
            if outside in self.who:
                continue
            for inside in self.who:
                yield outside, inside
                if not self.one_way:
                    yield inside, outside


@dataclass(frozen=True, kw_only=True)
class Stall(Cut):
    """Each node of ``who`` stands still, as others see it: what it sends and what is sent to it
    waits."""

    kind: ClassVar[str] = "stall"

    def ways(self, nodes: Iterable[str]) -> Iterator[tuple[str, str]]:
        for other in nodes:
            for stalled in self.who:
                if other != stalled:
                    yield stalled, other
                    if other not in self.who:
                        yield other, stalled


@dataclass(frozen=True, kw_only=True)
class BadLinks(Fault):
    """The ways from and to the nodes of ``who`` get worse. Each figure that is given replaces the
    network's: ``latency`` in seconds, ``bytes_per_s``, and the parts of messages that are lost,
    come twice, or may be overtaken."""

    kind: ClassVar[str] = "bad_links"
    lasting: ClassVar[bool] = True

    latency: tuple[float, float] | None = None
    """Uniform between these."""
    bytes_per_s: float | None = None
    loss: float | None = None
    duplication: float | None = None
    reordering: float | None = None

    def check(self, names: Sequence[str]) -> None:
        super().check(names)
        LinkQuality(**self._given())
        if not self._given():
            raise ValueError(f"{self.kind}: nothing gets worse; give a figure")

    async def begin(self, world: World) -> None:
        conditions = world.switch.conditions
        for sender, receiver in self._ways(world):
            conditions.worsen(sender, receiver, self._worse(conditions, sender, receiver))

    async def end(self, world: World) -> None:
        conditions = world.switch.conditions
        for sender, receiver in self._ways(world):
            conditions.recover(sender, receiver, self._worse(conditions, sender, receiver))

    def _worse(self, conditions: LinkConditions, sender: str, receiver: str) -> LinkQuality:
        return replace(conditions.by_itself(sender, receiver), **self._given())

    def _given(self) -> dict[str, Any]:
        """The figures that are given."""
        given: dict[str, Any] = {
            name: figure
            for name in ("bytes_per_s", "loss", "duplication", "reordering")
            if (figure := getattr(self, name)) is not None
        }
        if self.latency is not None:
            given["latency"] = Uniform(*self.latency)
        return given

    def _ways(self, world: World) -> Iterator[tuple[str, str]]:
        for one in self.who:
            for other in world.nodes:
                if other != one:
                    yield one, other
                    yield other, one
