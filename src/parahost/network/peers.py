"""Whom to dial, where, and when: bootnodes for ever, learned addresses while they answer.

Anybody may say anything about where a peer is. So each address has a :class:`Trust`, and what is
trusted less never takes the place of what is trusted more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from parahost.network.limits import NetworkLimits
from parahost.ports.clock import Clock
from parahost.ports.random import Random
from parahost.primitives.addresses import PeerAddress
from parahost.primitives.basic import PeerId

MAX_LEARNED = 1024
MAX_PER_TELLER = 64
"""Peers that are known only because one and the same peer told of them."""
MAX_ADDRESSES_PER_PEER = 4
MAX_FAILURES = 8
"""A learned peer that cannot be reached so often in a row is forgotten."""
LASTING_S = 10.0
"""A connection that lived so long was a success; a shorter one counts as a failed attempt."""
MOST_JITTER = 1.5
"""A pause takes half of its time to so much of it, so that nodes do not dial in step."""


class Trust(IntEnum):
    """How we know that a peer is at an address."""

    TOLD = 0
    """Another peer says so."""
    SAID = 1
    """The peer itself says so: in its hello, or in a record that it signed."""
    REACHED = 2
    """It was there when we dialled the address last."""
    CONFIGURED = 3
    """Our operator or the chain specification says so."""


@dataclass(slots=True)
class _Entry:
    addresses: dict[PeerAddress, Trust] = field(default_factory=dict)
    """At most :data:`MAX_ADDRESSES_PER_PEER` besides the configured ones."""
    teller: PeerId | None = None
    """Who told of the peer, as long as nobody better has."""
    failures: int = 0
    due_at: float = 0.0
    dialled: PeerAddress | None = None
    turns: list[PeerAddress] = field(default_factory=list)
    """The addresses that are still to be tried, before all are again."""

    @property
    def trust(self) -> Trust:
        return max(self.addresses.values(), default=Trust.TOLD)

    def by_trust(self) -> list[PeerAddress]:
        """The most trusted first; of equals, the newest."""
        newest_first = list(reversed(self.addresses))
        return sorted(newest_first, key=lambda address: -self.addresses[address])

    def put(self, address: PeerAddress, trust: Trust) -> None:
        """Add an address. When there are too many, the oldest of the least trusted goes; one that
        was told never takes another's place."""
        if trust <= self.addresses.get(address, -1):
            return
        self.addresses.pop(address, None)
        self.addresses[address] = trust
        learned = [each for each, how in self.addresses.items() if how < Trust.CONFIGURED]
        if len(learned) > MAX_ADDRESSES_PER_PEER:
            del self.addresses[
                address
                if trust is Trust.TOLD
                else min(learned, key=lambda each: self.addresses[each])
            ]

    def take_turn(self) -> PeerAddress:
        self.turns = [each for each in self.turns if each in self.addresses] or self.by_trust()
        return self.turns.pop(0)

    def failed_at(self, address: PeerAddress) -> None:
        """Nobody, or somebody else, was there: what was said by others is dropped for it, unless it
        is all that we have."""
        trust = self.addresses.get(address, Trust.CONFIGURED)
        if trust is Trust.REACHED:
            self.addresses[address] = Trust.SAID
        elif trust is Trust.TOLD and len(self.addresses) > 1:
            del self.addresses[address]


class PeerBook:
    """The peers whose addresses are known, but this node."""

    def __init__(self, local: PeerId, clock: Clock, random: Random, limits: NetworkLimits) -> None:
        self._local = local
        self._clock = clock
        self._random = random
        self._limits = limits
        self._entries: dict[PeerId, _Entry] = {}
        self._told_by: Counter[PeerId] = Counter()
        self._priority: dict[PeerId, int] = {}
        self._reserved: dict[PeerId, set[PeerAddress]] = {}
        """With the addresses that are trusted for this reason alone."""

    @property
    def reserved(self) -> Sequence[PeerId]:
        return tuple(self._reserved)

    def add_permanent(self, address: PeerAddress) -> None:
        """Add a bootnode: it is dialled until this node stops."""
        self._learn(address, Trust.CONFIGURED, None)

    def reserve(self, address: PeerAddress) -> None:
        """Add a reserved node: it is dialled until it is released."""
        peer = address.peer
        if peer is None or peer == self._local:
            return
        entry = self._entries.get(peer)
        addresses = self._reserved.setdefault(peer, set())
        if entry is None or entry.addresses.get(address) is not Trust.CONFIGURED:
            addresses.add(address)
        self.add_permanent(address)

    def release(self, peer: PeerId) -> None:
        """A reserved node becomes one as any other, unless it is a bootnode too."""
        entry = self._entries.get(peer)
        for address in self._reserved.pop(peer, ()):
            assert entry is not None, "who is reserved is not forgotten"
            entry.addresses[address] = Trust.SAID

    def learn(self, addresses: Iterable[PeerAddress], teller: PeerId | None = None) -> None:
        """Add what was heard. It is a hint: whoever is reached proves who it is.

        :param teller: the peer that told us; none when a record told that the peers themselves
            signed.
        """
        for address in addresses:
            if address.can_be_dialled:
                itself = teller is None or teller == address.peer
                self._learn(address, Trust.SAID if itself else Trust.TOLD, teller)

    def prioritise(self, peers: Sequence[PeerId]) -> None:
        """From now on these, and no others, go before the rest, the first of them first."""
        self._priority = {peer: rank for rank, peer in enumerate(peers)}

    def is_protected(self, peer: PeerId) -> bool:
        return peer in self._priority or self.is_permanent(peer)

    def is_permanent(self, peer: PeerId) -> bool:
        entry = self._entries.get(peer)
        return entry is not None and entry.trust is Trust.CONFIGURED

    def due(self, connected: Collection[PeerId]) -> list[PeerId]:
        """The peers to dial now: first those with priority by their rank, then the permanent,
        then the rest in the order they were learned."""
        now = self._clock.now()
        latest = now + MOST_JITTER * self._limits.redial_max_s  # later is before a clock's set-back
        due = [
            peer
            for peer, entry in self._entries.items()
            if peer not in connected and entry.dialled is None and not now < entry.due_at <= latest
        ]
        last = len(self._priority)
        return sorted(
            due, key=lambda peer: (not self.is_protected(peer), self._priority.get(peer, last))
        )

    def begin(self, peer: PeerId) -> PeerAddress:
        """Mark a peer as being dialled, and say where; its addresses take turns, the most trusted
        first."""
        entry = self._entries[peer]
        entry.dialled = address = entry.take_turn()
        return address

    def reached(self, peer: PeerId) -> None:
        """The peer that is being dialled proved to be there."""
        entry = self._entries.get(peer)
        if entry is not None and entry.dialled is not None:
            entry.put(entry.dialled, Trust.REACHED)
            entry.turns.clear()
            self._settle(entry)

    def ended(self, peer: PeerId, lasted_s: float) -> None:
        """An attempt failed (it lasted 0 s) or a connection ended: plan the next attempt."""
        entry = self._entries.get(peer)
        if entry is None:
            return
        dialled, entry.dialled = entry.dialled, None
        if dialled is not None and lasted_s == 0:
            entry.failed_at(dialled)
        entry.failures = 0 if lasted_s >= LASTING_S else entry.failures + 1
        if entry.failures > MAX_FAILURES and not self.is_protected(peer):
            self._forget(peer)
            return
        delay = self._limits.redial_min_s * 2.0 ** min(entry.failures, 16)
        delay = min(delay, self._limits.redial_max_s)
        jitter = MOST_JITTER - 1 + self._random.below(1024) / 1024
        entry.due_at = self._clock.now() + delay * jitter

    def retry(self, peer: PeerId) -> None:
        """Dial the peer as if it had never failed."""
        entry = self._entries.get(peer)
        if entry is not None:
            entry.failures, entry.due_at = 0, self._clock.now()

    def addresses_of(self, peers: Iterable[PeerId]) -> list[PeerAddress]:
        """Where these peers listen, as far as we know it from more than hearsay."""
        return [
            address
            for peer in peers
            if (entry := self._entries.get(peer)) is not None
            for address in entry.by_trust()
            if entry.addresses[address] > Trust.TOLD
        ]

    def _learn(self, address: PeerAddress, trust: Trust, teller: PeerId | None) -> None:
        peer = address.peer
        if peer is None or peer == self._local:
            return
        entry = self._entries.get(peer)
        if entry is None:
            if not self._has_room(trust, teller):
                return
            entry = self._entries[peer] = _Entry()
            if trust is Trust.TOLD and teller is not None:
                entry.teller = teller
                self._told_by[teller] += 1
        entry.put(address, trust)
        if trust > Trust.TOLD:
            self._settle(entry)

    def _has_room(self, trust: Trust, teller: PeerId | None) -> bool:
        """Whether one more peer may be known; the oldest of those that are trusted least leaves
        for it, if they are trusted no more."""
        if trust is Trust.TOLD and teller is not None and self._told_by[teller] >= MAX_PER_TELLER:
            return False
        if len(self._entries) < MAX_LEARNED or trust is Trust.CONFIGURED:
            return True
        others = [
            peer
            for peer, entry in self._entries.items()
            if entry.dialled is None and not self.is_protected(peer)
        ]
        worst = min(others, key=lambda peer: self._entries[peer].trust, default=None)
        if worst is None or self._entries[worst].trust > trust:
            return False
        self._forget(worst)
        return True

    def _settle(self, entry: _Entry) -> None:
        """Somebody better than its teller has confirmed a peer."""
        if entry.teller is not None:
            self._told_by[entry.teller] -= 1
            self._told_by += Counter()  # those that are at zero leave
            entry.teller = None

    def _forget(self, peer: PeerId) -> None:
        self._settle(self._entries.pop(peer))
