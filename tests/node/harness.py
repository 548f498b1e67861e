"""What tests of subsystems share: a node's small ports, and an overseer around a few subsystems."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import trio

from parahost.node.leaf import ActiveLeaf
from parahost.node.overseer import Interceptor, Overseer, Subsystem
from parahost.ports import Executor
from parahost.primitives.basic import U32, ZERO_HASH, BlockNumber, Hash
from parahost.primitives.header import Header
from parahost.runtime.storage import State
from parahost.simulation.executor import InlineExecutor


class TrioClock:
    """Trio's time as the node's; virtual under a mock clock."""

    def now(self) -> float:
        return trio.current_time()

    async def sleep(self, seconds: float) -> None:
        await trio.sleep(max(seconds, 0))


class SeededRandom:
    """A stream of randomness that a seed fixes."""

    def __init__(self, seed: int = 0) -> None:
        self._stream = random.Random(seed)

    def bytes(self, count: int) -> bytes:
        return self._stream.randbytes(count)

    def below(self, bound: int) -> int:
        return self._stream.randrange(bound)


class ListJournal:
    """Keeps what was recorded."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, object]]] = []

    def record(self, event: str, **fields: object) -> None:
        self.events.append((event, fields))

    def names(self) -> list[str]:
        return [name for name, _ in self.events]


def make_overseer(
    subsystems: Sequence[Subsystem],
    *,
    capacity: int = 1024,
    interceptors: Sequence[Interceptor] = (),
    seed: int | None = None,
    executor: Executor | None = None,
) -> Overseer:
    """An overseer on test ports; ``seed`` shuffles the order in which subsystems are served."""
    chance = random.Random(seed)

    def shuffled(waiting: int) -> int:
        return chance.randrange(waiting)

    return Overseer(
        subsystems,
        clock=TrioClock(),
        random=SeededRandom(),
        journal=ListJournal(),
        executor=executor or InlineExecutor(),
        capacity=capacity,
        interceptors=interceptors,
        pick=None if seed is None else shuffled,
    )


@dataclass(frozen=True, eq=False)
class ScriptedLeaf(ActiveLeaf):
    """A leaf without a state: what the functions of the Runtime API would give, a test says."""

    answers: Mapping[Callable[..., Any], Callable[..., Any]] = field(default_factory=dict)

    def read(self, function: Callable[..., Any], *args: Any) -> Any:
        return self.answers[function](*args)


def scripted_leaf(
    block: Hash | None = None,
    number: int = 1,
    parent: Hash = ZERO_HASH,
    *,
    answers: Mapping[Callable[..., Any], Callable[..., Any]] | None = None,
) -> ScriptedLeaf:
    """A leaf of that hash, or that of its header."""
    header = Header(parent, BlockNumber(U32(number)), ZERO_HASH, ZERO_HASH)
    nothing = State.from_raw({})
    return ScriptedLeaf(nothing, block or header.hash(), header, answers=answers or {})


@asynccontextmanager
async def running(
    overseer: Overseer, initial: Sequence[ActiveLeaf] = ()
) -> AsyncIterator[Overseer]:
    """The overseer, started; cancelled at the end."""
    async with trio.open_nursery() as nursery:
        await nursery.start(overseer.run, initial)
        yield overseer
        nursery.cancel_scope.cancel()
