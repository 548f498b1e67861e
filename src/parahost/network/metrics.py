"""What an operator sees of a node's connections."""

from __future__ import annotations

from collections import Counter as Count
from collections.abc import Iterable, Iterator
from typing import Final

from parahost.metrics.metric import Counter, Gauge, Metric, Reading
from parahost.network.holdings import Holdings
from parahost.network.incidents import Incidents
from parahost.network.traffic import BytesMoved
from parahost.ports.network import ObservedRole

BYTES = Counter(
    "substrate_sub_libp2p_network_bytes_total",
    "Bytes over all connections with peers.",
    ("direction",),
)
PEERS_BY_ROLE = Gauge(
    "parahost_peers", "Peers that are connected, by what they say they are.", ("role",)
)
FAILURES = Counter(
    "parahost_network_failures_total",
    "Exceptions that were kept to one connection: faults of this node, with a line in its log.",
    ("where",),
)
TOO_LARGE = Counter(
    "parahost_network_too_large_total",
    "Messages that were not sent because no peer would take them.",
    ("protocol",),
)
HELD = Gauge(
    "parahost_network_held_bytes",
    "What peers hold of this node's memory: all that they have sent, what of it nobody asked for,"
    " answers that are being made, and answers that they have not read.",
    ("what",),
)

NETWORK_METRICS: Final[tuple[Metric, ...]] = (BYTES, PEERS_BY_ROLE, FAILURES, TOO_LARGE, HELD)


def network_readings(
    moved: BytesMoved, roles: Iterable[ObservedRole], incidents: Incidents, holdings: Holdings
) -> Iterator[Reading]:
    """All of these."""
    yield BYTES.of(moved.received, "in")
    yield BYTES.of(moved.sent, "out")
    present = Count(roles)
    for role in ObservedRole:
        yield PEERS_BY_ROLE.of(present[role], role.name.lower())
    for where, count in incidents.failures.items():
        yield FAILURES.of(count, where)
    for protocol, count in incidents.too_large.items():
        yield TOO_LARGE.of(count, protocol)
    yield HELD.of(holdings.held, "all")
    yield HELD.of(holdings.unasked, "unasked")
    yield HELD.of(holdings.making, "answers in the making")
    yield HELD.of(holdings.unread, "unread answers")
