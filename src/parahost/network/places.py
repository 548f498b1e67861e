"""Who gets a place at this node (D18): room for those who belong, and for strangers a share.

Peers that are *protected* have a place whenever they come: bootnodes, reserved peers, the
validators of this and the next session. For the others each role has its share, so that those who
claim one role keep out nobody of another. Within a share, who is from where few are displaces who
is from where many are; and who has earned nothing for a while makes room for who comes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from parahost.network.limits import NetworkLimits
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
