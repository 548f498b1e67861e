"""Grandpa: who votes on finality. The voters change with the sessions (Polkadot specification,
chapter 6)."""

from __future__ import annotations

from dataclasses import dataclass

from parahost.ports.verifier import Verifier
from parahost.primitives.basic import U32, U64, BlockNumber, GrandpaId, SessionIndex
from parahost.primitives.consensus import (
    GrandpaAuthorities,
    GrandpaConsensusLog,
    GrandpaEquivocationProof,
    GrandpaMessage,
    ScheduledChange,
    grandpa_payload,
)
from parahost.primitives.header import GRANDPA_ENGINE, Consensus
from parahost.primitives.scale import encode
from parahost.runtime.errors import ModuleError
from parahost.runtime.module import Module, RuntimeCall, RuntimeEvent, call, entry_point, event
from parahost.runtime.offences import NotYet, Offence, OffenceKind, Offences, TooLongAgo
from parahost.runtime.origin import NoOrigin
from parahost.runtime.pallets import Pallet
from parahost.runtime.session import GRANDPA_KEY, SESSIONS_KEPT, Session, SessionChange, Validators
from parahost.runtime.storage import Overlay, Reader, StorageMap, StorageValue
from parahost.runtime.system import System
from parahost.runtime.weights import micros

# Types


class BadVoteProof(ModuleError, index=0):
    """The two votes do not prove that one voter voted twice in one stage of one round."""


class UnknownVoter(ModuleError, index=1):
    """The key was none of the voters' of the set."""

    def __init__(self, key: GrandpaId, set_id: U64) -> None:
        super().__init__(f"no voter of set {set_id} has the key {key.hex()}")
        self.key = key
        self.set_id = set_id


@call(0, "report_equivocation_unsigned", weight=micros(600))
@dataclass(frozen=True, slots=True)
class ReportGrandpaEquivocation(RuntimeCall):
    """The proof speaks for itself: the report needs no signature."""

    proof: GrandpaEquivocationProof


@event(0)
@dataclass(frozen=True, slots=True)
class NewAuthorities(RuntimeEvent):
    """Others vote on finality after this block."""

    authority_set: GrandpaAuthorities


class Grandpa(Module, pallet=Pallet(11, "Grandpa")):
    """Who votes on finality."""

    calls = (ReportGrandpaEquivocation,)
    events = (NewAuthorities,)
    errors = (BadVoteProof, UnknownVoter)

    # Storage

    authorities = StorageValue[GrandpaAuthorities, GrandpaAuthorities](
        "Authorities", GrandpaAuthorities, default=()
    )
    """The voters."""
    current_set_id = StorageValue("CurrentSetId", U64, default=U64(0))
    """How often the voters have changed."""
    set_id_session = StorageMap("SetIdSession", U64, SessionIndex)
    """The latest session in which a set of voters was in office, as long as it can be judged."""

    def __init__(
        self, system: System, session: Session, offences: Offences, verifier: Verifier
    ) -> None:
        self._system = system
        self._session = session
        self._offences = offences
        self._verifier = verifier

    # Genesis

    def genesis(self, store: Overlay, validators: Validators) -> None:
        self.authorities.put(store, grandpa_authorities(validators))
        self.set_id_session.put(store, U64(0), SessionIndex(U32(0)))

    # Session change

    def on_session_change(self, store: Overlay, change: SessionChange) -> None:
        """Replace the voters if the validators or their keys have changed: this block is the
        last that the old ones finalise."""
        if change.changed:
            authorities = grandpa_authorities(change.validators)
            log = ScheduledChange(authorities, BlockNumber(U32(0)))
            self._system.deposit_log(
                store, Consensus(GRANDPA_ENGINE, encode(log, GrandpaConsensusLog))
            )
            self.authorities.put(store, authorities)
            self.current_set_id.put(store, U64(self.current_set_id.get(store) + 1))
            self._system.deposit_event(store, NewAuthorities(authorities))
        self.set_id_session.put(store, self.current_set_id.get(store), change.index)
        self._forget_sets(store, change.index)

    def _forget_sets(self, store: Overlay, now: SessionIndex) -> None:
        """Whose votes are so long ago that they cannot be reported."""
        last_sessions = self.set_id_session.iterate(store)
        over = [set_id for set_id, last in last_sessions if last + SESSIONS_KEPT < now]
        for set_id in over:
            self.set_id_session.remove(store, set_id)
        self._offences.forget_votes(store, over)

    # Entry points

    @entry_point(ReportGrandpaEquivocation, origin=NoOrigin)
    def report_equivocation(
        self, store: Overlay, _origin: NoOrigin, call: ReportGrandpaEquivocation
    ) -> None:
        """Report that a voter has voted twice in one stage of one round.

        :raises BadVoteProof: when it proves nothing.
        :raises UnknownVoter: when the voter was not of the set.
        :raises TooLongAgo: when nobody judges it any more.
        :raises NotYet: when its session has not begun.
        :raises AlreadyReported: when the deed is known.
        :raises NothingToTake: when it would change nothing.
        """
        self._offences.report(store, self.offence_of(store, call.proof))

    # Routines

    def offence_of(self, store: Reader, proof: GrandpaEquivocationProof) -> Offence:
        """The deed that two votes prove.

        :raises BadVoteProof: when they prove none.
        :raises UnknownVoter: when the voter was not of the set.
        :raises TooLongAgo: when nobody judges it any more.
        :raises NotYet: when its session has not begun.
        :raises AlreadyReported: when the deed is known, whatever they prove.
        :raises NothingToTake: when it would change nothing, whatever they prove.
        """
        if type(proof.first) is not type(proof.second):
            raise BadVoteProof("the votes are of different stages")
        if proof.first == proof.second:
            raise BadVoteProof("the votes are the same")
        if proof.set_id > self.current_set_id.get(store):
            raise NotYet(f"there has not been a set {proof.set_id} of voters")
        session = self.set_id_session.get(store, proof.set_id)
        if session is None or session + SESSIONS_KEPT < self._session.index(store):
            raise TooLongAgo(f"voters {proof.set_id} left more than {SESSIONS_KEPT} sessions ago")
        validator = self._session.in_office(store, session, GRANDPA_KEY, proof.offender)
        if validator is None:
            raise UnknownVoter(proof.offender, proof.set_id)
        offence = Offence(
            OffenceKind.GRANDPA_EQUIVOCATION,
            session,
            validator.account,
            proof.offender,
            encode(proof.set_id, U64) + encode(proof.round, U64),
        )
        self._offences.refuse_vain(store, offence)
        for vote, signature in (
            (proof.first, proof.first_signature),
            (proof.second, proof.second_signature),
        ):
            payload = grandpa_payload(encode(vote, GrandpaMessage), proof.round, proof.set_id)
            if not self._verifier.ed25519(proof.offender, payload, signature):
                raise BadVoteProof(f"a vote is not signed by {proof.offender.hex()}")
        return offence


def grandpa_authorities(validators: Validators) -> GrandpaAuthorities:
    """The validators as voters, all of one weight."""
    return tuple((validator.keys.grandpa, U64(1)) for validator in validators)
