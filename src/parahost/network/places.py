"""Who gets a place at this node (D18): room for those who belong, and for strangers a share.

Peers that are *protected* have a place whenever they come: bootnodes, reserved peers, the
validators of this and the next session. For the others each role has its share, so that those who
claim one role keep out nobody of another. Within a share, who is from where few are displaces who
is from where many are; and who has earned nothing for a while makes room for who comes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from parahost.network.limits import NetworkLimits
from parahost.network.peers import PeerBook
from parahost.network.reputation import ReputationBook
from parahost.ports.clock import Clock
from parahost.ports.network import ObservedRole
from parahost.primitives.addresses import is_loopback
from parahost.primitives.basic import PeerId

EARNED = 1.0
"""A peer of this reputation has been of use, and is not displaced for having earned nothing."""


@dataclass(frozen=True, slots=True)
class Place:
    """What a peer that is not protected has, or asks for."""

    role: ObservedRole
    """What it says that it is."""
    network: str
    """Where it is: see :func:`parahost.primitives.addresses.network_of`."""
    since: float
    """In seconds by our clock."""
    reputation: float = 0.0


class NoPlace(Exception):
    """All places that the peer could have are taken by others with the same right."""


class Places:
    """The places of a node's peers.

    :param is_live: whether a peer's session goes on. The place of one whose session ends is free.
    """

    def __init__(
        self,
        clock: Clock,
        limits: NetworkLimits,
        book: PeerBook,
        reputation: ReputationBook,
        is_live: Callable[[PeerId], bool],
    ) -> None:
        self._clock = clock
        self._limits = limits
        self._book = book
        self._reputation = reputation
        self._is_live = is_live
        self._places: dict[PeerId, Place] = {}

    def is_wanted(self, peer: PeerId) -> bool:
        """Whether it is worth dialling: we do not know yet what it is."""
        taken = Counter(place.role for place in self._taken().values())
        free = any(taken[role] < share_of(role, self._limits) for role in ObservedRole)
        return free or self._book.is_protected(peer)

    def who_leaves_for(self, peer: PeerId, role: ObservedRole, network: str) -> PeerId | None:
        """:raises NoPlace: when nobody does, and all places are taken."""
        if self._book.is_protected(peer):
            return None
        newcomer = Place(role, network, self._clock.now())
        return room_for(newcomer, self._taken(peer), self._limits)

    def take(self, peer: PeerId, role: ObservedRole, network: str) -> PeerId | None:
        """Give a peer its place; gives who leaves for it.

        :raises NoPlace: when nobody does, and all places are taken.
        """
        leaves = self.who_leaves_for(peer, role, network)
        self._places[peer] = Place(role, network, self._clock.now())
        return leaves

    def give_up(self, peer: PeerId) -> None:
        """Its session is over."""
        del self._places[peer]

    def _taken(self, but: PeerId | None = None) -> dict[PeerId, Place]:
        """The places of peers that are not protected."""
        return {
            peer: replace(place, reputation=self._reputation.of(peer))
            for peer, place in self._places.items()
            if peer != but and self._is_live(peer) and not self._book.is_protected(peer)
        }


def share_of(role: ObservedRole, limits: NetworkLimits) -> int:
    """How many peers of a role have places without being protected."""
    return {
        ObservedRole.FULL: limits.max_full_nodes,
        ObservedRole.AUTHORITY: limits.max_unproven_validators,
        ObservedRole.COLLATOR: limits.max_collators,
    }[role]


def room_for(
    newcomer: Place, taken: Mapping[PeerId, Place], limits: NetworkLimits
) -> PeerId | None:
    """Who leaves for a newcomer that is not protected: mostly nobody.

    :param taken: the places of those who are not protected.
    :raises NoPlace: when there is no room.
    """
    from_there = sum(place.network == newcomer.network for place in taken.values())
    if from_there >= limits.max_per_network and not is_loopback(newcomer.network):
        raise NoPlace
    share = {peer: place for peer, place in taken.items() if place.role is newcomer.role}
    if len(share) < share_of(newcomer.role, limits):
        return None
    if leaves := _of_a_crowd(newcomer, share) or _idle(newcomer, share, limits):
        return leaves
    raise NoPlace


def _of_a_crowd(newcomer: Place, share: Mapping[PeerId, Place]) -> PeerId | None:
    """The least reputed of the network with most places, if the newcomer's has fewer also after
    it has come."""
    networks = Counter(place.network for place in share.values())
    crowded, count = max(networks.items(), key=lambda each: each[1], default=("", 0))
    if count < networks[newcomer.network] + 2:
        return None
    crowd = [peer for peer, place in share.items() if place.network == crowded]
    return min(crowd, key=lambda peer: share[peer].reputation)


def _idle(newcomer: Place, share: Mapping[PeerId, Place], limits: NetworkLimits) -> PeerId | None:
    """Who has earned nothing for the longest time, if that is long enough."""
    idle = [
        peer
        for peer, place in share.items()
        if place.reputation < EARNED and newcomer.since - place.since >= limits.place_grace_s
    ]
    return min(idle, key=lambda peer: share[peer].since, default=None)
