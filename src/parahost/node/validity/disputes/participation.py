"""In which order this node checks what is disputed.

What a fork of ours has included comes before what others have, and what is confirmed before what a
few say; then the older before the newer. What is neither is not checked: it may be spam.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from parahost.node.validity.disputes.record import Dispute
from parahost.runtime.parachains.windows import CandidateKey

MAX_CHECKS: Final = 3
"""Disputed candidates that are checked at a time."""
CHECK_AGAIN_S: Final = 15.0
MAX_CHECK_AGAIN_S: Final = 600.0
"""When nothing was found, for lack of data, how long until the next try: twice as long each
time."""

Rank = tuple[bool, bool, bool, int, CandidateKey]


def rank(dispute: Dispute, *, confirmed: bool) -> Rank:
    """Lower comes first. What is concluded can wait, though a vote counts still."""
    return (
        dispute.outcome is not None,
        not (confirmed and dispute.is_included),
        not dispute.is_included,
        dispute.row.begun_ms,
        dispute.key,
    )


@dataclass(frozen=True, slots=True)
class _Failure:
    tries: int
    again_at: float


class Participation:
    """What is checked now, and what failed. Times are in seconds."""

    def __init__(self) -> None:
        self._under_way: dict[CandidateKey, None] = {}
        self._failed: dict[CandidateKey, _Failure] = {}

    @property
    def has_room(self) -> bool:
        return len(self._under_way) < MAX_CHECKS

    def take(self, wanted: Iterable[tuple[Rank, Dispute]], now: float) -> Dispute | None:
        """The next one of those that want a check; it is under way from now on."""
        ready = [(order, each) for order, each in wanted if self._is_ready(each.key, now)]
        if not ready:
            return None
        _, first = min(ready, key=lambda entry: entry[0])
        self._under_way[first.key] = None
        return first

    def _is_ready(self, key: CandidateKey, now: float) -> bool:
        failure = self._failed.get(key)
        return key not in self._under_way and (failure is None or failure.again_at <= now)

    def ended(self, key: CandidateKey, now: float, *, found: bool) -> None:
        """A check is over; without a finding there is another one later."""
        self._under_way.pop(key, None)
        before = self._failed.pop(key, None)
        if not found:
            tries = 0 if before is None else before.tries
            wait = min(CHECK_AGAIN_S * 2**tries, MAX_CHECK_AGAIN_S)
            self._failed[key] = _Failure(min(tries + 1, 16), now + wait)

    def forget(self, key: CandidateKey) -> None:
        """Nobody wants it any more. If a check is under way, its end is awaited."""
        self._failed.pop(key, None)

    def next_due(self, wants_check: Callable[[CandidateKey], bool]) -> float | None:
        """When something that failed, and is wanted still, is tried again. What is under way is not
        due, and nothing is while there is no room: the end of a check is heard of."""
        if not self.has_room:
            return None
        waiting = (
            failure.again_at
            for key, failure in self._failed.items()
            if key not in self._under_way and wants_check(key)
        )
        return min(waiting, default=None)
