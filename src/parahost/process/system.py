"""The machine's clock and randomness."""

from __future__ import annotations

import os
import secrets
import time

import trio


class SystemClock:
    """The machine's clock."""

    def now(self) -> float:
        return time.time()

    async def sleep(self, seconds: float) -> None:
        await trio.sleep(max(seconds, 0.0))


class SkewedClock(SystemClock):
    """The machine's clock, wrong by ``skew_s`` seconds: for development."""

    def __init__(self) -> None:
        self.skew_s = 0.0

    def now(self) -> float:
        return super().now() + self.skew_s


class SystemRandom:
    """The operating system's randomness."""

    def bytes(self, count: int) -> bytes:
        return os.urandom(count)

    def below(self, bound: int) -> int:
        return secrets.randbelow(bound)
