"""Whom we ask for the votes of a round that we have missed.

Where a peer says that it is, nobody proves: it makes us ask, and nothing else. Several are asked
at a time, those first that were asked in vain least often. Who does not answer, pays.
"""

from __future__ import annotations

from collections.abc import Iterable

from parahost.consensus.fanout import sample
from parahost.ports import Random
from parahost.primitives.basic import PeerId

ASKED_AT_ONCE = 3
COST_NO_ANSWER = -20
MAX_REMEMBERED = 1024
"""Peers of which we know that they did not help; it outlasts their connections."""


class Asking:
    """Who was asked, and who has not helped."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._until: dict[PeerId, float] = {}
        self._in_vain: dict[PeerId, int] = {}

    def ask(self, peers: Iterable[PeerId], until: float) -> list[PeerId]:
        """Choose among peers; the chosen ones owe an answer until then."""
        free = [peer for peer in peers if peer not in self._until]
        shuffled = sample(self._random, free, len(free))
        chosen = sorted(shuffled, key=lambda peer: self._in_vain.get(peer, 0))[:ASKED_AT_ONCE]
        for peer in chosen:
            self._until[peer] = until
            self._in_vain[peer] = self._in_vain.pop(peer, 0) + 1
        while len(self._in_vain) > MAX_REMEMBERED:
            del self._in_vain[next(iter(self._in_vain))]
        return chosen

    def answered(self, peer: PeerId) -> bool:
        """A peer answers; whether it owed that."""
        return self._until.pop(peer, None) is not None

    def helped(self, peer: PeerId) -> None:
        """Its answer got us on."""
        self._in_vain.pop(peer, None)

    def overdue(self, now: float) -> list[PeerId]:
        """Those who owed an answer until now; they owe none any more."""
        late = [peer for peer, until in self._until.items() if until <= now]
        for peer in late:
            del self._until[peer]
        return late
