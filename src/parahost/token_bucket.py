"""How much of something there may be: so much at once, and so much a second."""

from __future__ import annotations

from parahost.ports.clock import Clock


class TokenBucket:
    """Lets ``rate`` tokens per second through, and ``burst`` at once after a rest."""

    def __init__(self, clock: Clock, rate: float, burst: float, *, filled: float = 1.0) -> None:
        """:param filled: how much of a burst is there at first, from 0 to 1."""
        self._clock = clock
        self._rate = rate
        self._burst = burst
        self._tokens = burst * filled
        self._at = clock.now()

    @property
    def left(self) -> float:
        """The tokens that there are; below 0 when more were taken."""
        now = self._clock.now()
        passed = max(0.0, now - self._at)  # a clock may be set back
        self._at = now
        self._tokens = min(self._burst, self._tokens + passed * self._rate)
        return self._tokens

    def take(self, count: float) -> float:
        """Take tokens, on credit if need be. Returns the seconds until the debt is paid."""
        self._tokens = self.left - count
        return max(0.0, -self._tokens / self._rate)

    def take_up_to(self, count: float, *, least: float = 0.0) -> float:
        """Take so many tokens as there are, or none when they are fewer than ``least``."""
        taken = min(count, max(self.left, 0.0))
        if taken < least:
            return 0.0
        self._tokens -= taken
        return taken
