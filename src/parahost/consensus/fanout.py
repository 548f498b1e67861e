"""To how many peers a gossip message of somebody else is passed on.

Whoever makes a message tells all of its peers. Passing it on serves those that it is not connected
to, and makes up for loss. Where every validator is connected to every other, the first reason is
gone: then one copy more per receiver is insurance enough, and the rest would only cost the
network its square.
"""

from __future__ import annotations

RELAY_FANOUT = 4
"""In a network in which not everybody is connected to everybody."""
FULL_MESH_FANOUT = 1


def relay_fanout(authorities_connected: int, authorities: int) -> int:
    """:param authorities_connected: how many peers say that they are authorities.
    :param authorities: how many there are, ourselves perhaps among them.
    """
    return FULL_MESH_FANOUT if authorities_connected >= authorities - 1 else RELAY_FANOUT
