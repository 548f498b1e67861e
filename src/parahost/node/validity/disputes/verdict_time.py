"""When the verdict on who took part in a dispute falls (A64, A109). Pure.

When a supermajority is there, honest votes may be under way still, and the chain takes them for a
while. So nobody is called silent before a fork has closed the dispute; what is found then is what
that fork takes and gives.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from parahost.primitives.basic import SessionIndex
from parahost.primitives.disputes import DisputeState
from parahost.runtime.parachains.windows import CandidateKey


@dataclass(slots=True)
class VerdictTime:
    """The disputes that were seen while they took late votes, and whether they have been closed."""

    _is_closed: dict[CandidateKey, bool] = field(default_factory=dict)

    def closed(
        self, disputes: Iterable[tuple[CandidateKey, DisputeState]]
    ) -> list[tuple[CandidateKey, DisputeState]]:
        """Of the disputes of a fork, those that it has closed since they were seen: each once, by
        the first fork that does. What was closed before a start is not told again."""
        found = []
        for key, state in disputes:
            if state.outcome is None:
                continue
            if not state.is_closed:
                self._is_closed.setdefault(key, False)
            elif not self._is_closed.get(key, True):
                self._is_closed[key] = True
                found.append((key, state))
        return found

    def forget(self, first: SessionIndex) -> None:
        """Of sessions before that one nothing is judged any more."""
        self._is_closed = {key: each for key, each in self._is_closed.items() if key[0] >= first}
