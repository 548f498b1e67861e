"""A node's numbers: what is counted here, and what is read elsewhere when somebody looks."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache

from parahost.metrics.metric import Counter, Histogram, Labels, Metric, Reading
from parahost.metrics.samples import Samples, Series, series

MAX_SERIES = 1024
"""Of one metric. What comes beyond is counted together, with ``other`` for each label: a label may
come from the chain, where anybody registers paras."""
OTHER = "other"
KEYS_REMEMBERED = 16_384
"""Of samples, with how they are written: a node has about a thousand."""

ReadingSource = Callable[[], Iterable[Reading]]
"""Reads what is kept elsewhere. It is asked on the node's own loop, and takes no longer than a
handler may."""


class UndeclaredMetric(Exception):
    """A metric is counted or read that nobody has declared: a bug."""


class ObservedSeries:
    """A histogram's series: how many values fell between which bounds, and their sum."""

    __slots__ = ("_bounds", "counts", "sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def note(self, value: float, times: int = 1) -> None:
        """A value has come up so many times."""
        self.counts[bisect_left(self._bounds, value)] += times
        self.sum += value * times


@dataclass(slots=True)
class _Family:
    """All series of a metric."""

    metric: Metric
    values: dict[Labels, float] = field(default_factory=dict)
    observed: dict[Labels, ObservedSeries] = field(default_factory=dict)


class NodeMeter:
    """Counts for one life of a node. The same calls give the same numbers: no clock, no chance."""

    def __init__(self, *metrics: Metric) -> None:
        self._families: dict[str, _Family] = {}
        self._sources: list[ReadingSource] = []
        self.declare(*metrics)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """All that are declared."""
        return tuple(family.metric for family in self._families.values())

    def declare(self, *metrics: Metric) -> None:
        """Show these metrics from now on. To declare one twice changes nothing."""
        for metric in metrics:
            known = self._families.setdefault(metric.name, _Family(metric))
            assert known.metric == metric, f"{metric.name} is declared twice, and differently"
            if isinstance(metric, Histogram):
                for labels in _shown(metric):
                    self.observed(metric, *labels)

    def read_from(self, source: ReadingSource) -> None:
        """Ask the source, too, whenever somebody looks."""
        self._sources.append(source)

    def count(self, counter: Counter, *labels: str, by: float = 1.0) -> None:
        values = self._family(counter).values
        key = _kept(values, labels)
        values[key] = values.get(key, 0.0) + by

    def observe(self, histogram: Histogram, value: float, *labels: str) -> None:
        """Note one value."""
        self.observed(histogram, *labels).note(value)

    def observed(self, histogram: Histogram, *labels: str) -> ObservedSeries:
        """A series, for who notes many values in it. It is shown from now on."""
        observed = self._family(histogram).observed
        key = _kept(observed, labels)
        found = observed.get(key)
        if found is None:
            found = observed[key] = ObservedSeries(histogram.bounds)
        return found

    def samples(self) -> Samples:
        """All numbers as they are now."""
        found: dict[Series, float] = {}
        for _, samples in self.families():
            found.update(samples)
        return Samples(found)

    def families(self) -> Iterator[tuple[Metric, dict[Series, float]]]:
        """The numbers by metric, in the order in which the metrics were declared."""
        read: dict[str, dict[Labels, float]] = {}
        for source in self._sources:
            for reading in source():
                self._family(reading.metric)
                read.setdefault(reading.metric.name, {})[reading.labels] = reading.value
        for name, family in self._families.items():
            if isinstance(family.metric, Histogram):
                yield family.metric, _histogram(family.metric, family.observed)
            else:
                values = dict.fromkeys(_shown(family.metric), 0.0) | family.values
                yield family.metric, _plain(family.metric, values | read.get(name, {}))

    def _family(self, metric: Metric) -> _Family:
        family = self._families.get(metric.name)
        if family is None:
            raise UndeclaredMetric(metric.name)
        return family


def _kept(series: Mapping[Labels, object], labels: Labels) -> Labels:
    """The labels under which a value is counted."""
    if labels in series or len(series) < MAX_SERIES:
        return labels
    return (OTHER,) * len(labels)


def _shown(metric: Metric) -> tuple[Labels, ...]:
    """The series that are there before anything is counted."""
    return metric.series if metric.labels else ((),)


def _plain(metric: Metric, values: dict[Labels, float]) -> dict[Series, float]:
    return {_key(metric.name, metric.labels, labels): value for labels, value in values.items()}


def _histogram(metric: Histogram, observed: dict[Labels, ObservedSeries]) -> dict[Series, float]:
    """Buckets hold all that is at most their bound (``le``), so each holds those below it."""
    found: dict[Series, float] = {}
    bounds = [*map(bound_text, metric.bounds), "+Inf"]
    for labels, each in observed.items():
        so_far = 0
        for bound, count in zip(bounds, each.counts, strict=True):
            so_far += count
            key = _key(f"{metric.name}_bucket", (*metric.labels, "le"), (*labels, bound))
            found[key] = so_far
        found[_key(f"{metric.name}_sum", metric.labels, labels)] = each.sum
        found[_key(f"{metric.name}_count", metric.labels, labels)] = so_far
    return found


@lru_cache(maxsize=KEYS_REMEMBERED)
def _key(name: str, names: tuple[str, ...], labels: Labels) -> Series:
    return series(name, dict(zip(names, labels, strict=True)))


@cache
def bound_text(bound: float) -> str:
    """As Prometheus writes a bucket's bound."""
    return f"{bound:g}"
