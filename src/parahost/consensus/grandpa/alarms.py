"""Waking when the next thing is due, or before."""

from __future__ import annotations

import trio

from parahost.ports import Clock


class Alarms:
    """What one task waits for: a moment, or that somebody rings. Alarms are not called off; one
    that rings in vain does no harm."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._set: list[float] = []
        self._event = trio.Event()

    def ring(self) -> None:
        self._event.set()

    async def rung(self) -> None:
        """Wait until it rings, or go on at once if it has since we waited last."""
        await self._event.wait()
        self._event = trio.Event()

    def set(self, nursery: trio.Nursery, at: float) -> None:
        """Ring at that moment at the latest, in seconds by the clock."""
        if not self._set or at < min(self._set):
            self._set.append(at)
            nursery.start_soon(self._ring_at, at)

    async def _ring_at(self, at: float) -> None:
        await self._clock.sleep(max(at - self._clock.now(), 0.0))
        self._set.remove(at)
        self.ring()
