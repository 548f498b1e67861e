"""What a fault is: trouble that comes to some nodes at some time, and ends."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

import trio

from parahost.simulation.journal import WORLD, Trace
from parahost.simulation.network import Switch
from parahost.simulation.nodes import SimulatedNode
from parahost.simulation.plan import NetworkPlan
from parahost.simulation.random import Streams
from parahost.simulation.record import ChainRecord, RecordedBlock


class World(Protocol):
    """A run, as faults see it."""

    plan: NetworkPlan
    nodes: Mapping[str, SimulatedNode]
    switch: Switch
    record: ChainRecord
    trace: Trace
    streams: Streams

    def excuse(self, node: str) -> None:
        """From now on it is no wonder when this node goes down."""
        ...

    def damage(self, node: str) -> None:
        """From now on anything may be on its disk, and it may go down for it."""
        ...

    def start(self, node: str) -> None:
        """Let a node that is down live again, unless another fault keeps it down."""
        ...


@dataclass(frozen=True, slots=True)
class Moment:
    """A point of time: so many seconds into the run, or when the first node has a block."""

    seconds: float | None = None
    block: int | None = None

    def __post_init__(self) -> None:
        if (self.seconds is None) == (self.block is None):
            raise ValueError("a moment is given in seconds or by a block, one of the two")
        if (self.seconds or 0) < 0 or (self.block or 0) < 0:
            raise ValueError("a moment does not lie before the beginning")

    async def come(self, record: ChainRecord) -> None:
        """Wait for it."""
        if self.seconds is not None:
            await trio.sleep_until(self.seconds)
            return
        wanted, come = self.block or 0, trio.Event()

        def listen(block: RecordedBlock) -> None:
            if block.number >= wanted:
                come.set()

        if record.best().number < wanted:
            record.on_block.append(listen)
            await come.wait()
            record.on_block.remove(listen)

    def __str__(self) -> str:
        return f"{self.seconds:g} s" if self.seconds is not None else f"block {self.block}"


def at(when: float | Moment) -> Moment:
    """A number of seconds as a moment."""
    return when if isinstance(when, Moment) else Moment(seconds=when)


def at_block(number: int) -> Moment:
    """When the first node has a block of that number."""
    return Moment(block=number)


@dataclass(frozen=True, kw_only=True)
class Fault(ABC):
    """Derive from it as a frozen dataclass whose fields say who and what; override :meth:`begin`,
    and :meth:`end` if the trouble lasts.

    ``who``: names of nodes. ``at``: when it begins. ``lasts_s``: until it ends by itself; 0 for
    what happens at once.
    """

    kind: ClassVar[str]
    """The fault's name in TOML, in the trace and in reports."""
    lasting: ClassVar[bool] = False
    """Whether it would be nothing if it lasted no time."""

    who: tuple[str, ...]
    at: Moment
    lasts_s: float = 0.0

    async def run(self, world: World) -> None:
        """From its moment to its end."""
        await self.at.come(world.record)
        world.trace.record(WORLD, f"fault.{self.kind}", {"who": " ".join(self.who)})
        await self.begin(world)
        if self.lasts_s:
            await trio.sleep(self.lasts_s)
            world.trace.record(WORLD, f"relief.{self.kind}", {"who": " ".join(self.who)})
        await self.end(world)

    def check(self, names: Sequence[str]) -> None:
        """:raises ValueError: when it cannot be, in a network of these nodes."""
        if not self.who:
            raise ValueError(f"{self.kind}: nobody is named in `who`")
        for name in self.who:
            if name not in names:
                raise ValueError(f"{self.kind}: there is no node {name}")
            if self.who.count(name) > 1:
                raise ValueError(f"{self.kind}: {name} is named twice")
        if self.lasts_s < 0:
            raise ValueError(f"{self.kind}: lasts {self.lasts_s:g} s, less than nothing")
        if self.lasting and not self.lasts_s:
            raise ValueError(f"{self.kind}: is over at once; say how long it `lasts_s`")

    def prepare(self, world: World) -> None:  # noqa: B027
        """Called before any node is started."""

    @abstractmethod
    async def begin(self, world: World) -> None: ...

    async def end(self, world: World) -> None:  # noqa: B027
        """By default it was over at once."""
