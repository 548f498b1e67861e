"""Who votes, and with which weight."""

from __future__ import annotations

from collections.abc import Iterable

from parahost.primitives.basic import GrandpaId


class VoterSet:
    """An authority set in its order. A set of voters is an ``int`` with bit i for voter i.

    Entries without weight do not vote; a key that stands twice votes with both weights.
    """

    def __init__(self, authorities: Iterable[tuple[GrandpaId, int]]) -> None:
        weights: dict[GrandpaId, int] = {}
        for voter, weight in authorities:
            if weight:
                weights[voter] = weights.get(voter, 0) + weight
        self.ids = tuple(weights)
        self.weights = tuple(weights.values())
        self.total = sum(self.weights)
        self.threshold = self.total - max(self.total - 1, 0) // 3
        """The least weight that is a supermajority: n - f."""
        self._index = {voter: index for index, voter in enumerate(self.ids)}
        self._uniform = self.weights[0] if len(set(self.weights)) == 1 else 0

    def __len__(self) -> int:
        return len(self.ids)

    def __contains__(self, voter: object) -> bool:
        return voter in self._index

    def index(self, voter: GrandpaId) -> int | None:
        """The position of a voter; ``None`` when it has no vote."""
        return self._index.get(voter)

    def primary(self, round_number: int) -> int:
        """The position of the voter that proposes in a round."""
        return round_number % len(self.ids)

    def weight(self, voters: int) -> int:
        """The weight of a set of voters."""
        if self._uniform:
            return voters.bit_count() * self._uniform
        total = 0
        while voters:
            lowest = voters & -voters
            total += self.weights[lowest.bit_length() - 1]
            voters ^= lowest
        return total
