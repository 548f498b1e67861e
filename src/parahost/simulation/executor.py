"""The executor of a simulated node: what is to be done is done at once, in no time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class InlineExecutor:
    """Work on the caller's own turn, so that runs do not depend on threads."""

    async def run(self, work: Callable[[], T]) -> T:
        return work()
