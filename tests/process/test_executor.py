"""The executors: what work gives its caller is the same on threads and inline."""

from __future__ import annotations

import threading

import pytest
import trio

from parahost.ports import Executor
from parahost.process.executor import WORKERS, ThreadExecutor
from parahost.simulation.executor import InlineExecutor

BOTH = pytest.mark.parametrize(
    "executor", [ThreadExecutor(), InlineExecutor()], ids=["threads", "inline"]
)


@BOTH
async def test_what_work_returns_and_raises(executor: Executor) -> None:
    assert await executor.run(lambda: 6 * 7) == 42
    with pytest.raises(ZeroDivisionError):
        await executor.run(lambda: 1 // 0)


async def test_the_loop_goes_on_meanwhile() -> None:
    """The work waits for what only the loop can bring about."""
    executor, told = ThreadExecutor(), threading.Event()

    async def tell() -> None:
        told.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(tell)
        assert await executor.run(lambda: told.wait(10))


async def test_no_more_work_at_a_time_than_there_are_workers() -> None:
    executor, at_once, most = ThreadExecutor(), 0, 0
    counting = threading.Lock()

    def work() -> None:
        nonlocal at_once, most
        with counting:
            at_once += 1
            most = max(most, at_once)
        threading.Event().wait(0.02)
        with counting:
            at_once -= 1

    async with trio.open_nursery() as nursery:
        for _ in range(3 * WORKERS):
            nursery.start_soon(executor.run, work)
    assert most == WORKERS


async def test_inline_nobody_else_has_a_turn() -> None:
    turns: list[str] = []

    async def other() -> None:
        turns.append("other")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(other)
        await InlineExecutor().run(lambda: turns.append("work"))
        assert turns == ["work"]
    assert turns == ["work", "other"]
