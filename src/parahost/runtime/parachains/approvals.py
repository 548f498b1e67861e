"""Approvals: the secondary checks of included candidates, as blocks bring them (A54, D21, D22).

A checker announces itself with the proof that it was drawn, and reports when it has checked. A
candidate is accepted when its checks are complete.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Annotated

from parahost.approval.completeness import completeness
from parahost.approval.criteria import AssignmentFault, assigned_tranche
from parahost.approval.tranches import Assigned
from parahost.ports.verifier import Verifier
from parahost.primitives.approval import (
    Approval,
    Assignment,
    SecondaryChecks,
    Tranche,
    approval_payload,
)
from parahost.primitives.basic import (
    U32,
    BlockNumber,
    CandidateHash,
    SessionIndex,
    Slot,
    ValidatorIndex,
)
from parahost.primitives.limits import MAX_VALIDATORS
from parahost.primitives.runtime_api import IncludedCandidate, SessionInfo
from parahost.primitives.scale import MaxLen
from parahost.primitives.values import dataclass
from parahost.runtime.errors import InvalidBlock, RuntimeBug
from parahost.runtime.module import Module, RuntimeEvent, event
from parahost.runtime.pallets import Pallet
from parahost.runtime.parachains.admission import Admission
from parahost.runtime.parachains.included import IncludedCandidates
from parahost.runtime.parachains.windows import CandidateKey
from parahost.runtime.storage import Overlay, Reader, StorageDoubleMap
from parahost.runtime.system import System

# Types


@dataclass(frozen=True, slots=True)
class AssignedChecker:
    """A validator that has announced to check a candidate. ``since``: in tranches after the
    candidate's inclusion."""

    validator: ValidatorIndex
    tranche: Tranche
    since: U32


@dataclass(frozen=True, slots=True)
class CheckState:
    """How far a candidate's checks have come. ``approved`` ascends."""

    assigned: Annotated[tuple[AssignedChecker, ...], MaxLen(MAX_VALIDATORS)] = ()
    approved: Annotated[tuple[ValidatorIndex, ...], MaxLen(MAX_VALIDATORS)] = ()
    accepted_in: BlockNumber | None = None

    def is_assigned(self, validator: ValidatorIndex) -> bool:
        return any(each.validator == validator for each in self.assigned)

    def checkers(self) -> list[Assigned]:
        return [Assigned(each.tranche, each.validator, each.since) for each in self.assigned]


UNCHECKED = CheckState()


class InvalidCheck(InvalidBlock):
    """A check that a block brings is none (A50)."""

    def __init__(self, candidate: CandidateHash, why: str) -> None:
        super().__init__(f"candidate {candidate.hex()}: {why}")
        self.candidate = candidate


class UncheckedCandidate(InvalidCheck):
    """The candidate is not included here, or its checks are complete."""


class BadChecker(InvalidCheck):
    """The validator is none of the session, has backed the candidate, or has said so already."""

    def __init__(self, candidate: CandidateHash, validator: ValidatorIndex, why: str) -> None:
        super().__init__(candidate, f"validator {validator} {why}")
        self.validator = validator


class BadAssignment(InvalidCheck):
    """The proof does not show that the validator was drawn."""

    def __init__(
        self, candidate: CandidateHash, validator: ValidatorIndex, fault: AssignmentFault
    ) -> None:
        super().__init__(candidate, f"the assignment of validator {validator}: {fault.value}")
        self.validator = validator
        self.fault = fault


class AssignmentTooEarly(InvalidCheck):
    """The time of the checker's tranche has not come."""

    def __init__(
        self, candidate: CandidateHash, validator: ValidatorIndex, tranche: Tranche, now: int
    ) -> None:
        super().__init__(
            candidate, f"validator {validator} is of tranche {tranche}, it is tranche {now}"
        )
        self.validator = validator
        self.tranche = tranche
        self.now = now


class BadApprovalSignature(InvalidCheck):
    """The approval is not signed by its checker."""

    def __init__(self, candidate: CandidateHash, validator: ValidatorIndex) -> None:
        super().__init__(candidate, f"the approval of validator {validator} is not its own")
        self.validator = validator


@event(0)
@dataclass(frozen=True, slots=True)
class CandidateAccepted(RuntimeEvent):
    """The checks of a candidate are complete, and nobody disputes it."""

    session: SessionIndex
    candidate_hash: CandidateHash


class Approvals(Module, pallet=Pallet(75, "Approvals")):
    """The secondary checks of included candidates."""

    events = (CandidateAccepted,)

    # Storage

    checks = StorageDoubleMap("Checks", SessionIndex, CandidateHash, CheckState, default=UNCHECKED)
    """How far the checks of each recorded candidate have come."""

    def __init__(self, system: System, included: IncludedCandidates, verifier: Verifier) -> None:
        self.system = system
        self.included = included
        self.verifier = verifier

    # Routines: what a block brings

    def take(
        self, store: Overlay, given: SecondaryChecks, admission: Admission
    ) -> SecondaryChecks | None:
        """Note what a block brings on one candidate; gives what was taken of it.

        :raises InvalidCheck: when any of it breaks a rule.
        """
        nothing_yet = replace(given, assignments=(), approvals=())
        found = admission.admit(nothing_yet, partial(self._candidate, store, given))
        if found is None:
            return None
        record, info = found
        key = record.key()
        now, state = self._now(store, record, info), self.checks.get(store, key)
        assignments, approvals = [], []
        for assignment in given.assignments:
            judge = partial(self._checker, assignment, record, info, state, now)
            checker = admission.admit(assignment, judge)
            if checker is not None:
                state = replace(state, assigned=(*state.assigned, checker))
                assignments.append(assignment)
        for approval in given.approvals:
            approver = admission.admit(
                approval, partial(self._approver, approval, record, info, state)
            )
            if approver is not None:
                state = replace(state, approved=tuple(sorted((*state.approved, approver))))
                approvals.append(approval)
        self.checks.put(store, key, state)
        return replace(given, assignments=tuple(assignments), approvals=tuple(approvals))

    def _candidate(
        self, store: Reader, given: SecondaryChecks
    ) -> tuple[IncludedCandidate, SessionInfo]:
        key = given.session, given.candidate_hash
        record, info = self.included.judged(store, key), self._session(store, key)
        if record is None or info is None:
            raise UncheckedCandidate(given.candidate_hash, "it is not included here")
        if self.is_accepted(store, key):
            raise UncheckedCandidate(given.candidate_hash, "its checks are complete")
        return record, info

    def _checker(
        self,
        given: Assignment,
        record: IncludedCandidate,
        info: SessionInfo,
        state: CheckState,
        now: int,
    ) -> AssignedChecker:
        """The cheap rules first; then the proof."""
        candidate, validator = record.receipt.hash(), given.validator_index
        if validator >= len(info.validators):
            raise BadChecker(candidate, validator, "is none of the session")
        if validator in record.backers:
            raise BadChecker(candidate, validator, "has backed it")
        if state.is_assigned(validator):
            raise BadChecker(candidate, validator, "is assigned already")
        found = assigned_tranche(
            self.verifier,
            info.validators[validator],
            given.cert,
            record.relay_vrf_story,
            info.approval,
            cores=info.cores,
            core=record.core,
        )
        if isinstance(found, AssignmentFault):
            raise BadAssignment(candidate, validator, found)
        if found > now:
            raise AssignmentTooEarly(candidate, validator, found, now)
        return AssignedChecker(validator, found, U32(now))

    def _approver(
        self, given: Approval, record: IncludedCandidate, info: SessionInfo, state: CheckState
    ) -> ValidatorIndex:
        candidate, validator = record.receipt.hash(), given.validator_index
        if not state.is_assigned(validator):
            raise BadChecker(candidate, validator, "is not assigned")
        if validator in state.approved:
            raise BadChecker(candidate, validator, "has approved already")
        payload = approval_payload(candidate, record.session)
        if not self.verifier.sr25519(info.validators[validator], payload, given.signature):
            raise BadApprovalSignature(candidate, validator)
        return validator

    # Routines: acceptance

    def is_complete(self, store: Reader, record: IncludedCandidate) -> bool:
        """Whether the candidate has all the checks that it needs by now."""
        info = self._session(store, record.key())
        if info is None:
            raise RuntimeBug(f"session {record.session} is forgotten, its candidates are not")
        state, now = self.checks.get(store, record.key()), self._now(store, record, info)
        return completeness(record, info, state.checkers(), state.approved, now).is_complete

    def accept(self, store: Overlay, key: CandidateKey) -> None:
        """The candidate's checks are complete."""
        now = self.system.block_number(store)
        self.checks.mutate(store, key, lambda state: replace(state, accepted_in=now))
        self.system.deposit_event(store, CandidateAccepted(*key))

    def is_accepted(self, store: Reader, key: CandidateKey) -> bool:
        return self.checks.get(store, key).accepted_in is not None

    def forget(self, store: Overlay, key: CandidateKey) -> None:
        """The candidate's window is over."""
        self.checks.remove(store, key)

    def _session(self, store: Reader, key: CandidateKey) -> SessionInfo | None:
        return self.included.session_info(store, key[0])

    def _now(self, store: Reader, record: IncludedCandidate, info: SessionInfo) -> int:
        """The tranche whose time it is: the chain counts in slots."""
        slot: Slot = self.included.claims.slot(store)
        return (slot - record.included_slot) * info.approval.tranches_per_slot

    # Consistency

    def check(self, store: Reader) -> None:
        """:raises RuntimeBug: when there are checks of candidates that are not recorded, or by
        validators that were not drawn."""
        for key, state in self.checks.iterate(store):
            record = self.included.judged(store, key)
            if record is None:
                raise RuntimeBug(f"Approvals: checks of {key[1].hex()}, which is not recorded")
            checkers = [each.validator for each in state.assigned]
            if len(set(checkers)) != len(checkers) or set(checkers) & set(record.backers):
                raise RuntimeBug(f"Approvals: the checkers of {key[1].hex()} are {checkers}")
            if not set(state.approved) <= set(checkers):
                raise RuntimeBug(f"Approvals: {key[1].hex()} is approved by {state.approved}")
