"""What a dispute costs whom (A59-A64), and how far that has been settled."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from parahost.primitives.basic import U32, CandidateHash, SessionIndex, ValidatorIndex
from parahost.primitives.disputes import DisputeOutcome, DisputeState
from parahost.primitives.validity_configuration import Perbill, part_of
from parahost.runtime.parachains.dispute_votes import Votes
from parahost.runtime.parachains.windows import CandidateKey
from parahost.runtime.slashing import Misconduct, Slashing
from parahost.runtime.storage import Overlay

MAX_SETTLED: Final = 200
"""Validators with whom one block settles: their stakes and balances are written."""
FIRST_VALIDATOR: Final = U32(0)


@dataclass(frozen=True, slots=True)
class Settlement:
    """How far a closed dispute has been settled: first with the silent, for fines, then with those
    who were right, for rewards."""

    session: SessionIndex
    candidate_hash: CandidateHash
    next_validator: U32 = FIRST_VALIDATOR
    is_rewarding: bool = False

    @property
    def key(self) -> CandidateKey:
        return self.session, self.candidate_hash

    def after(self, done: Sequence[ValidatorIndex], left: int) -> Settlement | None:
        """What is left, when some are done with, and so many of the same stage are not."""
        if left:
            return replace(self, next_validator=U32(done[-1] + 1))
        if not self.is_rewarding:
            return replace(self, next_validator=FIRST_VALIDATOR, is_rewarding=True)
        return None


@dataclass(frozen=True, slots=True)
class Settled:
    """What a step of a settlement has come to."""

    lost: int
    """What the silent have paid."""
    touched: int
    """With how many validators it has been settled."""
    rest: Settlement | None


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
        punished: Votes,
    ) -> int:
        """Slash those in the wrong, but for what was known when others were ``punished``; gives
        what they lose. Backing is a deed of its own: who is found to have backed an invalid
        candidate pays for it, though it has paid for a vote."""
        wrong = votes.wrong(outcome) - punished.wrong(outcome)
        if outcome is DisputeOutcome.VALID:
            return self.punish(store, Misconduct.VOTED_AGAINST_VALID, key, wrong)
        backed = votes.backers - punished.backers
        return self.punish(store, Misconduct.BACKED_INVALID, key, backed) + self.punish(
            store, Misconduct.VOTED_FOR_INVALID, key, wrong - backed
        )

    def settle(
        self,
        store: Overlay,
        settlement: Settlement,
        state: DisputeState,
        most: int,
        reward: Perbill,
    ) -> Settled:
        """Go on with at most so many validators: first the silent pay (A64), then those who were
        right share ``reward`` of what all have lost."""
        votes = Votes.of(state)
        right = frozenset() if state.outcome is None else votes.right(state.outcome)
        share = part_of(reward, state.lost) // max(len(right), 1)
        if not settlement.is_rewarding:
            those: Iterable[ValidatorIndex] = votes.silent(len(state.backers))
        else:
            those = right if share else ()
        waiting = sorted(each for each in those if each >= settlement.next_validator)
        some, lost = waiting[:most], 0
        if settlement.is_rewarding:
            self._slashing.reward(store, settlement.session, some, share)
        else:
            lost = self.punish(store, Misconduct.NOT_VOTED, settlement.key, some)
        return Settled(lost, len(some), settlement.after(some, len(waiting) - len(some)))

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
