"""All numbers of a node at one moment, as one looks at them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

Series = tuple[str, tuple[tuple[str, str], ...]]
"""A sample's name and its labels in the order of their names."""


@dataclass(frozen=True, slots=True)
class Samples:
    """What a meter has, or what a node's port has told. A histogram ``h`` is ``h_bucket``,
    ``h_sum`` and ``h_count``."""

    by_series: Mapping[Series, float] = field(default_factory=lambda: MappingProxyType({}))

    def value(self, name: str, **labels: str) -> float | None:
        """One number, by all of its labels; ``None`` when there is none."""
        return self.by_series.get(series(name, labels))

    def total(self, name: str, **labels: str) -> float:
        """The sum of all series of that name that have these labels among theirs."""
        return sum(value for _, value in self.matching(name, **labels))

    def matching(self, name: str, **labels: str) -> Iterator[tuple[Mapping[str, str], float]]:
        """The labels and values of all series of that name that have these labels."""
        wanted = labels.items()
        for (found, pairs), value in self.by_series.items():
            if found == name and wanted <= (given := dict(pairs)).items():
                yield given, value

    def names(self) -> frozenset[str]:
        return frozenset(name for name, _ in self.by_series)


def series(name: str, labels: Mapping[str, str]) -> Series:
    """The key of a sample."""
    return name, tuple(sorted(labels.items()))
