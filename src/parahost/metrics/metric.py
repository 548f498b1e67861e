"""What a metric is: its name, what it means, its labels.

Names and labels are Polkadot's or Substrate's where meaning and kind are the same; then, and only
then, they begin with ``polkadot_`` or ``substrate_``. Our own begin with ``parahost_``, and end in
``_total`` where they only grow. Units are last in a name: ``_seconds``, ``_bytes``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

Labels = tuple[str, ...]
"""The values of a series' labels, in the order in which its metric has them."""


@dataclass(frozen=True, slots=True)
class Metric:
    """``help`` is one sentence. ``labels`` are names. ``series``: those that are shown from the
    start, so that an alarm sees them become more than 0; a metric without labels is always
    shown."""

    name: str
    help: str
    labels: tuple[str, ...] = ()
    series: tuple[Labels, ...] = ()

    kind: ClassVar[Literal["counter", "gauge", "histogram"]]

    def of(self, value: float, *labels: str) -> Reading:
        """What it is now, where somebody else keeps it."""
        return Reading(self, labels, value)


@dataclass(frozen=True, slots=True)
class Counter(Metric):
    """Only grows, until the node ends."""

    kind = "counter"


@dataclass(frozen=True, slots=True)
class Gauge(Metric):
    """What is so now."""

    kind = "gauge"


SECONDS: tuple[float, ...] = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Bounds for what takes a moment; those that Prometheus' clients have by default."""


@dataclass(frozen=True, slots=True)
class Histogram(Metric):
    """How often a value was at most so much. ``bounds`` ascend; what is above the last one is
    counted too."""

    bounds: tuple[float, ...] = SECONDS

    kind = "histogram"


@dataclass(frozen=True, slots=True)
class Reading:
    """A value that is kept elsewhere, as somebody has found it."""

    metric: Metric
    labels: Labels
    value: float
