"""Whom to ask: what peers claim is not believed, so what counts is what they have delivered."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from parahost.ports import Clock
from parahost.primitives.basic import PeerId

FIRST_PAUSE_S = 5.0
LONGEST_PAUSE_S = 120.0
FORGIVEN_EVERY_S = 600.0
"""So long after the last failure one is forgotten, and then one more for each such time."""
MAX_REMEMBERED = 1024


@dataclass(slots=True)
class _Record:
    failures: int = 0
    failed_at: float = 0.0
    paused_until: float = 0.0
    delivered: bool = False


class Patience:
    """Who does not deliver is asked less: each failure doubles its pause. A peer that comes back
    under the same identity finds its record as it was."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._records: OrderedDict[PeerId, _Record] = OrderedDict()

    def failed(self, peer: PeerId) -> None:
        """It has not delivered, or slowly, or rubbish."""
        record, now = self._record(peer), self._clock.now()
        record.failures = self._failures(record, now) + 1
        record.failed_at = now
        pause = min(FIRST_PAUSE_S * 2 ** min(record.failures - 1, 16), LONGEST_PAUSE_S)
        record.paused_until = now + pause

    def delivered(self, peer: PeerId) -> None:
        """A block that it gave was imported: that makes up for a failure."""
        record = self._record(peer)
        record.delivered, record.failures = True, max(0, record.failures - 1)

    def pauses(self, peer: PeerId) -> bool:
        record = self._records.get(peer)
        return record is not None and self._clock.now() < record.paused_until

    def ranked(self, peers: Iterable[PeerId]) -> list[PeerId]:
        """The most promising first: those that pause last, then by failures, then by whether they
        have ever delivered; among equals in the order given."""
        return sorted(peers, key=self._rank)

    def _rank(self, peer: PeerId) -> tuple[bool, int, bool]:
        record = self._records.get(peer) or _Record()
        failures = self._failures(record, self._clock.now())
        return self.pauses(peer), failures, not record.delivered

    def _failures(self, record: _Record, now: float) -> int:
        return max(0, record.failures - int(max(0.0, now - record.failed_at) / FORGIVEN_EVERY_S))

    def _record(self, peer: PeerId) -> _Record:
        record = self._records.setdefault(peer, _Record())
        self._records.move_to_end(peer)
        if len(self._records) > MAX_REMEMBERED:
            self._records.popitem(last=False)
        return record
