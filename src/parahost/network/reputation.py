"""What peers have earned (A108, D18): a number per peer that decays towards zero."""

from __future__ import annotations

from dataclasses import dataclass

from parahost.network.limits import NetworkLimits
from parahost.ports.clock import Clock
from parahost.primitives.basic import PeerId

VIOLATION = -600
"""The peer broke a protocol: the second time within a minute is a ban."""
OVER_RATE = -100
"""The peer sent more than its rate; counted at most once per second."""
SLOW_READER = -300
"""The peer does not read what it asked for."""
MAX_REPUTATION = 1000
MAX_REMEMBERED_PEERS = 4096


@dataclass(slots=True)
class _Record:
    value: float
    at: float
    banned_until: float = 0.0


class ReputationBook:
    """Peers below the floor are banned for a time, and come back with half the floor."""

    def __init__(self, clock: Clock, limits: NetworkLimits) -> None:
        self._clock = clock
        self._limits = limits
        self._records: dict[PeerId, _Record] = {}

    def change(self, peer: PeerId, change: int) -> bool:
        """Add to a peer's reputation. Returns whether that banned it."""
        now = self._clock.now()
        record = self._records.pop(peer, None) or _Record(0.0, now)
        self._records[peer] = record
        record.value = min(self._decayed(record, now) + change, float(MAX_REPUTATION))
        record.at = now
        self._forget_oldest(now)
        if record.value >= self._limits.reputation_floor:
            return False
        record.value = self._limits.reputation_floor / 2
        record.banned_until = now + self._limits.ban_s
        return True

    def of(self, peer: PeerId) -> float:
        record = self._records.get(peer)
        return 0.0 if record is None else self._decayed(record, self._clock.now())

    def is_banned(self, peer: PeerId) -> bool:
        """Whether its ban lasts. One that would last longer than a ban does is from before this
        clock was set back, and is over."""
        record = self._records.get(peer)
        left = 0.0 if record is None else record.banned_until - self._clock.now()
        return 0.0 < left <= self._limits.ban_s

    def _decayed(self, record: _Record, now: float) -> float:
        passed = max(0.0, now - record.at)
        return float(record.value * 0.5 ** (passed / self._limits.reputation_half_life_s))

    def _forget_oldest(self, now: float) -> None:
        while len(self._records) > MAX_REMEMBERED_PEERS:
            oldest = next(
                (peer for peer, record in self._records.items() if record.banned_until <= now),
                next(iter(self._records)),
            )
            del self._records[oldest]
