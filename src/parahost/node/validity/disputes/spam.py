"""How many disputes a validator may have open before anybody else stands by it.

A dispute costs memory and disk, and its votes are worth nothing until somebody honest has a part in
it. So a validator answers for a few at a time: those that are neither confirmed nor about what a
fork of ours has included, and once it has lost one, those that nobody else takes up.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from parahost.primitives.basic import SessionIndex, ValidatorIndex
from parahost.runtime.parachains.disputes import MAX_OPEN_DISPUTES
from parahost.runtime.parachains.windows import CandidateKey

MAX_UNCONFIRMED: Final = MAX_OPEN_DISPUTES
"""Unconfirmed disputes of a validator in a session: as many as it may answer for on the chain. Of
the seven sessions that are judged these are 70 of each liar, each with what f may say of it."""


class SpamSlots:
    """Counts the unconfirmed disputes of each validator. What is counted is open already; so there
    are no more in all than all slots together."""

    def __init__(self) -> None:
        self._held: dict[tuple[SessionIndex, ValidatorIndex], dict[CandidateKey, None]] = {}
        self._disputers: dict[CandidateKey, dict[ValidatorIndex, None]] = {}

    def admits(self, session: SessionIndex, disputers: Collection[ValidatorIndex]) -> bool:
        """Whether one of them may begin one more."""
        return any(len(self._held.get((session, each), ())) < MAX_UNCONFIRMED for each in disputers)

    def hold(self, key: CandidateKey, disputers: Collection[ValidatorIndex]) -> None:
        """These validators dispute it, and it is unconfirmed."""
        for each in disputers:
            self._held.setdefault((key[0], each), {})[key] = None
            self._disputers.setdefault(key, {})[each] = None

    def free(self, key: CandidateKey) -> None:
        """Nobody has to answer for it any more."""
        for each in self._disputers.pop(key, ()):
            held = self._held[key[0], each]
            del held[key]
            if not held:
                del self._held[key[0], each]
