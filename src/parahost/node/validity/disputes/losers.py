"""Who has lost a dispute: its word alone begins no other (D26).

A vote against what is valid costs a part of the stake, each time less, and in the end nothing. So
whoever has lost one could have everybody check everything for ever, and nothing become final until
they have. The chain lets it begin no dispute; nor do nodes, until somebody else disputes the
candidate too. At most f validators of a session are not heard, the worst ones, so that nobody can
have the honest silenced.

Who has disputed what turned out to be unavailable on a fork (A60) has lost nothing here: an honest
validator may have recovered the data before it was withheld. The fork has it begin no other.
"""

from __future__ import annotations

from enum import IntEnum

from parahost.primitives.availability import byzantine_threshold
from parahost.primitives.basic import SessionIndex, ValidatorId, ValidatorIndex
from parahost.primitives.disputes import DisputeOutcome
from parahost.primitives.runtime_api import SessionInfo
from parahost.runtime.parachains.dispute_votes import Votes


class Wrong(IntEnum):
    """What somebody has done, the worst last."""

    AGAINST_VALID = 0
    BOTH_WAYS = 1
    FOR_INVALID = 2


class Losers:
    """The validators that have been in the wrong, by the session in which they were, and by their
    keys: so they are known in other sessions too."""

    def __init__(self) -> None:
        self._lost: dict[SessionIndex, dict[ValidatorId, Wrong]] = {}
        self._unheard: dict[SessionIndex, frozenset[ValidatorIndex]] = {}
        """By session: what was found, until something changes."""

    def note(self, info: SessionInfo, votes: Votes, outcome: DisputeOutcome | None) -> bool:
        """These are the votes in a dispute of that session. Gives whether they say anything new of
        anybody."""
        found = dict.fromkeys(votes.both_ways, Wrong.BOTH_WAYS)
        if outcome is not None:
            is_valid = outcome is DisputeOutcome.VALID
            wrong = Wrong.AGAINST_VALID if is_valid else Wrong.FOR_INVALID
            found |= {each: max(found.get(each, wrong), wrong) for each in votes.wrong(outcome)}
        lost = self._lost.setdefault(info.session_index, {})
        news = {
            info.validators[index]: wrong
            for index, wrong in found.items()
            if lost.get(info.validators[index], -1) < wrong
        }
        if news:
            lost |= news
            self._unheard.clear()
        return bool(news)

    def forget(self, first: SessionIndex) -> None:
        """What was done in sessions before that one is forgiven."""
        self._lost = {at: lost for at, lost in self._lost.items() if at >= first}
        self._unheard.clear()

    def unheard(self, info: SessionInfo) -> frozenset[ValidatorIndex]:
        """The validators of a session whose word alone disputes nothing."""
        session = info.session_index
        if session not in self._unheard:
            self._unheard[session] = self._worst(info)
        return self._unheard[session]

    def _worst(self, info: SessionInfo) -> frozenset[ValidatorIndex]:
        worst: dict[ValidatorId, Wrong] = {}
        for lost in self._lost.values():
            for key, wrong in lost.items():
                worst[key] = max(worst.get(key, wrong), wrong)
        found = [(index, worst[key]) for key in worst if (index := info.index_of(key)) is not None]
        found.sort(key=lambda each: (-each[1], each[0]))
        most = byzantine_threshold(len(info.validators))
        return frozenset(index for index, _ in found[:most])
