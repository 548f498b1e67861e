"""The executor of a real node: threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import trio

T = TypeVar("T")

WORKERS = 2
"""Threads that work at a time. They share the interpreter's lock with the loop, which gets it back
within some 5 ms; the more there are, the longer it waits."""


class ThreadExecutor:
    """Work in threads of trio's."""

    def __init__(self) -> None:
        self._limiter = trio.CapacityLimiter(WORKERS)

    async def run(self, work: Callable[[], T]) -> T:
        return await trio.to_thread.run_sync(work, limiter=self._limiter)
