"""Scheduler: which para and which group have which core (A22-A37)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from parahost.primitives.basic import (
    U32,
    BlockNumber,
    CollatorId,
    CoreIndex,
    GroupIndex,
    ParaId,
)
from parahost.primitives.runtime_api import GroupRotationInfo
from parahost.primitives.scale import variant
from parahost.runtime.errors import ModuleError, RuntimeBug
from parahost.runtime.module import Module
from parahost.runtime.pallets import Pallet
from parahost.runtime.parachains.configuration import Configuration
from parahost.runtime.parachains.groups import Group, validator_groups
from parahost.runtime.parachains.notification import SessionChangeNotification
from parahost.runtime.parachains.paras import NotRegistered, Paras
from parahost.runtime.parachains.parathreads import (
    ParathreadClaim,
    ParathreadEntry,
    ParathreadQueue,
)
from parahost.runtime.storage import Overlay, Reader, StorageValue
from parahost.runtime.system import System

# Types


@variant(0)
@dataclass(frozen=True, slots=True)
class OccupiedByParathread:
    entry: ParathreadEntry


@variant(1)
@dataclass(frozen=True, slots=True)
class OccupiedByParachain:
    """The one to which the core belongs."""


CoreOccupied = OccupiedByParathread | OccupiedByParachain


@dataclass(frozen=True, slots=True)
class CoreAssignment:
    """A free core and who may use it. ``collator`` and ``retries`` are the claim's, on parathread
    cores; on a parachain's they are ``None`` and 0."""

    core: CoreIndex
    para_id: ParaId
    collator: CollatorId | None
    group_idx: GroupIndex
    retries: U32

    def occupant(self) -> CoreOccupied:
        """Who occupies the core when a candidate is backed."""
        if self.collator is None:
            return OccupiedByParachain()
        claim = ParathreadClaim(self.para_id, self.collator)
        return OccupiedByParathread(ParathreadEntry(claim, self.retries))


class FreedReason(Enum):
    """Why a core is no longer occupied (D5)."""

    CONCLUDED = "the candidate became available"
    TIMED_OUT = "the candidate did not become available in time"


class ClaimExists(ModuleError, index=0):
    """Another claim on the parathread waits or is served."""

    def __init__(self, para: ParaId) -> None:
        super().__init__(f"a claim on parathread {para} is waiting or on a core; wait for its end")
        self.para = para


class QueueFull(ModuleError, index=1):
    """Too many claims wait."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"{limit} claims are waiting already, as many as may")
        self.limit = limit


class CannotOccupy(RuntimeBug):
    """Cores that are not scheduled, or not in ascending order, were to become occupied (A35)."""

    def __init__(self, cores: Sequence[CoreIndex], scheduled: Sequence[CoreIndex]) -> None:
        super().__init__(f"cores {list(cores)} cannot be occupied, scheduled {list(scheduled)}")
        self.cores = tuple(cores)
        self.scheduled = tuple(scheduled)


TimeoutPredicate = Callable[[CoreIndex, BlockNumber], bool]
"""Whether a candidate on that core, pending since that block, is timed out."""


class Scheduler(Module, pallet=Pallet(55, "ParaScheduler")):
    """Which group backs which para on which core."""

    errors = (ClaimExists, QueueFull)

    # Storage

    validator_groups = StorageValue("ValidatorGroups", tuple[Group, ...], default=())
    """One for each core; none without validators."""
    parathread_queue = StorageValue("ParathreadQueue", ParathreadQueue, default=ParathreadQueue())
    """The claims that wait, in order."""
    availability_cores = StorageValue(
        "AvailabilityCores",
        tuple[CoreOccupied | None, ...],
        default=(),
    )
    """``None`` for a free core. The i'th parachain has the i'th core, the rest multiplex
    parathreads (A25)."""
    parathread_claim_index = StorageValue("ParathreadClaimIndex", tuple[ParaId, ...], default=())
    """The parathreads with a claim that waits, is scheduled, or occupies a core; ascending."""
    session_start_block = StorageValue(
        "SessionStartBlock", BlockNumber, default=BlockNumber(U32(0))
    )
    """The first block of this session."""
    scheduled_item = StorageValue("Scheduled", tuple[CoreAssignment, ...], default=())
    """Free cores that may become occupied; ascending by core, gone when the block ends."""

    def __init__(self, system: System, configuration: Configuration, paras: Paras) -> None:
        self.system = system
        self.configuration = configuration
        self.paras = paras

    # Session change

    def on_session_change(self, store: Overlay, notification: SessionChangeNotification) -> None:
        """Clear and resize the cores, form new groups, tidy the queue (A26-A28)."""
        self.session_start_block.put(store, self.system.block_number(store))
        config = notification.new_config
        returned = self._clear_cores(store)
        cores = len(self.paras.parachains(store)) + config.parathread_cores
        self.availability_cores.put(store, (None,) * cores)
        self.validator_groups.put(
            store,
            validator_groups(len(notification.validators), cores, notification.random_seed),
        )
        self._tidy_queue(
            store,
            returned,
            outgoing=notification.outgoing,
            cores=config.parathread_cores,
            cores_before=notification.prev_config.parathread_cores,
            max_retries=config.parathread_retries,
        )

    def _clear_cores(self, store: Overlay) -> list[ParathreadEntry]:
        """Free all cores; gives the claims that were on them, their retries unchanged."""
        if self.scheduled(store):
            raise RuntimeBug("cores are scheduled while the session changes")
        return [
            occupied.entry
            for occupied in self.availability_cores.take(store)
            if isinstance(occupied, OccupiedByParathread)
        ]

    def _tidy_queue(
        self,
        store: Overlay,
        returned: Iterable[ParathreadEntry],
        *,
        outgoing: Collection[ParaId],
        cores: int,
        cores_before: int,
        max_retries: int,
    ) -> None:
        """Take claims back, drop those over their retries or of threads that are gone, also of
        those that have come back as others, and spread the rest anew when the number of cores
        changed. Without cores all claims are dropped."""

        def stays(entry: ParathreadEntry) -> bool:
            return (
                cores > 0
                and entry.retries <= max_retries
                and entry.claim.para_id not in outgoing
                and self.paras.is_parathread(store, entry.claim.para_id)
            )

        queue = self.parathread_queue.get(store).retained(stays)
        back = [entry for entry in returned if stays(entry)]
        if cores != cores_before:
            # Old core numbers mean nothing now: only the order counts until the rebalancing.
            for entry in back:
                queue = queue.enqueued(entry, max(cores_before, 1))
            queue = queue.rebalanced(cores) if cores else ParathreadQueue()
        else:
            for entry in back:
                queue = queue.enqueued(entry, cores)
        self.parathread_queue.put(store, queue)
        indexed = sorted(queued.claim.claim.para_id for queued in queue.queue)
        self.parathread_claim_index.put(store, tuple(indexed))

    # Initialisation

    def initialize(self, store: Overlay) -> None:
        """Schedule the free cores (A29)."""
        self.schedule(store, {})

    # Entry points: none

    # Routines: claims

    def add_parathread_claim(self, store: Overlay, claim: ParathreadClaim) -> None:
        """Let a claim wait for the core whose turn it is (A31).

        :raises NotRegistered: when the para is no parathread.
        :raises ClaimExists: when there is a claim on the same parathread.
        :raises QueueFull: when as many claims wait as look-ahead and cores allow.
        """
        if not self.paras.is_parathread(store, claim.para_id):
            raise NotRegistered(claim.para_id)
        index = self.parathread_claim_index.get(store)
        if claim.para_id in index:
            raise ClaimExists(claim.para_id)
        config = self.configuration.configuration(store)
        queue = self.parathread_queue.get(store)
        limit = config.scheduling_lookahead * config.parathread_cores
        if len(queue.queue) >= limit:
            raise QueueFull(limit)
        entry = ParathreadEntry(claim, U32(0))
        self.parathread_queue.put(store, queue.enqueued(entry, config.parathread_cores))
        self.parathread_claim_index.put(store, tuple(sorted((*index, claim.para_id))))

    def _drop_from_index(self, store: Overlay, para: ParaId) -> None:
        self.parathread_claim_index.mutate(
            store, lambda index: tuple(id_ for id_ in index if id_ != para)
        )

    # Routines: scheduling

    def schedule(self, store: Overlay, freed: Mapping[CoreIndex, FreedReason]) -> None:
        """Take back the freed cores, and assign every free core that has none to use it (A32)."""
        for core in sorted(freed):
            self._free(store, core, freed[core])
        cores = self.availability_cores.get(store)
        if not self.validator_groups.get(store):
            return
        parachains = self.paras.parachains(store)
        rotation = self.rotation_info(store)
        queue = self.parathread_queue.get(store)
        assignments = {assignment.core: assignment for assignment in self.scheduled(store)}
        for index, occupied in enumerate(cores):
            core = CoreIndex(U32(index))
            if occupied is not None or core in assignments:
                continue
            group = rotation.group_for_core(core, len(cores))
            if index < len(parachains):
                assignments[core] = CoreAssignment(core, parachains[index], None, group, U32(0))
                continue
            relative = CoreIndex(U32(index - len(parachains)))
            entry = queue.first_on_core(relative)
            if entry is not None:
                queue = queue.without_first_on_core(relative)
                claim = entry.claim
                assignments[core] = CoreAssignment(
                    core, claim.para_id, claim.collator, group, entry.retries
                )
        self.parathread_queue.put(store, queue)
        self.scheduled_item.put(store, tuple(assignments[core] for core in sorted(assignments)))

    def _free(self, store: Overlay, core: CoreIndex, reason: FreedReason) -> None:
        """A freed core's claim is done with if its candidate became available; if not, it waits
        again, its retries unchanged: that was not its collator's fault (D5, A37)."""
        cores = self.availability_cores.get(store)
        occupied = cores[core]
        if occupied is None:
            raise RuntimeBug(f"core {core} was freed, it was not occupied")
        self.availability_cores.put(store, (*cores[:core], None, *cores[core + 1 :]))
        if isinstance(occupied, OccupiedByParachain):
            return
        if reason is FreedReason.CONCLUDED:
            self._drop_from_index(store, occupied.entry.claim.para_id)
            return
        config = self.configuration.configuration(store)
        self.parathread_queue.mutate(
            store, lambda queue: queue.enqueued(occupied.entry, config.parathread_cores)
        )

    def scheduled(self, store: Reader) -> tuple[CoreAssignment, ...]:
        """The cores that may become occupied in this block, ascending (A34)."""
        return self.scheduled_item.get(store)

    def occupied(self, store: Overlay, cores: Sequence[CoreIndex]) -> None:
        """Candidates were backed on these cores: they are occupied from now on (A35).

        :raises CannotOccupy: unless all are scheduled, and strictly ascending.
        """
        assignments = {assignment.core: assignment for assignment in self.scheduled(store)}
        if list(cores) != sorted(set(cores)) or not set(cores) <= set(assignments):
            raise CannotOccupy(cores, tuple(assignments))
        now_occupied = list(self.availability_cores.get(store))
        for core in cores:
            now_occupied[core] = assignments.pop(core).occupant()
        self.availability_cores.put(store, tuple(now_occupied))
        self.scheduled_item.put(store, tuple(assignments.values()))

    def withdraw(self, store: Overlay) -> None:
        """Free the scheduled cores: this block takes no candidates. Their claims wait again, their
        retries unchanged."""
        self._free_scheduled(store, lambda assignment: False)

    def _free_scheduled(self, store: Overlay, was_tried: Callable[[CoreAssignment], bool]) -> None:
        config = self.configuration.configuration(store)
        for assignment in self.scheduled_item.take(store):
            occupant = assignment.occupant()
            if isinstance(occupant, OccupiedByParachain):
                continue
            entry = occupant.entry.retried() if was_tried(assignment) else occupant.entry
            if entry.retries <= config.parathread_retries:
                queue = self.parathread_queue.get(store)
                self.parathread_queue.put(store, queue.enqueued(entry, config.parathread_cores))
            else:
                self._drop_from_index(store, entry.claim.para_id)

    # Routines: lookups

    def core_para(self, store: Reader, core: CoreIndex) -> ParaId | None:
        """The para that occupies the core or is scheduled on it (A34)."""
        cores = self.availability_cores.get(store)
        if not 0 <= core < len(cores):
            return None
        occupied = cores[core]
        if isinstance(occupied, OccupiedByParathread):
            return occupied.entry.claim.para_id
        if isinstance(occupied, OccupiedByParachain):
            return self.paras.parachains(store)[core]
        for assignment in self.scheduled(store):
            if assignment.core == core:
                return assignment.para_id
        return None

    def group_validators(self, store: Reader, group: GroupIndex) -> Group | None:
        """The members of a group of this session (A34)."""
        groups = self.validator_groups.get(store)
        return groups[group] if 0 <= group < len(groups) else None

    def rotation_info(self, store: Reader) -> GroupRotationInfo:
        """How the groups rotate, and as of which block."""
        return GroupRotationInfo(
            session_start_block=self.session_start_block.get(store),
            group_rotation_frequency=self.configuration.configuration(
                store
            ).parachain_rotation_frequency,
            now=self.system.block_number(store),
        )

    def availability_period(self, store: Reader, core: CoreIndex) -> BlockNumber:
        """For how long a candidate may be pending on the core."""
        config = self.configuration.configuration(store)
        if core < len(self.paras.parachains(store)):
            return config.chain_availability_period
        return config.thread_availability_period

    def availability_timeout_predicate(self, store: Reader) -> TimeoutPredicate | None:
        """What tells timed-out candidates; ``None`` when none can be timed out now, because the
        last rotation is too long ago (A36, D4)."""
        config = self.configuration.configuration(store)
        rotation = self.rotation_info(store)
        since_rotation = rotation.blocks_since_rotation
        if since_rotation >= max(
            config.chain_availability_period, config.thread_availability_period
        ):
            return None

        def is_timed_out(core: CoreIndex, pending_since: BlockNumber) -> bool:
            period = self.availability_period(store, core)
            return since_rotation < period and rotation.now - pending_since >= period

        return is_timed_out

    # Finalisation

    def finalize(self, store: Overlay) -> None:
        """Free the scheduled cores. A claim that was not backed has one try less, and is dropped
        when that was the last (A30, D6). On a core whose group has no members, nobody could have
        backed it: that was no try."""
        self._free_scheduled(
            store, lambda assignment: bool(self.group_validators(store, assignment.group_idx))
        )

    # Consistency

    def check(self, store: Reader) -> None:
        """:raises RuntimeBug: when cores, groups, queue and index contradict each other."""
        config = self.configuration.configuration(store)
        parachains = self.paras.parachains(store)
        cores = self.availability_cores.get(store)
        groups = self.validator_groups.get(store)
        _expect(len(cores) == len(parachains) + config.parathread_cores, "number of cores", cores)
        _expect(len(groups) in (0, len(cores)), "number of groups", groups)
        members = sorted(validator for group in groups for validator in group)
        _expect(members == list(range(len(members))), "groups are no partition", groups)
        for core, occupied in enumerate(cores):
            _expect(
                not isinstance(
                    occupied,
                    OccupiedByParathread if core < len(parachains) else OccupiedByParachain,
                ),
                f"core {core} has the wrong kind of occupant",
                occupied,
            )
        scheduled = self.scheduled(store)
        listed = [assignment.core for assignment in scheduled]
        _expect(listed == sorted(set(listed)), "scheduled cores are out of order", listed)
        _expect(
            all(cores[core] is None for core in listed), "an occupied core is scheduled", listed
        )
        self._check_claims(store, config.parathread_cores)

    def _check_claims(self, store: Reader, cores: int) -> None:
        queue = self.parathread_queue.get(store)
        _expect(0 <= queue.next_core < max(cores, 1), "next core", queue)
        _expect(all(0 <= queued.core < cores for queued in queue.queue), "queued cores", queue)
        claimed = [queued.claim.claim.para_id for queued in queue.queue]
        for occupied in self.availability_cores.get(store):
            if isinstance(occupied, OccupiedByParathread):
                claimed.append(occupied.entry.claim.para_id)
        for assignment in self.scheduled(store):
            if assignment.collator is not None:
                claimed.append(assignment.para_id)
        index = self.parathread_claim_index.get(store)
        _expect(sorted(claimed) == list(index), "claims and their index", (claimed, index))
        _expect(
            all(self.paras.is_parathread(store, para) for para in index), "not parathreads", index
        )


def _expect(holds: bool, what: str, evidence: object) -> None:
    if not holds:
        raise RuntimeBug(f"ParaScheduler: {what}: {evidence}")
