"""Counting from the journal: an event that a node records is counted, and not a second time where
it happens."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from parahost.metrics.meter import NodeMeter
from parahost.metrics.metric import Counter, Histogram, Labels
from parahost.ports.journal import Journal

EventFields = Mapping[str, object]


def _no_labels(_: EventFields) -> Labels:
    return ()


def _once(_: EventFields) -> Iterable[float]:
    return (1.0,)


@dataclass(frozen=True, slots=True)
class EventTally:
    """An event of the journal, and what it counts for: with which labels, and how much. A histogram
    notes each of the amounts."""

    event: str
    metric: Counter | Histogram
    labels: Callable[[EventFields], Labels] = _no_labels
    amounts: Callable[[EventFields], Iterable[float]] = _once

    def count(self, meter: NodeMeter, fields: EventFields) -> None:
        labels = self.labels(fields)
        for amount in self.amounts(fields):
            if isinstance(self.metric, Counter):
                meter.count(self.metric, *labels, by=amount)
            else:
                meter.observe(self.metric, amount, *labels)


def labelled(*values: str) -> Callable[[EventFields], Labels]:
    """These labels, whatever the fields are."""
    return lambda _: values


def by_field(*names: str) -> Callable[[EventFields], Labels]:
    """The values of these fields, which are of few kinds."""
    return lambda fields: tuple(str(fields[name]) for name in names)


def amount(name: str) -> Callable[[EventFields], Iterable[float]]:
    """As much as the field says."""
    return lambda fields: (float(fields[name]),)  # type: ignore[arg-type]


class CountedJournal:
    """``ports.Journal`` around another one."""

    def __init__(self, journal: Journal, meter: NodeMeter, tallies: Iterable[EventTally]) -> None:
        self._journal = journal
        self._meter = meter
        self._tallies: dict[str, list[EventTally]] = {}
        for tally in tallies:
            meter.declare(tally.metric)
            self._tallies.setdefault(tally.event, []).append(tally)

    def record(self, event: str, **fields: object) -> None:
        for tally in self._tallies.get(event, ()):
            tally.count(self._meter, fields)
        self._journal.record(event, **fields)
