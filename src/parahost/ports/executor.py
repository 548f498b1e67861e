"""Where work is done that would hold the event loop for too long."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

T = TypeVar("T")


class Executor(Protocol):
    """Does work while the loop goes on: executing blocks, encoding PoVs.

    The work is a function of values that nobody changes meanwhile, so it matters neither when it
    is done nor on which thread. Whoever waits for it looks again at what may have changed.
    """

    async def run(self, work: Callable[[], T]) -> T:
        """What ``work`` returns or raises. Cancelled, it ends when the work does."""
        ...
