"""Time, as the node sees it."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """A node's clock. In a simulation it is virtual, and may be skewed or jump."""

    def now(self) -> float:
        """Seconds since the Unix epoch, by this node's own clock."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait that long; a wait of no or negative length is a checkpoint."""
        ...
