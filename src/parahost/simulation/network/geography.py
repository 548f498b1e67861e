"""Where nodes are: near each other in one region, far from those of others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from parahost.simulation.network.conditions import LinkConditions, LinkQuality, LongTail

HOME_S = 0.01
"""The median latency within a region, in seconds."""
DISTANCES_S: Mapping[frozenset[str], float] = {
    frozenset({"europe", "america"}): 0.05,
    frozenset({"europe", "asia"}): 0.12,
    frozenset({"america", "asia"}): 0.09,
    frozenset({"europe", "africa"}): 0.08,
    frozenset({"america", "africa"}): 0.12,
    frozenset({"asia", "africa"}): 0.15,
}
"""Median latencies between regions, one way, in seconds."""
REGIONS = ("europe", "america", "asia", "africa")


@dataclass(frozen=True, slots=True)
class Geography:
    """Nodes take turns in the regions, in their order; latencies have long tails."""

    regions: Sequence[str] = field(default=REGIONS)

    def check(self) -> None:
        """:raises ValueError: for a region that is not known."""
        for region in self.regions:
            if region not in REGIONS:
                raise ValueError(f"there is no region {region}; known are {', '.join(REGIONS)}")
        if not self.regions:
            raise ValueError("there are no regions")

    def lay_out(
        self, nodes: Sequence[str], conditions: LinkConditions, quality: LinkQuality
    ) -> None:
        """Give each link its latency; the rest is as in ``quality``."""
        region_of = {
            name: self.regions[place % len(self.regions)] for place, name in enumerate(nodes)
        }
        for sender in nodes:
            for receiver in nodes:
                apart = frozenset({region_of[sender], region_of[receiver]})
                latency = LongTail(DISTANCES_S.get(apart, HOME_S))
                conditions.set_distance(sender, receiver, replace(quality, latency=latency))
