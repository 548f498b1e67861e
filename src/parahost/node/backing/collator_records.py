"""What Candidate Selection remembers of collators, and in which order it asks them (D17)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from enum import IntEnum

from parahost.ports import Random
from parahost.primitives.basic import CollatorId

MAX_REMEMBERED = 1024
"""Collators of each kind that are remembered: those that deliver, and those that do not."""
FORGIVEN = 2
"""So many turns in a row may one that used to deliver miss, and is still asked before strangers."""


class Standing(IntEnum):
    """Who is asked first."""

    DELIVERS = 0
    UNKNOWN = 1
    SILENT = 2


class CollatorRecords:
    """Those who delivered go before those of whom nothing is known, for keys cost nothing; those
    who had their turn and did not deliver come last."""

    def __init__(self) -> None:
        self._misses: OrderedDict[CollatorId, int] = OrderedDict()
        """Of those who deliver: turns missed since. Who delivered least lately comes first."""
        self._silent: OrderedDict[CollatorId, None] = OrderedDict()

    def standing(self, collator: CollatorId) -> Standing:
        if collator in self._misses:
            return Standing.DELIVERS
        return Standing.SILENT if collator in self._silent else Standing.UNKNOWN

    def next(self, waiting: Sequence[CollatorId], random: Random) -> CollatorId:
        """Of those who deliver, the one that did least lately, so that who is merely fastest does
        not win every time. Of strangers any one: an order that follows from what they send could
        be had by whoever wants to be first."""
        best = min(map(self.standing, waiting))
        of_best = [collator for collator in waiting if self.standing(collator) is best]
        if best is Standing.DELIVERS:
            return next(collator for collator in self._misses if collator in of_best)
        return of_best[random.below(len(of_best))]

    def last(self, waiting: Sequence[CollatorId]) -> CollatorId:
        """Of those of whom least is to be expected, the one that came last."""
        return max(reversed(waiting), key=self.standing)

    def note_delivered(self, collator: CollatorId) -> None:
        """It delivered what was at least no offence."""
        self._silent.pop(collator, None)
        self._misses[collator] = 0
        self._misses.move_to_end(collator)
        if len(self._misses) > MAX_REMEMBERED:
            self._misses.popitem(last=False)

    def note_missed(self, collator: CollatorId) -> None:
        """Its turn is over, and nothing has come."""
        if (missed := self._misses.get(collator)) is not None and missed < FORGIVEN:
            self._misses[collator] = missed + 1
            return
        self.forget(collator)
        self._silent[collator] = None
        if len(self._silent) > MAX_REMEMBERED:
            self._silent.popitem(last=False)

    def forget(self, collator: CollatorId) -> None:
        """What it has earned is gone."""
        self._misses.pop(collator, None)
        self._silent.pop(collator, None)
