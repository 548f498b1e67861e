"""Contradictions: two statements of one validator that exclude each other, proven (A77, A109)."""

from __future__ import annotations

from dataclasses import dataclass

from parahost.ports.verifier import Verifier
from parahost.primitives.basic import SessionIndex, ValidatorIndex
from parahost.primitives.misbehavior import Contradiction, DoubleVote, proves_anything
from parahost.runtime.errors import ModuleError
from parahost.runtime.module import Module, RuntimeCall, call, entry_point
from parahost.runtime.offences import NotYet, Offence, OffenceKind, Offences, TooLongAgo
from parahost.runtime.origin import NoOrigin
from parahost.runtime.pallets import Pallet
from parahost.runtime.session import SESSIONS_KEPT, Session
from parahost.runtime.storage import Overlay, Reader
from parahost.runtime.weights import micros

# Types


class BadContradictionProof(ModuleError, index=0):
    """The two statements do not exclude each other, or are not the validator's."""


class UnknownContradictor(ModuleError, index=1):
    """The session is not known, or has no such validator."""

    def __init__(self, session: SessionIndex, validator: ValidatorIndex) -> None:
        super().__init__(f"no validator {validator} of session {session} is known")
        self.session = session
        self.validator = validator


@call(0, "report_contradiction_unsigned", weight=micros(600))
@dataclass(frozen=True, slots=True)
class ReportContradiction(RuntimeCall):
    """The proof speaks for itself: the report needs no signature."""

    proof: Contradiction


class Contradictions(Module, pallet=Pallet(77, "Contradictions")):
    """Statements of one validator that exclude each other."""

    calls = (ReportContradiction,)
    errors = (BadContradictionProof, UnknownContradictor)

    def __init__(self, session: Session, offences: Offences, verifier: Verifier) -> None:
        self._session = session
        self._offences = offences
        self._verifier = verifier

    # Entry points

    @entry_point(ReportContradiction, origin=NoOrigin)
    def report_contradiction(
        self, store: Overlay, _origin: NoOrigin, call: ReportContradiction
    ) -> None:
        """Report that a validator has seconded two candidates on one relay parent, or said two
        things of one.

        :raises BadContradictionProof: when it proves nothing.
        :raises UnknownContradictor: when nobody knows the validator.
        :raises TooLongAgo: when nobody judges it any more.
        :raises NotYet: when its session has not begun.
        :raises AlreadyReported: when the deed is known.
        :raises NothingToTake: when it would change nothing.
        """
        self._offences.report(store, self.offence_of(store, call.proof))

    # Routines

    def offence_of(self, store: Reader, proof: Contradiction) -> Offence:
        """The deed that two statements prove.

        :raises BadContradictionProof: when they prove none.
        :raises UnknownContradictor: when nobody knows the validator.
        :raises TooLongAgo: when nobody judges it any more.
        :raises NotYet: when its session has not begun.
        :raises AlreadyReported: when the deed is known, whatever they prove.
        :raises NothingToTake: when it would change nothing, whatever they prove.
        """
        session, index = proof.context.session_index, proof.first.validator_index
        if session + SESSIONS_KEPT < self._session.index(store):
            raise TooLongAgo(f"session {session} was more than {SESSIONS_KEPT} sessions ago")
        if session > self._session.index(store):
            raise NotYet(f"session {session} has not begun")
        if not proves_anything(proof):
            raise BadContradictionProof("the statements do not exclude each other")
        validators = self._session.past_keys.get(store, session)
        if validators is None or index >= len(validators):
            raise UnknownContradictor(session, index)
        key = validators[index].keys.para_validator
        about = b"" if isinstance(proof, DoubleVote) else proof.first.statement.candidate_hash()
        offence = Offence(
            OffenceKind.STATEMENT_CONTRADICTION,
            session,
            validators[index].account,
            key,
            proof.context.parent_hash + about,
        )
        self._offences.refuse_vain(store, offence)
        for signed in (proof.first, proof.second):
            if not self._verifier.sr25519(key, signed.payload(proof.context), signed.signature):
                raise BadContradictionProof(f"a statement is not signed by {key.hex()}")
        return offence
