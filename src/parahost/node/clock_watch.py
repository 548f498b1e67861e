"""Whether our clock agrees with those of the others, and by how much it does not.

What peers claim does not count; what authors have sealed does. Each fresh header names its slot,
and by a right clock it comes within that slot or soon after. One author may lie about its slot, and
anybody may repeat an old header: so the clock is off when more than half of the authors that were
heard last say so.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from statistics import median

from parahost.consensus.babe.epochs import BabeParameters
from parahost.ports import Clock, Journal
from parahost.primitives.basic import BabeId, Slot
from parahost.primitives.header import Header

OFF_SLOTS = 4
"""A clock is off by more than so many slots: blocks that are so early are no longer waited for."""
LEAST_AUTHORS = 3
AUTHORS_KEPT = 16


class ClockWatch:
    """Hears the headers that are announced, and records when our clock gets off or right."""

    def __init__(
        self,
        clock: Clock,
        journal: Journal,
        parameters: BabeParameters,
        sealed_by: Callable[[Header], tuple[BabeId, Slot] | None],
    ) -> None:
        """``sealed_by``: who has sealed a header and for which slot, verified; ``None`` when no
        authority has."""
        self._clock = clock
        self._journal = journal
        self._parameters = parameters
        self._sealed_by = sealed_by
        self._tried_at = float("-inf")
        self._heard: OrderedDict[BabeId, tuple[int, float]] = OrderedDict()
        """By author: its last slot, and how long after that slot's start it was heard of."""
        self._is_off = False

    def heard(self, header: Header) -> None:
        """A peer announces a block. At most two signatures a slot are verified for this: who sends
        many headers, such as all that we missed, tells nothing about the time."""
        now, slot_s = self._clock.now(), self._parameters.slot_duration_s
        if abs(now - self._tried_at) < slot_s / 2:
            return
        self._tried_at = now
        sealed = self._sealed_by(header)
        if sealed is None:
            return
        author, slot = sealed
        if slot <= self._heard.get(author, (-1, 0.0))[0]:
            return
        self._heard[author] = slot, now - self._parameters.start_of(slot)
        self._heard.move_to_end(author)
        if len(self._heard) > AUTHORS_KEPT:
            self._heard.popitem(last=False)
        if len(self._heard) >= LEAST_AUTHORS:
            self._judge([late for _, late in self._heard.values()])

    def _judge(self, late_s: list[float]) -> None:
        most = OFF_SLOTS * self._parameters.slot_duration_s
        ahead = [late for late in late_s if late > most]
        behind = [-late for late in late_s if late < -most]
        off = max(ahead, behind, key=len)
        is_off = len(off) > len(late_s) / 2
        if is_off == self._is_off:
            return
        self._is_off = is_off
        if is_off:
            direction = "ahead" if off is ahead else "behind"
            self._journal.record("clock.off", seconds=median(off), direction=direction)
        else:
            self._journal.record("clock.right")
