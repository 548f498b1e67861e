"""What drawing needs beyond :class:`.SeededRandom`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from parahost.simulation.random import SeededRandom

T = TypeVar("T")


class Dice:
    """Draws that read well in a scenario."""

    def __init__(self, random: SeededRandom) -> None:
        self._random = random

    def chance(self, part: float) -> bool:
        """True in that part of all cases."""
        return self._random.unit() < part

    def between(self, low: int, high: int) -> int:
        """A whole number; both ends may come."""
        return low + self._random.below(high - low + 1)

    def span(self, low: float, high: float, digits: int = 1) -> float:
        """A number with few digits."""
        return round(low + (high - low) * self._random.unit(), digits)

    def one_of(self, items: Sequence[T]) -> T:
        return items[self._random.below(len(items))]

    def some(self, items: Sequence[T], most: int | None = None) -> tuple[T, ...]:
        """At least one of them and at most so many, in their order; few more often than many."""
        most = len(items) if most is None else min(most, len(items))
        count = min(self.between(1, most), self.between(1, most))
        return self.exactly(count, items)

    def exactly(self, count: int, items: Sequence[T]) -> tuple[T, ...]:
        """So many of them, in their order."""
        places = list(range(len(items)))
        drawn = [places.pop(self._random.below(len(places))) for _ in range(count)]
        return tuple(items[place] for place in sorted(drawn))
