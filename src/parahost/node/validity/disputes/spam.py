"""How many disputes a validator may have a part in before anybody else stands by them.

A dispute costs memory and disk, and its votes are worth nothing until somebody honest has a part in
it. So a validator answers for a few at a time: those that are neither confirmed nor about what a
fork of ours has included, and once it has lost one, those that nobody else takes up. And what it
says in such disputes, on whatever side, is heard in so many. Then what f liars have a node keep is
bounded: of a session :data:`MAX_UNCONFIRMED` disputes of each, and ``MAX_STATEMENTS`` (of one
request) for each of its :data:`MAX_PARTS`.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from parahost.primitives.basic import SessionIndex, ValidatorIndex
from parahost.runtime.parachains.dispute_votes import Votes
from parahost.runtime.parachains.disputes import MAX_OPEN_DISPUTES
from parahost.runtime.parachains.windows import CandidateKey

MAX_UNCONFIRMED: Final = MAX_OPEN_DISPUTES
"""Unconfirmed disputes that a validator begins in a session: as many as it may answer for on the
chain."""
MAX_PARTS: Final = 32
"""Unconfirmed disputes of a session in which a validator has a part. Nobody honest says anything of
so many candidates that no fork of ours includes."""


class SpamSlots:
    """Counts the unconfirmed disputes of each validator. What is counted is open already; so there
    are no more in all than all slots together."""

    def __init__(self) -> None:
        self._begun = _Slots()
        self._parts = _Slots()

    def admits(self, session: SessionIndex, disputers: Collection[ValidatorIndex]) -> bool:
        """Whether one of them may begin one more."""
        return any(self._begun.count(session, each) < MAX_UNCONFIRMED for each in disputers)

    def hears(self, key: CandidateKey, speakers: Collection[ValidatorIndex]) -> bool:
        """Whether one of them may have a part in this one that it has not yet. What comes with that
        is taken, too: an honest validator brings what somebody else has said."""
        return any(
            self._parts.count(key[0], each) < MAX_PARTS and not self._parts.has(key, each)
            for each in speakers
        )

    def holds(self, key: CandidateKey) -> bool:
        """Whether somebody has to answer for it."""
        return self._begun.holds(key)

    def hold(self, key: CandidateKey, votes: Votes) -> None:
        """It is disputed with these votes, and unconfirmed."""
        self._begun.hold(key, votes.invalid)
        self._parts.hold(key, votes.valid | votes.invalid)

    def free(self, key: CandidateKey) -> None:
        """Nobody has to answer for it any more."""
        self._begun.free(key)
        self._parts.free(key)


class _Slots:
    """Disputes by validators, and validators by disputes."""

    def __init__(self) -> None:
        self._held: dict[tuple[SessionIndex, ValidatorIndex], dict[CandidateKey, None]] = {}
        self._holders: dict[CandidateKey, dict[ValidatorIndex, None]] = {}

    def count(self, session: SessionIndex, validator: ValidatorIndex) -> int:
        return len(self._held.get((session, validator), ()))

    def has(self, key: CandidateKey, validator: ValidatorIndex) -> bool:
        return validator in self._holders.get(key, ())

    def holds(self, key: CandidateKey) -> bool:
        return key in self._holders

    def hold(self, key: CandidateKey, validators: Collection[ValidatorIndex]) -> None:
        holders = self._holders.setdefault(key, {})
        for each in validators:
            self._held.setdefault((key[0], each), {})[key] = None
            holders[each] = None

    def free(self, key: CandidateKey) -> None:
        for each in self._holders.pop(key, ()):
            held = self._held[key[0], each]
            del held[key]
            if not held:
                del self._held[key[0], each]
