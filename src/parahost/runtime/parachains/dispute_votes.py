"""Who has said what in a dispute, and what that adds up to (A57, A62).

Who has voted both ways counts for neither side: it is wrong whatever the outcome.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from parahost.ports.verifier import Verifier
from parahost.primitives.availability import supermajority_threshold
from parahost.primitives.basic import U32, ValidatorIndex
from parahost.primitives.disputes import (
    BackingSeconded,
    BackingValid,
    DisputeOutcome,
    DisputeState,
    DisputeStatement,
    SignedDisputeStatement,
    VoteInvalid,
    vote_payload,
)
from parahost.primitives.runtime_api import SessionInfo
from parahost.primitives.scale import BitVec
from parahost.runtime.parachains.dispute_errors import BadVote, BadVoteSignature
from parahost.runtime.parachains.windows import CandidateKey

Voters = frozenset[ValidatorIndex]


@dataclass(frozen=True, slots=True)
class Votes:
    """The voters of each side. ``backers`` are those on the side of ``valid`` who have backed the
    candidate."""

    valid: Voters = frozenset()
    invalid: Voters = frozenset()
    backers: Voters = frozenset()

    @classmethod
    def of(cls, state: DisputeState) -> Votes:
        """What has been said by now."""
        return cls(
            _voters(state.validators_for), _voters(state.validators_against), _voters(state.backers)
        )

    def written(self, state: DisputeState) -> DisputeState:
        """The state with these votes."""
        length = len(state.backers)
        return replace(
            state,
            validators_for=BitVec.with_ones(length, self.valid),
            validators_against=BitVec.with_ones(length, self.invalid),
            backers=BitVec.with_ones(length, self.backers),
        )

    def including(self, statement: DisputeStatement, validator: ValidatorIndex) -> Votes:
        """With one statement more; the same when it says nothing new."""
        if isinstance(statement, VoteInvalid):
            return replace(self, invalid=self.invalid | {validator})
        valid, backers = self.valid | {validator}, self.backers
        if isinstance(statement.kind, BackingSeconded | BackingValid):
            backers |= {validator}
        return replace(self, valid=valid, backers=backers)

    def with_signed(
        self,
        signed: SignedDisputeStatement,
        key: CandidateKey,
        info: SessionInfo,
        verifier: Verifier,
    ) -> Votes:
        """With one signed statement more. The cheap rules first; then the signature.

        :raises InvalidDispute: when it breaks a rule, or says nothing new.
        """
        statement, validator, signature = signed
        session, candidate = key
        if validator >= len(info.validators):
            raise BadVote(candidate, validator, "is none of the session")
        after = self.including(statement, validator)
        if after == self:
            raise BadVote(candidate, validator, "has said so already")
        payload = vote_payload(statement, candidate, session)
        if payload is None:
            raise BadVote(candidate, validator, "says it in a form that nobody signs")
        if not verifier.sr25519(info.validators[validator], payload, signature):
            raise BadVoteSignature(candidate, validator)
        return after

    def union(self, more: Votes) -> Votes:
        """With others."""
        return Votes(
            self.valid | more.valid, self.invalid | more.invalid, self.backers | more.backers
        )

    @property
    def both_ways(self) -> Voters:
        return self.valid & self.invalid

    def right(self, outcome: DisputeOutcome) -> Voters:
        """Who has said that, and nothing else."""
        side = self.valid if outcome is DisputeOutcome.VALID else self.invalid
        return side - self.both_ways

    def wrong(self, outcome: DisputeOutcome) -> Voters:
        """Who has said the contrary, whatever it has said besides."""
        return self.invalid if outcome is DisputeOutcome.VALID else self.valid

    def silent(self, validators: int) -> tuple[ValidatorIndex, ...]:
        """Who has said nothing."""
        everybody = (ValidatorIndex(U32(index)) for index in range(validators))
        heard = self.valid | self.invalid
        return tuple(index for index in everybody if index not in heard)

    def outcome(self, validators: int) -> DisputeOutcome | None:
        """What a supermajority says (A62); ``None`` without one."""
        for outcome in DisputeOutcome:
            if len(self.right(outcome)) >= supermajority_threshold(validators):
                return outcome
        return None


def _voters(bits: BitVec) -> Voters:
    return frozenset(ValidatorIndex(U32(index)) for index in bits.ones())
