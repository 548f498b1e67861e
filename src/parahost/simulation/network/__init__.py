"""The network of a simulation (D31): ``ports.Network`` and ``ports.PeerSteering`` in memory.

Nodes have an :class:`Endpoint` each; one :class:`Internet` carries what they send. Messages keep
their order per peer and protocol, and overtake each other across protocols. What a peer sends is
read while its handler keeps up: what waits counts against the sender's queue, which overflows as
over a real connection.
"""

from parahost.simulation.network.endpoint import Endpoint
from parahost.simulation.network.geography import Geography
from parahost.simulation.network.internet import GRAIN_S, KEEPALIVE_S, Internet
from parahost.simulation.network.links import Latency, LinkQuality, LongTail, Uniform
from parahost.simulation.network.weather import Weather

__all__ = [
    "GRAIN_S",
    "KEEPALIVE_S",
    "Endpoint",
    "Geography",
    "Internet",
    "Latency",
    "LinkQuality",
    "LongTail",
    "Uniform",
    "Weather",
]
