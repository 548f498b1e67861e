"""Which forks are built on: none that includes a candidate that is invalid, or may be (D23)."""

from __future__ import annotations

from parahost.primitives.basic import BlockNumber, block_at
from parahost.primitives.disputes import DisputeOutcome
from parahost.runtime import api
from parahost.runtime.parachains.windows import CandidateKey
from parahost.runtime.storage import State


class Viability:
    """What this node holds against candidates, and what that says of a fork.

    A fork tells by its state: it is frozen when a supermajority has found one of its candidates
    invalid, and it lists the candidates that can still be disputed with the blocks that have
    included them.
    """

    def __init__(self) -> None:
        self._against: dict[CandidateKey, None] = {}

    def note(self, key: CandidateKey, *, towards_invalid: bool) -> bool:
        """What the disputes have come to; ``True`` when that is news."""
        if (key in self._against) is towards_invalid:
            return False
        if towards_invalid:
            self._against[key] = None
        else:
            del self._against[key]
        return True

    def first_unviable(self, state: State, above: BlockNumber) -> BlockNumber | None:
        """The first block above that number, on the way to a state, that nobody should build on. A
        frozen fork says itself only where the first of all is."""
        frozen = api.frozen(state)
        numbers = [] if frozen is None else [block_at(frozen + 1)]
        against = set(self._against)
        if frozen is not None:
            against.update(
                key for key, it in api.disputes(state) if it.outcome is DisputeOutcome.INVALID
            )
        if against:
            included = api.included_candidates(state)
            numbers += [each.included_in for each in included if each.key() in against]
        return min((number for number in numbers if number > above), default=None)
