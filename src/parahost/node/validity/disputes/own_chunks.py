"""Which chunks of our own we go and get, so that a remote dispute's availability is not for want of
them (A60, D24). Pure.

A fork that is asked whether a candidate is available may ask validators whom its chunks never
reached: they were on another fork, or away. They recover the data, and so their chunk. What liars
have made up nobody has, and to look for it costs everybody. So there are few at a time and few
tries of each; what blocks that we know have included comes first, as liars cannot make that up; and
nothing is tried that no fork asks for, or that nobody disputes but those who have lost a dispute
before. The chain limits the rest: it has room for few remote disputes, and whoever disputes what is
not available pays each time and begins no others.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from parahost.node.validity.disputes.attempts import Attempts, Pace, Rank
from parahost.primitives.basic import BlockNumber, SessionIndex
from parahost.runtime.parachains.windows import CandidateKey

OBTAINING: Final = Pace(at_once=4, again_s=15.0, max_again_s=30.0, max_tries=3)
"""Three tries of half a minute at most, of the two minutes that the chain waits (20 blocks)."""


@dataclass(slots=True)
class OwnChunks:
    """Those that are lacking, and what is done about it. Times are in seconds."""

    _lacking: dict[CandidateKey, Rank] = field(default_factory=dict)
    _attempts: Attempts = field(default_factory=lambda: Attempts(OBTAINING))

    def lacks(self, key: CandidateKey, times_out_at: BlockNumber, *, is_included: bool) -> None:
        """Our chunk of it is not there, and a fork waits for it until that block. ``is_included``:
        by a block that we know."""
        self._lacking[key] = not is_included, times_out_at, key

    def asked(self, keys: Collection[CandidateKey]) -> None:
        """Forks ask for these and nothing else."""
        self._lacking = {key: rank for key, rank in self._lacking.items() if key in keys}

    def take(self, now: float) -> CandidateKey | None:
        """The next one to be obtained; it is under way from now on."""
        return self._attempts.take(((rank, key) for key, rank in self._lacking.items()), now)

    def ended(self, key: CandidateKey, now: float, *, found: bool) -> None:
        """An attempt is over."""
        self._attempts.ended(key, now, found=found)
        if found:
            self._lacking.pop(key, None)

    def forget(self, first: SessionIndex) -> None:
        """Of sessions before that one nothing is judged any more."""
        self._attempts.forget_before(first)
        self._lacking = {key: rank for key, rank in self._lacking.items() if key[0] >= first}
