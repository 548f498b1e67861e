"""The Runtime APIs about parachains: pure questions to a block's state (A115, D19).

Every answer given at block b is as b's children see it.
"""

from __future__ import annotations

from typing import Annotated

from parahost.primitives.acceptance import AcceptanceCriteria
from parahost.primitives.basic import (
    U32,
    ZERO_HASH,
    BlockNumber,
    CoreIndex,
    ParaId,
    SessionIndex,
    ValidationCode,
    ValidationCodeHash,
    ValidatorId,
    ValidatorIndex,
    block_at,
)
from parahost.primitives.candidates import CommittedCandidateReceipt, PersistedValidationData
from parahost.primitives.disputes import DisputeState
from parahost.primitives.runtime_api import (
    CandidateBackedEvent,
    CandidateEvent,
    CandidateIncludedEvent,
    CandidateTimedOutEvent,
    CoreFree,
    CoreScheduled,
    CoreState,
    GroupRotationInfo,
    IncludedCandidate,
    OccupiedCore,
    OccupiedCoreAssumption,
    PlannedUpgrade,
    ScheduledCore,
    SessionInfo,
    ValidatorGroups,
)
from parahost.primitives.scale import MaxLen
from parahost.runtime.errors import RuntimeBug
from parahost.runtime.module import RuntimeEvent
from parahost.runtime.parachains.approvals import CheckState
from parahost.runtime.parachains.host import Parachains
from parahost.runtime.parachains.inclusion import (
    CandidateBacked,
    CandidateIncluded,
    CandidateTimedOut,
)
from parahost.runtime.parachains.paras import validation_code_hash
from parahost.runtime.parachains.parathreads import ParathreadEntry, ParathreadQueue
from parahost.runtime.parachains.pending import CandidatePendingAvailability
from parahost.runtime.parachains.remote_disputes import RemoteState
from parahost.runtime.parachains.scheduler import (
    CoreAssignment,
    OccupiedByParachain,
    OccupiedByParathread,
)
from parahost.runtime.parachains.windows import CandidateKey
from parahost.runtime.storage import Overlay, Reader, State

MAX_ASKED_AT_ONCE = 16_384
"""Candidates that whoever asks from outside may name in one call."""


class ParachainsApi:
    """The questions; each is handed the state after the block at which it is asked."""

    def __init__(self, parachains: Parachains) -> None:
        self._parachains = parachains

    # Sessions and groups

    def validators(self, state: State) -> tuple[ValidatorId, ...]:
        """The session's validators, by validator index."""
        return self._parachains.inclusion.validators(state)

    def session_index_for_child(self, state: State) -> SessionIndex:
        """The session to which the block's children belong."""
        return self._parachains.inclusion.current_session_index.get(state)

    def session_info(self, state: State, session: SessionIndex) -> SessionInfo | None:
        """``None`` when none of the session's candidates can be disputed any more."""
        return self._parachains.included.session_info(state, session)

    def earliest_judged_session(self, state: State) -> SessionIndex:
        """The first session whose candidates can be disputed still."""
        return self._parachains.included.first_judged_session(state)

    def validator_groups(self, state: State) -> ValidatorGroups:
        """The session's groups, by group index, and how they rotate (D19)."""
        store = self._child_of(state)
        scheduler = self._parachains.scheduler
        return ValidatorGroups(
            scheduler.validator_groups.get(store), scheduler.rotation_info(store)
        )

    # Cores

    def availability_cores(self, state: State) -> tuple[CoreState, ...]:
        """What each core is up to, by core index."""
        store = self._child_of(state)
        scheduler, inclusion = self._parachains.scheduler, self._parachains.inclusion
        scheduled = {assignment.core: assignment for assignment in scheduler.scheduled(store)}
        cores: list[CoreState] = []
        for index in range(len(scheduler.availability_cores.get(store))):
            core = CoreIndex(U32(index))
            if core in scheduled:
                cores.append(CoreScheduled(_scheduled_core(scheduled[core])))
                continue
            para = scheduler.core_para(store, core)
            pending = None if para is None else inclusion.pending_availability.get(store, para)
            cores.append(
                CoreFree() if pending is None else self._occupied_core(store, core, pending)
            )
        return tuple(cores)

    def _occupied_core(
        self, store: Reader, core: CoreIndex, pending: CandidatePendingAvailability
    ) -> OccupiedCore:
        scheduler = self._parachains.scheduler
        on_available, on_time_out = self._next_up(store, core)
        return OccupiedCore(
            next_up_on_available=on_available,
            occupied_since=pending.backed_in_number,
            time_out_at=time_out_at(
                scheduler.rotation_info(store),
                pending.backed_in_number,
                scheduler.availability_period(store, core),
            ),
            next_up_on_time_out=on_time_out,
            availability=pending.availability_votes,
            group_responsible=pending.backing_group,
            candidate_hash=pending.receipt.hash(),
            candidate_descriptor=pending.receipt.descriptor,
        )

    def _next_up(
        self, store: Reader, core: CoreIndex
    ) -> tuple[ScheduledCore | None, ScheduledCore | None]:
        """Who uses an occupied core next: when its candidate becomes available, and when not."""
        scheduler = self._parachains.scheduler
        parachains = self._parachains.paras.parachains(store)
        occupied = scheduler.availability_cores.get(store)[core]
        if isinstance(occupied, OccupiedByParachain):
            owner = ScheduledCore(parachains[core], None)
            return owner, owner
        if not isinstance(occupied, OccupiedByParathread):
            raise RuntimeBug(f"core {core} has a candidate and no occupant")
        queue: ParathreadQueue = scheduler.parathread_queue.get(store)
        cores = len(scheduler.availability_cores.get(store)) - len(parachains)
        relative = CoreIndex(U32(core - len(parachains)))
        after_time_out = queue.enqueued(occupied.entry, cores)
        return (
            _claimed_core(queue.first_on_core(relative)),
            _claimed_core(after_time_out.first_on_core(relative)),
        )

    # Paras

    def persisted_validation_data(
        self, state: State, para: ParaId, assumption: OccupiedCoreAssumption
    ) -> PersistedValidationData | None:
        """What a candidate made on this block is validated against, under an assumption."""
        store = self._assuming(state, para, assumption)
        if store is None:
            return None
        number = self._parachains.system.block_number(state)
        return self._parachains.paras.persisted_validation_data(store, para, number, state.root)

    def validation_code(
        self, state: State, para: ParaId, assumption: OccupiedCoreAssumption
    ) -> ValidationCode | None:
        """The code for a candidate made on this block, under an assumption."""
        store = self._assuming(state, para, assumption)
        if store is None:
            return None
        number = self._parachains.system.block_number(state)
        return self._parachains.paras.validation_code_at(store, para, number)

    def validation_code_hash(
        self, state: State, para: ParaId, assumption: OccupiedCoreAssumption
    ) -> ValidationCodeHash | None:
        """The hash of :meth:`validation_code`: what the candidate's descriptor must name."""
        code = self.validation_code(state, para, assumption)
        return None if code is None else validation_code_hash(code)

    def acceptance_criteria(
        self, state: State, para: ParaId, assumption: OccupiedCoreAssumption
    ) -> AcceptanceCriteria | None:
        """By what the outputs of a candidate made on this block are judged, under an assumption
        (D35). ``None`` when the assumption does not fit or the para is not registered."""
        store = self._assuming(state, para, assumption)
        paras = self._parachains.paras
        if store is None or not paras.is_registered(store, para):
            return None
        return paras.acceptance_criteria(store, para, self._parachains.system.block_number(state))

    def planned_upgrade(
        self, state: State, para: ParaId, assumption: OccupiedCoreAssumption
    ) -> PlannedUpgrade | None:
        """The code that waits for its time while a candidate made on this block is judged, under
        an assumption."""
        store = self._assuming(state, para, assumption)
        return None if store is None else self._parachains.paras.planned_upgrade(store, para)

    def new_code_expected_at(self, state: State) -> BlockNumber:
        """When code that a candidate made on this block announces will be expected."""
        number = self._parachains.system.block_number(state)
        return self._parachains.paras.new_code_expected_at(state, number)

    def validation_code_by_hash(
        self, state: State, code_hash: ValidationCodeHash
    ) -> ValidationCode | None:
        """Code that some para has, had or will have, or that a dispute has brought, as long as it
        is kept."""
        return self._parachains.remote_disputes.code_by_hash(state, code_hash)

    def parathread_claimed(self, state: State, para: ParaId) -> bool | None:
        """Whether a claim on the parathread waits or is scheduled. When the block of the last
        claim is on a core already, the next claim may come as soon as it is included. ``None``
        when the para is no parathread."""
        paras, scheduler = self._parachains.paras, self._parachains.scheduler
        if not paras.is_parathread(state, para):
            return None
        pending = self._parachains.inclusion.pending_availability.get(state, para)
        return para in scheduler.parathread_claim_index.get(state) and pending is None

    # Candidates

    def candidate_pending_availability(
        self, state: State, para: ParaId
    ) -> CommittedCandidateReceipt | None:
        """The candidate on the para's core that awaits availability."""
        return self._parachains.inclusion.candidate_pending_availability(state, para)

    def candidate_events(self, state: State) -> tuple[CandidateEvent, ...]:
        """What has become of candidates in this block, in order."""
        records = self._parachains.system.block_events(state)
        found = (_candidate_event(record.event) for record in records)
        return tuple(event for event in found if event is not None)

    def included_candidates(self, state: State) -> tuple[IncludedCandidate, ...]:
        """The candidates in their acceptance period, by including block, then by core."""
        return self._parachains.included.included_candidates(state)

    def included_by_block(self, state: State) -> tuple[IncludedCandidate, ...]:
        """The candidates that this block has included, by core, as far as they are needed."""
        now = self._parachains.system.block_number(state)
        session = self._parachains.windows.session_of(state, now)
        if session is None:
            return ()
        found = (
            self._parachains.included.included.get(state, (session, event.receipt.hash()))
            for event in self.candidate_events(state)
            if isinstance(event, CandidateIncludedEvent)
        )
        records = (record for record in found if record is not None)
        return tuple(sorted(records, key=lambda record: record.core))

    def recorded_blocks(self, state: State) -> tuple[BlockNumber, ...]:
        """The blocks of which candidates are recorded, for they are not accepted, or disputed, or
        in their acceptance period. What other forks have included counts to the block in which it
        became available here. Ascending."""
        blocks = self._parachains.windows.blocks.get(state)
        remote = self._parachains.included.remote.values(state)
        found = {*(block[0] for block in blocks), *(each.included_in for each in remote)}
        return tuple(sorted(found))

    def awaiting_checks(
        self, state: State, keys: Annotated[tuple[CandidateKey, ...], MaxLen(MAX_ASKED_AT_ONCE)]
    ) -> tuple[CandidateKey, ...]:
        """Those of these candidates that are recorded here and not accepted: checks of them may
        be brought."""
        included, approvals = self._parachains.included, self._parachains.approvals
        return tuple(
            key
            for key in keys
            if included.judged(state, key) is not None and not approvals.is_accepted(state, key)
        )

    def candidate_checks(self, state: State, key: CandidateKey) -> CheckState:
        """How far the checks of an included candidate have come."""
        return self._parachains.approvals.checks.get(state, key)

    def disputes(self, state: State) -> tuple[tuple[CandidateKey, DisputeState], ...]:
        """All disputes of sessions that can be judged, by session and hash, closed ones too."""
        return tuple(
            sorted(self._parachains.disputes.disputes.iterate(state), key=lambda it: it[0])
        )

    def may_dispute(self, state: State, session: SessionIndex, validator: ValidatorIndex) -> bool:
        """Whether a validator of that session may begin a dispute; not if there is none such."""
        disputes = self._parachains.disputes
        return self._has(state, session, validator) and disputes.may_open(state, session, validator)

    def may_dispute_remotely(
        self, state: State, session: SessionIndex, validator: ValidatorIndex
    ) -> bool:
        """Whether a validator of that session may begin a dispute of what another fork has
        included: there is room, and it answers for no other."""
        remote = self._parachains.remote_disputes
        is_asked = remote.has_room(state) and self._has(state, session, validator)
        return is_asked and remote.may_begin(state, session, validator)

    def _has(self, state: State, session: SessionIndex, validator: ValidatorIndex) -> bool:
        """Whether the session is judged, and has that validator."""
        info = self.session_info(state, session)
        return info is not None and validator < len(info.validators)

    def remote_disputes(self, state: State) -> tuple[tuple[CandidateKey, RemoteState], ...]:
        """The unconcluded disputes of candidates of other forks, by session and hash."""
        remote = self._parachains.remote_disputes.remote.iterate(state)
        return tuple(sorted(remote, key=lambda each: each[0]))

    def remote_candidates(self, state: State) -> tuple[IncludedCandidate, ...]:
        """The candidates of other forks that are disputed here and available, as if they were
        included when they became so: checkers are drawn for them too."""
        records = self._parachains.included.remote.values(state)
        return tuple(sorted(records, key=lambda record: record.key()))

    def frozen(self, state: State) -> BlockNumber | None:
        """The last block of this fork without an invalid candidate, when it has included one."""
        return self._parachains.disputes.frozen.get(state)

    def disabled_validators(self, state: State) -> frozenset[ValidatorIndex]:
        """Who may not back candidates in this session."""
        return self._parachains.inclusion.slashing.disabled(state)

    # How the answers come about

    def _child_of(self, state: State) -> Overlay:
        """No answer depends on the parent's hash, which the state does not hold."""
        return self._parachains.child_of(state, ZERO_HASH)

    def _assuming(
        self, state: State, para: ParaId, assumption: OccupiedCoreAssumption
    ) -> Overlay | None:
        """The state under the assumption; ``None`` when it does not fit."""
        inclusion = self._parachains.inclusion
        store = Overlay(state)
        pending = inclusion.pending_availability.get(store, para)
        if pending is not None and assumption is OccupiedCoreAssumption.FREE:
            return None
        if pending is not None and assumption is OccupiedCoreAssumption.INCLUDED:
            inclusion.include(store, para, pending)
        return store


def time_out_at(
    rotation: GroupRotationInfo, occupied_since: BlockNumber, period: BlockNumber
) -> BlockNumber:
    """The first block, from ``rotation.now`` on, in which a candidate times out (D4): occupied
    for the period, and less than the period after a rotation."""
    first = max(rotation.now, occupied_since + period)
    frequency = rotation.group_rotation_frequency
    if frequency:
        since_rotation = (first - rotation.session_start_block) % frequency
        if since_rotation >= period:
            first += frequency - since_rotation
    return block_at(first)


def _scheduled_core(assignment: CoreAssignment) -> ScheduledCore:
    return ScheduledCore(assignment.para_id, assignment.collator)


def _claimed_core(entry: ParathreadEntry | None) -> ScheduledCore | None:
    return None if entry is None else ScheduledCore(entry.claim.para_id, entry.claim.collator)


def _candidate_event(event: RuntimeEvent) -> CandidateEvent | None:
    match event:
        case CandidateBacked(receipt, head, core, group):
            return CandidateBackedEvent(receipt, head, core, group)
        case CandidateIncluded(receipt, head, core, group):
            return CandidateIncludedEvent(receipt, head, core, group)
        case CandidateTimedOut(receipt, head, core):
            return CandidateTimedOutEvent(receipt, head, core)
        case _:
            return None
