"""What the peers of one address may do, together: identities cost nothing.

What a connection may do at once after a rest would be had again with each new identity. So each
address has budgets: of handshakes, and of bursts. Once they are spent, a handshake is not begun,
and a session begins with a small burst. Loopback is this machine, where devnets live, and has none.
"""

from __future__ import annotations

from dataclasses import dataclass

from parahost.network.limits import NetworkLimits
from parahost.ports.clock import Clock
from parahost.primitives.addresses import is_loopback
from parahost.token_bucket import TokenBucket

MAX_NETWORKS = 1024
"""Addresses that are remembered, those that came last."""
LEAST_BURST = 0.1
"""Of a full burst: an honest peer needs so much to begin with."""


@dataclass(frozen=True, slots=True)
class _Budget:
    handshakes: TokenBucket
    bursts: TokenBucket


class Budgets:
    """Of one node's peers, by network: see :func:`parahost.primitives.addresses.network_of`."""

    def __init__(self, clock: Clock, limits: NetworkLimits) -> None:
        self._clock = clock
        self._limits = limits
        self._budgets: dict[str, _Budget] = {}

    def take_handshake(self, network: str) -> bool:
        """Whether somebody from there may begin one now."""
        if is_loopback(network):
            return True
        return self._of(network).handshakes.take_up_to(1, least=1) == 1

    def take_burst(self, network: str) -> float:
        """With how much of a full burst a session with a peer from there begins."""
        if is_loopback(network):
            return 1.0
        return max(LEAST_BURST, self._of(network).bursts.take_up_to(1))

    def _of(self, network: str) -> _Budget:
        limits = self._limits
        budget = self._budgets.pop(network, None) or _Budget(
            TokenBucket(self._clock, limits.handshakes_per_s, limits.handshakes_burst),
            TokenBucket(self._clock, limits.bursts_per_s, limits.max_per_network),
        )
        self._budgets[network] = budget
        if len(self._budgets) > MAX_NETWORKS:
            del self._budgets[next(iter(self._budgets))]
        return budget
