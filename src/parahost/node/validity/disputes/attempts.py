"""Work on candidates that may fail and is tried again: so many at a time, less and less often."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from parahost.primitives.basic import SessionIndex
from parahost.runtime.parachains.windows import CandidateKey

Rank = tuple[Any, ...]
"""Lower comes first. Its last part is the candidate's key, so that no two are alike."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How much is done. Times are in seconds."""

    at_once: int
    again_s: float
    """From the first failure to the next try; twice as long each time."""
    max_again_s: float
    max_tries: int | None = None
    """After so many failures it is given up. ``None``: never."""


@dataclass(frozen=True, slots=True)
class _Failure:
    tries: int
    again_at: float


class Attempts:
    """What is under way, and what failed."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._under_way: dict[CandidateKey, None] = {}
        self._failed: dict[CandidateKey, _Failure] = {}

    @property
    def has_room(self) -> bool:
        return len(self._under_way) < self._pace.at_once

    def take(self, wanted: Iterable[tuple[Rank, CandidateKey]], now: float) -> CandidateKey | None:
        """The next one of those that are wanted; it is under way from now on. ``None`` when there
        is no room, or nothing to be tried yet."""
        if not self.has_room:
            return None
        ready = [entry for entry in wanted if self._is_ready(entry[1], now)]
        if not ready:
            return None
        _, first = min(ready)
        self._under_way[first] = None
        return first

    def _is_ready(self, key: CandidateKey, now: float) -> bool:
        failure = self._failed.get(key)
        if key in self._under_way:
            return False
        return failure is None or (failure.again_at <= now and not self._is_given_up(failure))

    def _is_given_up(self, failure: _Failure) -> bool:
        return self._pace.max_tries is not None and failure.tries >= self._pace.max_tries

    def ended(self, key: CandidateKey, now: float, *, found: bool) -> None:
        """It is over; without a finding there is another try later."""
        self._under_way.pop(key, None)
        before = self._failed.pop(key, None)
        if not found:
            tries = 0 if before is None else before.tries
            wait = min(self._pace.again_s * 2.0 ** min(tries, 16), self._pace.max_again_s)
            self._failed[key] = _Failure(tries + 1, now + wait)

    def forget_before(self, first: SessionIndex) -> None:
        """Sessions before that one are over, with what is under way there: nobody tells how it
        ends."""
        self._under_way = {key: None for key in self._under_way if key[0] >= first}
        self._failed = {key: each for key, each in self._failed.items() if key[0] >= first}

    def next_due(self, is_wanted: Callable[[CandidateKey], bool]) -> float | None:
        """When something that failed, and is wanted still, is tried again. What is under way is not
        due, and nothing is while there is no room: the end of an attempt is heard of."""
        if not self.has_room:
            return None
        waiting = (
            failure.again_at
            for key, failure in self._failed.items()
            if key not in self._under_way and not self._is_given_up(failure) and is_wanted(key)
        )
        return min(waiting, default=None)
