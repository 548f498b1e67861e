"""What a dispute costs whom (A59-A64), and how far that has been settled."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from parahost.primitives.basic import U32, CandidateHash, SessionIndex, ValidatorIndex
from parahost.primitives.disputes import DisputeOutcome
from parahost.runtime.parachains.dispute_votes import Votes
from parahost.runtime.parachains.windows import CandidateKey
from parahost.runtime.slashing import Misconduct, Slashing
from parahost.runtime.storage import Overlay

FIRST_VALIDATOR: Final = U32(0)


@dataclass(frozen=True, slots=True)
class Settlement:
    """How far a closed dispute has been settled: all validators are gone through twice, for fines
    and for rewards."""

    session: SessionIndex
    candidate_hash: CandidateHash
    next_validator: U32 = FIRST_VALIDATOR
    is_rewarding: bool = False

    def after(self, validator: int, validators: int) -> tuple[Settlement, ...]:
        """What is left, when those before ``validator`` are done with."""
        if validator < validators:
            return (replace(self, next_validator=U32(validator)),)
        if not self.is_rewarding:
            return (replace(self, next_validator=FIRST_VALIDATOR, is_rewarding=True),)
        return ()


class DisputeCosts:
    """Has those punished who are in the wrong about a candidate."""

    def __init__(self, slashing: Slashing) -> None:
        self._slashing = slashing

    def slash(
        self,
        store: Overlay,
        key: CandidateKey,
        votes: Votes,
        outcome: DisputeOutcome,
        punished: frozenset[ValidatorIndex],
    ) -> int:
        """Slash those in the wrong who have not been punished for it; gives what they lose."""
        wrong = votes.wrong(outcome) - punished
        if outcome is DisputeOutcome.VALID:
            return self.punish(store, Misconduct.VOTED_AGAINST_VALID, key, wrong)
        return self.punish(
            store, Misconduct.BACKED_INVALID, key, wrong & votes.backers
        ) + self.punish(store, Misconduct.VOTED_FOR_INVALID, key, wrong - votes.backers)

    def punish(
        self,
        store: Overlay,
        misconduct: Misconduct,
        key: CandidateKey,
        validators: Iterable[ValidatorIndex],
    ) -> int:
        """Punish them for one thing; gives what they lose."""
        listed = sorted(validators)
        return self._slashing.punish(store, misconduct, key[0], listed, key[1]) if listed else 0
