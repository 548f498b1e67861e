"""Bounds on what peers may make us hold, do and wait for."""

from __future__ import annotations

from dataclasses import dataclass, field

from parahost.ports.clock import Clock
from parahost.ports.network import REPUTATION_FLOOR


@dataclass(frozen=True, slots=True)
class YamuxLimits:
    """Bounds of one connection."""

    max_incoming_streams: int = 128
    ping_interval_s: float = 2.0
    max_silent_pings: int = 5
    """So many intervals without a byte from the peer, and it is gone."""
    write_stall_s: float = 15.0
    """A peer that does not read for so long is gone."""


@dataclass(frozen=True, slots=True)
class NetworkLimits:
    """The defaults suit a validator of a small chain. Units are last in the names."""

    max_peers: int = 64
    max_pending_connections: int = 64
    """Connections that have not finished their handshake; a newer one displaces the oldest."""
    dial_timeout_s: float = 5.0
    handshake_timeout_s: float = 10.0
    redial_min_s: float = 0.5
    redial_max_s: float = 15.0
    peer_exchange_interval_s: float = 30.0
    queue_bytes: int = 32 * 1024 * 1024
    """Notifications that wait for one peer; more disconnects it."""
    queue_messages: int = 8192
    max_requests_in: int = 32
    """Requests of one peer that are answered at a time; more are refused."""
    max_requests_out: int = 32
    """Requests to one peer that are under way at a time; more wait, within their timeout."""
    messages_per_s: float = 2000.0
    messages_burst: float = 10_000.0
    bytes_per_s: float = 32.0 * 1024 * 1024
    bytes_burst: float = 128.0 * 1024 * 1024
    reputation_floor: int = REPUTATION_FLOOR
    reputation_half_life_s: float = 60.0
    ban_s: float = 60.0
    yamux: YamuxLimits = field(default_factory=YamuxLimits)


class TokenBucket:
    """Lets ``rate`` tokens per second through, and ``burst`` at once after a rest."""

    def __init__(self, clock: Clock, rate: float, burst: float) -> None:
        self._clock = clock
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._at = clock.now()

    def take(self, count: float) -> float:
        """Take tokens, on credit if need be. Returns the seconds until the debt is paid."""
        now = self._clock.now()
        passed = max(0.0, now - self._at)  # a clock may be set back
        self._at = now
        self._tokens = min(self._burst, self._tokens + passed * self._rate) - count
        return max(0.0, -self._tokens / self._rate)
