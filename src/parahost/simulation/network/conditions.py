"""Link conditions: latency, bandwidth and loss between any two nodes, decided by seeded chance.

Figures are plain arithmetic on doubles, without the mathematical library, so that they are the same
on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from parahost.simulation.random import SeededRandom


class Latency(Protocol):
    """A distribution of times, in seconds."""

    def draw(self, random: SeededRandom) -> float: ...


@dataclass(frozen=True, slots=True)
class Uniform:
    """Equally likely from ``low_s`` to ``high_s``."""

    low_s: float
    high_s: float

    def __post_init__(self) -> None:
        if not 0 <= self.low_s <= self.high_s:
            raise ValueError("latency is from the least to the most, in seconds from 0 on")

    def draw(self, random: SeededRandom) -> float:
        return self.low_s + (self.high_s - self.low_s) * random.unit()


@dataclass(frozen=True, slots=True)
class LongTail:
    """Mostly near the median, seldom far above it, as on the internet: one in a hundred takes four
    times the median, one in a thousand ten times."""

    median_s: float

    def __post_init__(self) -> None:
        if self.median_s < 0:
            raise ValueError("a median latency is in seconds from 0 on")

    _QUANTILES = ((0.0, 0.7), (0.5, 1.0), (0.9, 1.5), (0.99, 4.0), (0.999, 10.0), (1.0, 15.0))

    def draw(self, random: SeededRandom) -> float:
        at = random.unit()
        (low, least), *steps = self._QUANTILES
        for high, most in steps:
            if at < high:
                return self.median_s * (least + (most - least) * (at - low) / (high - low))
            low, least = high, most
        return self.median_s * least


@dataclass(frozen=True, slots=True)
class LinkQuality:
    """A link from one node to another, in one direction.

    ``loss`` and ``duplication`` are the parts of messages that vanish and that come twice;
    ``reordering`` the part that may be overtaken by later ones of its own protocol. They are
    faults: a stream over TCP has none of them.
    """

    latency: Latency = Uniform(0.02, 0.08)
    bytes_per_s: float = 12_500_000.0
    loss: float = 0.0
    duplication: float = 0.0
    reordering: float = 0.0

    def __post_init__(self) -> None:
        if not self.bytes_per_s > 0:
            raise ValueError("bytes_per_s is above 0")
        for name in ("loss", "duplication", "reordering"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a part of all messages, from 0 to 1")


class LinkConditions:
    """The conditions of all links, by the names of nodes. Faults change them during a run."""

    def __init__(self, default: LinkQuality | None = None) -> None:
        self.default = default or LinkQuality()
        self._distances: dict[tuple[str, str], LinkQuality] = {}
        self._worse: dict[tuple[str, str], list[LinkQuality]] = {}
        self._cut: dict[tuple[str, str], int] = {}
        self.is_even = True
        """Whether all links are as the default, and have been."""
        self.has_cuts = False
        """Whether any link is cut."""

    def quality(self, sender: str, receiver: str) -> LinkQuality:
        way = (sender, receiver)
        worse = self._worse.get(way)
        return worse[-1] if worse else self.by_itself(sender, receiver)

    def by_itself(self, sender: str, receiver: str) -> LinkQuality:
        """What the link is like without faults."""
        return self._distances.get((sender, receiver), self.default)

    def set_distance(self, sender: str, receiver: str, quality: LinkQuality) -> None:
        """What the link is like by itself, because of where the two are."""
        self._distances[sender, receiver] = quality
        self.is_even = False

    def worsen(self, sender: str, receiver: str, quality: LinkQuality) -> None:
        """From now on, until it recovers from this."""
        self._worse.setdefault((sender, receiver), []).append(quality)
        self.is_even = False

    def recover(self, sender: str, receiver: str, quality: LinkQuality) -> None:
        """As before, or as others have worsened it meanwhile."""
        self._worse[sender, receiver].remove(quality)

    def cut(self, sender: str, receiver: str) -> None:
        """Nothing gets through in this direction until it is mended as often as it was cut."""
        self._cut[sender, receiver] = self._cut.get((sender, receiver), 0) + 1
        self.has_cuts = True

    def mend(self, sender: str, receiver: str) -> None:
        left = self._cut[sender, receiver] - 1
        if left:
            self._cut[sender, receiver] = left
        else:
            del self._cut[sender, receiver]
            self.has_cuts = bool(self._cut)

    def is_cut(self, sender: str, receiver: str) -> bool:
        return (sender, receiver) in self._cut

    def is_open(self, one: str, other: str) -> bool:
        """Whether something gets through in both directions."""
        return not (self.is_cut(one, other) or self.is_cut(other, one))
