"""The network of a simulation (D31): ``ports.Network`` and ``ports.PeerSteering`` in memory.

Messages keep their order per peer and protocol, and overtake each other across protocols. What a
peer sends is read while its handler keeps up: what waits counts against the sender's queue, which
overflows as over a real connection. From the bottom, each module uses only those before it:

* :mod:`~parahost.simulation.network.conditions`: latency, bandwidth, loss and cuts of links
* :mod:`~parahost.simulation.network.geography`: conditions by where nodes are
* :mod:`~parahost.simulation.network.calendar`: what arrives when
* :mod:`~parahost.simulation.network.connection`: two ends, and what is on the way between them
* :mod:`~parahost.simulation.network.switch`: who is on the network, and how dialling reaches them
* :mod:`~parahost.simulation.network.dialler`: whom a node dials, and when again
* :mod:`~parahost.simulation.network.inbox`: what a node's handlers take, in order
* :mod:`~parahost.simulation.network.endpoint`: the ports of one node, made of these
"""

from parahost.simulation.network.calendar import GRAIN_S
from parahost.simulation.network.conditions import (
    Latency,
    LinkConditions,
    LinkQuality,
    LongTail,
    Uniform,
)
from parahost.simulation.network.connection import KEEPALIVE_S
from parahost.simulation.network.endpoint import Endpoint
from parahost.simulation.network.geography import Geography
from parahost.simulation.network.switch import Switch

__all__ = [
    "GRAIN_S",
    "KEEPALIVE_S",
    "Endpoint",
    "Geography",
    "Latency",
    "LinkConditions",
    "LinkQuality",
    "LongTail",
    "Switch",
    "Uniform",
]
