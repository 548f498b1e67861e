"""Whom to dial, where, and when: bootnodes for ever, learned addresses while they answer."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from parahost.network.addresses import PeerAddress
from parahost.network.limits import NetworkLimits
from parahost.ports.clock import Clock
from parahost.ports.random import Random
from parahost.primitives.basic import PeerId

MAX_LEARNED = 1024
MAX_ADDRESSES_PER_PEER = 4
MAX_FAILURES = 8
"""A learned peer that cannot be reached so often in a row is forgotten."""
LASTING_S = 10.0
"""A connection that lived so long was a success; a shorter one counts as a failed attempt."""


@dataclass(slots=True)
class _Entry:
    addresses: list[PeerAddress] = field(default_factory=list)
    permanent: bool = False
    failures: int = 0
    due_at: float = 0.0
    dialling: bool = False


class PeerBook:
    """The peers whose addresses are known, but this node."""

    def __init__(self, local: PeerId, clock: Clock, random: Random, limits: NetworkLimits) -> None:
        self._local = local
        self._clock = clock
        self._random = random
        self._limits = limits
        self._entries: dict[PeerId, _Entry] = {}
        self._priority: dict[PeerId, int] = {}

    def add_permanent(self, address: PeerAddress) -> None:
        """Add a bootnode or reserved node: it is dialled until this node stops."""
        entry = self._put(address)
        if entry is not None:
            entry.permanent = True

    def learn(self, addresses: Iterable[PeerAddress]) -> None:
        """Add what peers told. It is a hint: whoever is reached proves who it is."""
        for address in addresses:
            known = address.peer in self._entries
            if address.can_be_dialled and (known or len(self._entries) < MAX_LEARNED):
                self._put(address)

    def prioritise(self, peers: Sequence[PeerId]) -> None:
        """From now on these, and no others, go before the rest, the first of them first."""
        self._priority = {peer: rank for rank, peer in enumerate(peers)}

    def is_protected(self, peer: PeerId) -> bool:
        entry = self._entries.get(peer)
        return peer in self._priority or (entry is not None and entry.permanent)

    def due(self, connected: Collection[PeerId]) -> list[PeerId]:
        """The peers to dial now: first those with priority by their rank, then the permanent,
        then the rest in the order they were learned."""
        now = self._clock.now()
        due = [
            peer
            for peer, entry in self._entries.items()
            if peer not in connected and not entry.dialling and entry.due_at <= now
        ]
        last = len(self._priority)
        return sorted(
            due, key=lambda peer: (not self.is_protected(peer), self._priority.get(peer, last))
        )

    def begin(self, peer: PeerId) -> PeerAddress:
        """Mark a peer as being dialled, and say where; its addresses take turns."""
        entry = self._entries[peer]
        entry.dialling = True
        return entry.addresses[entry.failures % len(entry.addresses)]

    def ended(self, peer: PeerId, lasted_s: float) -> None:
        """An attempt failed (it lasted 0 s) or a connection ended: plan the next attempt."""
        entry = self._entries.get(peer)
        if entry is None:
            return
        entry.dialling = False
        entry.failures = 0 if lasted_s >= LASTING_S else entry.failures + 1
        if entry.failures > MAX_FAILURES and not self.is_protected(peer):
            del self._entries[peer]
            return
        delay = self._limits.redial_min_s * 2.0 ** min(entry.failures, 16)
        delay = min(delay, self._limits.redial_max_s)
        jitter = 0.5 + self._random.below(1024) / 1024
        entry.due_at = self._clock.now() + delay * jitter

    def addresses_of(self, peers: Iterable[PeerId]) -> list[PeerAddress]:
        """Where these peers listen, as far as it is known."""
        return [
            address
            for peer in peers
            if (entry := self._entries.get(peer)) is not None
            for address in entry.addresses
        ]

    def _put(self, address: PeerAddress) -> _Entry | None:
        if address.peer is None or address.peer == self._local:
            return None
        entry = self._entries.setdefault(address.peer, _Entry())
        if address not in entry.addresses:
            entry.addresses.insert(0, address)
            del entry.addresses[MAX_ADDRESSES_PER_PEER:]
        return entry
