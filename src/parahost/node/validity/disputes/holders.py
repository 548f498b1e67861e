"""Who holds what is disputed from another fork, and not yet known to be available here (A60).

Each validator of the candidate's session that holds its chunk says so, once; authors bring it to
the chain. Nothing is taken in that no fork of ours asks for, so there is no more of it than the
chain has room for.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from parahost.node.leaf import ActiveLeaf
from parahost.node.validity.disputes.effects import VotesVerdict
from parahost.node.validity.disputes.store import DisputeStore
from parahost.node.validity.disputes.wire import TakeHolder
from parahost.ports import Verifier
from parahost.primitives.basic import Hash, SessionIndex
from parahost.primitives.remote_disputes import AvailabilityVotes, availability_payload
from parahost.primitives.runtime_api import SessionInfo
from parahost.runtime import api
from parahost.runtime.parachains.remote_disputes import RemoteState
from parahost.runtime.parachains.windows import CandidateKey


@dataclass(slots=True)
class Holders:
    """What is asked for, by leaf, and what is known."""

    store: DisputeStore
    verifier: Verifier
    _asked: dict[Hash, dict[CandidateKey, RemoteState]] = field(default_factory=dict)
    """By leaf: the candidates, with those who have said so there."""

    def learn(
        self, leaf: ActiveLeaf, leaves: Collection[Hash]
    ) -> Mapping[CandidateKey, RemoteState]:
        """What is asked for on this leaf."""
        self._asked = {block: asked for block, asked in self._asked.items() if block in leaves}
        asked = {
            key: state
            for key, state in leaf.read(api.remote_disputes)
            if state.times_out_at is not None
        }
        self._asked[leaf.hash] = asked
        return asked

    def asked(self) -> Mapping[CandidateKey, RemoteState]:
        """What is asked for on any leaf."""
        return {key: state for asked in self._asked.values() for key, state in asked.items()}

    def take(self, given: TakeHolder, sessions: Mapping[SessionIndex, SessionInfo]) -> VotesVerdict:
        """Keep what a validator says, if it has signed that and somebody wants to know.

        :raises DatabaseError: when the disk refuses.
        """
        key, info = (given.session, given.candidate_hash), sessions.get(given.session)
        if info is None:
            return VotesVerdict.UNKNOWN_SESSION
        if given.validator >= len(info.validators):
            return VotesVerdict.NO_VALIDATOR
        if not any(key in asked for asked in self._asked.values()):
            return VotesVerdict.NOT_ASKED
        if any(validator == given.validator for validator, _ in self.store.holders(key)):
            return VotesVerdict.KNOWN
        public, payload = info.validators[given.validator], availability_payload(key[1], key[0])
        if not self.verifier.sr25519(public, payload, given.signature):
            return VotesVerdict.BAD_SIGNATURE
        self.store.add_holder(key, (given.validator, given.signature))
        return VotesVerdict.NEW

    def lacking(self, leaf: Hash) -> tuple[AvailabilityVotes, ...]:
        """What the chain asks for at that leaf, and does not know yet."""
        found = []
        for (session, candidate), state in self._asked.get(leaf, {}).items():
            holders, said = self.store.holders((session, candidate)), state.availability_votes
            news = tuple(holder for holder in holders if not said[holder[0]])
            if news:
                found.append(AvailabilityVotes(session, candidate, news))
        return tuple(found)
