"""The state of all ways between nodes, which faults change."""

from __future__ import annotations

from parahost.simulation.network.links import LinkQuality


class Weather:
    """The state of all ways between nodes, by their names. Faults change it during a run."""

    def __init__(self, default: LinkQuality | None = None) -> None:
        self.default = default or LinkQuality()
        self._distances: dict[tuple[str, str], LinkQuality] = {}
        self._worse: dict[tuple[str, str], list[LinkQuality]] = {}
        self._cut: dict[tuple[str, str], int] = {}

    @property
    def is_even(self) -> bool:
        """Whether all ways are as the default."""
        return not (self._worse or self._distances)

    def quality(self, sender: str, receiver: str) -> LinkQuality:
        way = (sender, receiver)
        worse = self._worse.get(way)
        return worse[-1] if worse else self.by_itself(sender, receiver)

    def by_itself(self, sender: str, receiver: str) -> LinkQuality:
        """What the way is like without faults."""
        return self._distances.get((sender, receiver), self.default)

    def set_distance(self, sender: str, receiver: str, quality: LinkQuality) -> None:
        """What the way is like by itself, because of where the two are."""
        self._distances[sender, receiver] = quality

    def worsen(self, sender: str, receiver: str, quality: LinkQuality) -> None:
        """From now on, until it recovers from this."""
        self._worse.setdefault((sender, receiver), []).append(quality)

    def recover(self, sender: str, receiver: str, quality: LinkQuality) -> None:
        """As before, or as others have worsened it meanwhile."""
        self._worse[sender, receiver].remove(quality)

    def cut(self, sender: str, receiver: str) -> None:
        """Nothing gets through in this direction until it is mended as often as it was cut."""
        self._cut[sender, receiver] = self._cut.get((sender, receiver), 0) + 1

    def mend(self, sender: str, receiver: str) -> None:
        left = self._cut[sender, receiver] - 1
        if left:
            self._cut[sender, receiver] = left
        else:
            del self._cut[sender, receiver]

    @property
    def has_cuts(self) -> bool:
        """Whether any way is cut."""
        return bool(self._cut)

    def is_cut(self, sender: str, receiver: str) -> bool:
        return (sender, receiver) in self._cut
