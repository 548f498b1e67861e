"""Inclusion: candidates on their way from backed to available (A38-A50)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from parahost.ports.verifier import Verifier
from parahost.primitives.availability import (
    SignedAvailabilityBitfield,
    availability_threshold,
)
from parahost.primitives.basic import (
    U32,
    BlockNumber,
    CandidateHash,
    CoreIndex,
    GroupIndex,
    HeadData,
    ParaId,
    SessionIndex,
    ValidatorId,
    ValidatorIndex,
)
from parahost.primitives.candidates import (
    CandidateCommitments,
    CandidateReceipt,
    CommittedCandidateReceipt,
)
from parahost.primitives.scale import BitVec
from parahost.primitives.statements import BackedCandidate, SigningContext
from parahost.runtime.errors import RuntimeBug
from parahost.runtime.module import Module, RuntimeEvent, event
from parahost.runtime.pallets import Pallet
from parahost.runtime.parachains.admission import (
    STRICTLY,
    Admission,
    ProcessedBitfields,
    ProcessedCandidates,
)
from parahost.runtime.parachains.availability_votes import tally
from parahost.runtime.parachains.bitfield_checks import BitfieldChecks
from parahost.runtime.parachains.candidate_checks import CandidateChecks, RelayParent
from parahost.runtime.parachains.configuration import Configuration
from parahost.runtime.parachains.groups import Group
from parahost.runtime.parachains.inclusion_errors import (
    AlreadyPending,
    CandidatesOutOfOrder,
    DisabledBacker,
    ForkFrozen,
    InvalidatedCandidate,
    TooManyUnaccepted,
    UnscheduledCandidate,
)
from parahost.runtime.parachains.notification import SessionChangeNotification
from parahost.runtime.parachains.paras import Paras
from parahost.runtime.parachains.pending import (
    AvailabilityBitfield,
    CandidatePendingAvailability,
)
from parahost.runtime.parachains.scheduler import (
    CoreAssignment,
    Scheduler,
    TimeoutPredicate,
)
from parahost.runtime.parachains.validity import Validity
from parahost.runtime.slashing import Slashing
from parahost.runtime.storage import Overlay, Reader, StorageMap, StorageValue
from parahost.runtime.system import System

# Types

CoreLookup = Callable[[CoreIndex], ParaId | None]


@event(0)
@dataclass(frozen=True, slots=True)
class CandidateBacked(RuntimeEvent):
    """A candidate has been put on a core and awaits availability."""

    receipt: CandidateReceipt
    head: HeadData
    core: CoreIndex
    group: GroupIndex


@event(1)
@dataclass(frozen=True, slots=True)
class CandidateIncluded(RuntimeEvent):
    """A candidate is available and its para's head has moved on (A43)."""

    receipt: CandidateReceipt
    head: HeadData
    core: CoreIndex
    group: GroupIndex


@event(2)
@dataclass(frozen=True, slots=True)
class CandidateTimedOut(RuntimeEvent):
    """A candidate has not become available in time (A36)."""

    receipt: CandidateReceipt
    head: HeadData
    core: CoreIndex


@event(3)
@dataclass(frozen=True, slots=True)
class CandidateDisputed(RuntimeEvent):
    """A dispute has found a candidate invalid that awaited availability."""

    receipt: CandidateReceipt
    head: HeadData
    core: CoreIndex


class Inclusion(Module, pallet=Pallet(53, "ParaInclusion")):
    """From a backed candidate on a core to a para's new head."""

    events = (CandidateBacked, CandidateIncluded, CandidateTimedOut, CandidateDisputed)

    # Storage

    bitfields = StorageMap("Bitfields", ValidatorIndex, AvailabilityBitfield)
    """The latest bitfield that counted, of each validator."""
    pending_availability = StorageMap("PendingAvailability", ParaId, CandidatePendingAvailability)
    """The candidate that occupies the para's core."""
    pending_availability_commitments = StorageMap(
        "PendingAvailabilityCommitments", ParaId, CandidateCommitments
    )
    """Of the same candidates."""
    validators_item = StorageValue("Validators", tuple[ValidatorId, ...], default=())
    """This session's, by validator index."""
    current_session_index = StorageValue(
        "CurrentSessionIndex", SessionIndex, default=SessionIndex(U32(0))
    )
    """The number of the session."""

    def __init__(
        self,
        system: System,
        configuration: Configuration,
        paras: Paras,
        scheduler: Scheduler,
        *,
        validity: Validity,
        slashing: Slashing,
        verifier: Verifier,
    ) -> None:
        self.system = system
        self.configuration = configuration
        self.paras = paras
        self.scheduler = scheduler
        self.validity = validity
        self.slashing = slashing
        self.verifier = verifier
        self.checks = CandidateChecks(paras, scheduler, verifier)

    # Session change

    def on_session_change(self, store: Overlay, notification: SessionChangeNotification) -> None:
        """Clear what is pending and all bitfields (A40)."""
        self.pending_availability.remove_all(store)
        self.pending_availability_commitments.remove_all(store)
        self.bitfields.remove_all(store)
        self.validators_item.put(store, notification.validators)
        self.current_session_index.put(store, notification.session_index)

    # Initialisation

    def initialize(self, store: Overlay) -> None:
        """Nothing."""

    # Entry points: none, InclusionInherent has it

    # Routines: bitfields

    def process_bitfields(
        self,
        store: Overlay,
        bitfields: Sequence[SignedAvailabilityBitfield],
        core_lookup: CoreLookup,
        admission: Admission = STRICTLY,
    ) -> ProcessedBitfields:
        """Count the votes; include what became available, and hand it to Validity (A41-A43).

        :raises InvalidBlock: when the list or a bitfield breaks a rule.
        """
        voted_on = frozenset(self.pending_by_core(store, core_lookup))
        given = admission.bitfields(bitfields, voted_on)
        checked = self._bitfield_checks(store).checked(given, admission)
        counted, available = self.apply_bitfields(store, checked, core_lookup)
        for para, pending in available:
            self.include(store, para, pending)
            self.validity.included.note(store, pending.newly_included())
        return ProcessedBitfields(counted, tuple(pending.core for _, pending in available))

    def _bitfield_checks(self, store: Reader) -> BitfieldChecks:
        return BitfieldChecks(
            self.verifier,
            self.validators(store),
            self.signing_context(store),
            cores=len(self.scheduler.availability_cores.get(store)),
            is_frozen=self.validity.disputes.is_frozen(store),
        )

    def apply_bitfields(
        self,
        store: Overlay,
        bitfields: Sequence[SignedAvailabilityBitfield],
        core_lookup: CoreLookup,
    ) -> tuple[
        tuple[SignedAvailabilityBitfield, ...], list[tuple[ParaId, CandidatePendingAvailability]]
    ]:
        """Add the votes of checked bitfields to what is pending on the cores (A42). Gives the
        bitfields that count, and what is available now, ascending by core: voted for by more than
        two thirds (A43, D7)."""
        validators = len(self.validators(store))
        now = self.system.block_number(store)
        pending = self.pending_by_core(store, core_lookup)
        votes = tally(
            [(signed.validator_index, signed.bitfield) for signed in bitfields],
            pending,
            validators,
        )
        for position in votes.counted:
            signed = bitfields[position]
            record = AvailabilityBitfield(signed.bitfield, now)
            self.bitfields.put(store, signed.validator_index, record)
        available = []
        for core, added in votes.votes.items():
            para, before = pending[core]
            after = replace(before, availability_votes=before.availability_votes | added)
            self.pending_availability.put(store, para, after)
            if after.availability_votes.count() >= availability_threshold(validators):
                available.append((para, after))
        return tuple(bitfields[position] for position in votes.counted), available

    def pending_by_core(
        self, store: Reader, core_lookup: CoreLookup
    ) -> Mapping[CoreIndex, tuple[ParaId, CandidatePendingAvailability]]:
        """What is pending on each core that is not free, ascending by core."""
        found = {}
        for index in range(len(self.scheduler.availability_cores.get(store))):
            core = CoreIndex(U32(index))
            para = core_lookup(core)
            pending = None if para is None else self.pending_availability.get(store, para)
            if para is not None and pending is not None and pending.core == core:
                found[core] = para, pending
        return found

    # Routines: candidates

    def process_candidates(
        self,
        store: Overlay,
        candidates: Sequence[BackedCandidate],
        scheduled: Sequence[CoreAssignment],
        relay_parent: RelayParent,
        admission: Admission = STRICTLY,
    ) -> ProcessedCandidates:
        """Check candidates, which ascend by core, and let them await availability (A44-A47).

        :raises InvalidCandidate: when one breaks a rule.
        """
        assignments = {assignment.para_id: assignment for assignment in scheduled}
        room, is_frozen = self.validity.room(store), self.validity.disputes.is_frozen(store)
        disabled = self.slashing.disabled(store)
        taken: list[BackedCandidate] = []
        cores: list[CoreIndex] = []

        def core_of(para: ParaId) -> CoreIndex | None:
            return assignments[para].core if para in assignments else None

        def members_of(backed: BackedCandidate) -> Group:
            assignment = assignments.get(backed.candidate.descriptor.para_id)
            if assignment is None:
                return ()
            return self.scheduler.group_validators(store, assignment.group_idx) or ()

        def judge(backed: BackedCandidate) -> CoreIndex:
            if is_frozen:
                raise ForkFrozen
            candidate_hash = backed.candidate.hash()
            para = backed.candidate.descriptor.para_id
            assignment = assignments.get(para)
            if assignment is None:
                raise UnscheduledCandidate(para, candidate_hash, "no core is scheduled for it")
            if cores and assignment.core <= cores[-1]:
                raise CandidatesOutOfOrder(para, candidate_hash, assignment.core, cores[-1])
            if len(cores) >= room:
                raise TooManyUnaccepted(para, candidate_hash, "too many wait for acceptance")
            backers = self.check_candidate(store, backed, candidate_hash, assignment, relay_parent)
            self._await_availability(store, backed, assignment, backers, relay_parent.number)
            return assignment.core

        for given in admission.candidates(candidates, core_of):
            backed = admission.backing(given, members_of(given), disabled)
            core = admission.admit(backed, partial(judge, backed))
            if core is not None:
                taken.append(backed)
                cores.append(core)
        return ProcessedCandidates(tuple(taken), tuple(cores))

    def check_candidate(
        self,
        store: Reader,
        backed: BackedCandidate,
        candidate_hash: CandidateHash,
        assignment: CoreAssignment,
        relay_parent: RelayParent,
    ) -> tuple[ValidatorIndex, ...]:
        """Whether the candidate may go on that core; gives the validators that back it.

        :raises InvalidCandidate: when it may not.
        """
        para = assignment.para_id
        if self.pending_availability.contains(store, para):
            raise AlreadyPending(para, candidate_hash, "another awaits availability")
        session = self.current_session_index.get(store)
        if self.validity.disputes.is_invalid(store, (session, candidate_hash)):
            raise InvalidatedCandidate(para, candidate_hash, "a dispute has found it invalid")
        backers = self.checks.check(
            store,
            backed,
            candidate_hash,
            assignment,
            relay_parent=relay_parent,
            context=self.signing_context(store),
            validators=self.validators(store),
        )
        disabled = self.slashing.disabled(store)
        for validator in backers:
            if validator in disabled:
                raise DisabledBacker(para, candidate_hash, validator)
        return backers

    def _await_availability(
        self,
        store: Overlay,
        backed: BackedCandidate,
        assignment: CoreAssignment,
        backers: Sequence[ValidatorIndex],
        relay_parent_number: BlockNumber,
    ) -> None:
        """A pending entry without votes (A47)."""
        para, commitments = assignment.para_id, backed.candidate.commitments
        validators = len(self.validators(store))
        pending = CandidatePendingAvailability(
            core=assignment.core,
            receipt=backed.candidate.to_plain(),
            availability_votes=BitVec.zeros(validators),
            relay_parent_number=relay_parent_number,
            backed_in_number=self.system.block_number(store),
            backers=BitVec.with_ones(validators, backers),
            backing_group=assignment.group_idx,
        )
        self.pending_availability.put(store, para, pending)
        self.pending_availability_commitments.put(store, para, commitments)
        self.system.deposit_event(
            store,
            CandidateBacked(
                pending.receipt, commitments.head_data, pending.core, pending.backing_group
            ),
        )

    # Routines: the end of pending

    def include(self, store: Overlay, para: ParaId, pending: CandidatePendingAvailability) -> None:
        """The pending candidate is available: enact it, it is pending no more."""
        commitments = self._forget_pending(store, para)
        candidate = CommittedCandidateReceipt(pending.receipt.descriptor, commitments)
        self.enact_candidate(store, pending.relay_parent_number, candidate)
        self.system.deposit_event(
            store,
            CandidateIncluded(
                pending.receipt, commitments.head_data, pending.core, pending.backing_group
            ),
        )

    def enact_candidate(
        self,
        store: Overlay,
        relay_parent_number: BlockNumber,
        candidate: CommittedCandidateReceipt,
    ) -> None:
        """Schedule the candidate's new code, if it has any, and note its head (A48)."""
        para, commitments = candidate.descriptor.para_id, candidate.commitments
        if commitments.new_validation_code is not None:
            # Code that was planned before and is due must not be lost to the new plan.
            self.paras.apply_due_upgrade(store, para, relay_parent_number)
            self.paras.schedule_code_upgrade(
                store,
                para,
                commitments.new_validation_code,
                self.paras.new_code_expected_at(store, relay_parent_number),
            )
        self.paras.note_new_head(store, para, commitments.head_data, relay_parent_number)

    def collect_pending(self, store: Overlay, is_over: TimeoutPredicate) -> list[CoreIndex]:
        """Give up the candidates of which ``is_over(core, backed_in_number)`` holds; gives their
        cores, ascending (A49)."""
        return self._give_up(
            store, CandidateTimedOut, lambda each: is_over(each.core, each.backed_in_number)
        )

    def collect_disputed(self, store: Overlay) -> list[CoreIndex]:
        """Give up the candidates that a dispute has found invalid; gives their cores, ascending."""
        session = self.current_session_index.get(store)
        invalid = self.validity.disputes.invalid_candidates(store, session)
        if not invalid:
            return []
        return self._give_up(store, CandidateDisputed, lambda each: each.receipt.hash() in invalid)

    def _give_up(
        self,
        store: Overlay,
        told: type[CandidateTimedOut | CandidateDisputed],
        is_over: Callable[[CandidatePendingAvailability], bool],
    ) -> list[CoreIndex]:
        pending = self.pending_availability.iterate(store)
        over = [(para, candidate) for para, candidate in pending if is_over(candidate)]
        over.sort(key=lambda entry: entry[1].core)
        for para, candidate in over:
            head = self._forget_pending(store, para).head_data
            self.system.deposit_event(store, told(candidate.receipt, head, candidate.core))
        return [candidate.core for _, candidate in over]

    def _forget_pending(self, store: Overlay, para: ParaId) -> CandidateCommitments:
        """Remove the pending candidate; gives its commitments."""
        self.pending_availability.remove(store, para)
        commitments = self.pending_availability_commitments.take(store, para)
        if commitments is None:
            raise RuntimeBug(f"the pending candidate of para {para} has no commitments")
        return commitments

    # Routines: lookups

    def takes_candidates(self, store: Reader) -> bool:
        """Whether any may be backed: not on a fork with an invalid candidate, nor while too many
        wait for acceptance."""
        return not self.validity.disputes.is_frozen(store) and self.validity.room(store) > 0

    def validators(self, store: Reader) -> tuple[ValidatorId, ...]:
        """This session's validators, by index."""
        return self.validators_item.get(store)

    def signing_context(self, store: Reader) -> SigningContext:
        """What ties statements and bitfields to the parent of the block that executes (D11)."""
        return SigningContext(self.current_session_index.get(store), self.system.parent_hash(store))

    def candidate_pending_availability(
        self, store: Reader, para: ParaId
    ) -> CommittedCandidateReceipt | None:
        pending = self.pending_availability.get(store, para)
        commitments = self.pending_availability_commitments.get(store, para)
        if pending is None or commitments is None:
            return None
        return CommittedCandidateReceipt(pending.receipt.descriptor, commitments)

    # Finalisation

    def finalize(self, store: Overlay) -> None:
        """Nothing."""

    # Consistency

    def check(self, store: Reader) -> None:
        """:raises RuntimeBug: when what is pending contradicts the cores or the validators."""
        validators = len(self.validators(store))
        occupied = self.scheduler.availability_cores.get(store)
        pending = dict(self.pending_availability.iterate(store))
        commitments = set(self.pending_availability_commitments.keys(store))
        _expect(commitments == set(pending), "commitments and pending differ", commitments)
        cores = sorted(candidate.core for candidate in pending.values())
        expected = [core for core, occupant in enumerate(occupied) if occupant is not None]
        _expect(cores == expected, "occupied cores and pending differ", (cores, expected))
        for para, candidate in pending.items():
            _expect(
                self.scheduler.core_para(store, candidate.core) == para,
                f"core {candidate.core} is not para {para}'s",
                candidate,
            )
            _expect(len(candidate.availability_votes) == validators, "votes", candidate)
            _expect(
                candidate.availability_votes.count() < availability_threshold(validators),
                "an available candidate is pending",
                candidate,
            )
        for validator, record in self.bitfields.iterate(store):
            _expect(validator < validators, "a bitfield of nobody", validator)
            _expect(len(record.bitfield) == len(occupied), "a bitfield's length", record)


def _expect(holds: bool, what: str, evidence: object) -> None:
    if not holds:
        raise RuntimeBug(f"ParaInclusion: {what}: {evidence}")
