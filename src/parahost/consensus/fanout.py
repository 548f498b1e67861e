"""To how many peers a gossip message of somebody else is passed on.

Whoever makes a message tells all of its peers. Passing it on serves those that it is not connected
to, makes up for loss, and brings to light who says different things to different peers. Where
every validator is connected to every other, the first reason is gone, and for the others a part of
the receivers is enough: of n, about the square root of n pass a message on, each to one peer. So
a message costs n + sqrt(n) copies, not a multiple of n.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import isqrt
from typing import TypeVar

from parahost.ports import Random
from parahost.primitives.basic import PeerId

T = TypeVar("T")

RELAY_FANOUT = 4
"""In a network in which not everybody is connected to everybody."""


def is_full_mesh(authorities_connected: int, authorities: int) -> bool:
    """:param authorities_connected: how many peers are authorities by records that were verified.
    :param authorities: how many there are, ourselves perhaps among them.
    """
    return authorities_connected >= authorities - 1


def relay_fanout(random: Random, authorities_connected: int, authorities: int) -> int:
    """To how many peers to pass on a message that is news; see :func:`is_full_mesh`."""
    if not is_full_mesh(authorities_connected, authorities):
        return RELAY_FANOUT
    return int(random.below(max(isqrt(authorities), 1)) == 0)


def sample(random: Random, items: Iterable[T], count: int) -> Sequence[T]:
    """At most ``count`` of the items, each choice equally likely."""
    pool = list(items)
    for index in range(min(count, len(pool))):
        other = index + random.below(len(pool) - index)
        pool[index], pool[other] = pool[other], pool[index]
    return pool[:count]


def a_few(
    random: Random, peers: Sequence[PeerId], count: int, wanted: Callable[[PeerId], bool]
) -> list[PeerId]:
    """At most ``count`` of the peers that are ``wanted``, met on a walk from a random place on. It
    looks at no more peers than it must."""
    few: list[PeerId] = []
    if peers and count:
        first = random.below(len(peers))
        for place in range(len(peers)):
            peer = peers[first - place]
            if wanted(peer):
                few.append(peer)
                if len(few) == count:
                    break
    return few
