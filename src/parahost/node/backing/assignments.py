"""Who may back what in a child of a relay parent (A73, A80).

A candidate goes into a child of its relay parent. There its core must be free: it is so already,
or the same child makes it so by bringing the bitfields that complete the candidate on it. So a core
that is occupied counts as its next para's, with the candidate on it taken as included; this lets a
para have a block in each relay block instead of in each second one. When the bitfields do not come
in time, the runtime does not accept such a candidate, and the next relay parent has another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from parahost.node.session import ChildSession
from parahost.primitives.acceptance import AcceptanceCriteria
from parahost.primitives.basic import (
    U32,
    CandidateHash,
    CollatorId,
    CoreIndex,
    Hash,
    ParaId,
    ValidationCode,
    ValidatorId,
    ValidatorIndex,
)
from parahost.primitives.candidates import CandidateDescriptor, PersistedValidationData
from parahost.primitives.runtime_api import (
    CoreScheduled,
    CoreState,
    OccupiedCore,
    OccupiedCoreAssumption,
    ScheduledCore,
    ValidatorGroups,
)
from parahost.primitives.values import dataclass


@dataclass(frozen=True, slots=True)
class ParaAssignment:
    """A para that may have a candidate in a child of the relay parent, and who judges it."""

    core: CoreIndex
    para_id: ParaId
    collator: CollatorId | None
    """The owner of the claim; ``None`` when any collator may deliver."""
    assumption: OccupiedCoreAssumption
    """Under which the para's validation data hold."""
    group: tuple[ValidatorIndex, ...]
    builds_on: CandidateHash | None = None
    """The candidate that is on the core still, and is taken as included."""

    def misfit(self, relay_parent: Hash, descriptor: CandidateDescriptor) -> str | None:
        """Why the runtime would not accept such a candidate here, whatever its function says
        (A80); ``None`` when it may."""
        if descriptor.relay_parent != relay_parent:
            return "made for another relay parent"
        if descriptor.para_id != self.para_id:
            return f"para {descriptor.para_id} is not assigned here"
        if self.collator not in (None, descriptor.collator):
            return "the claim on the core is another collator's"
        return None


@dataclass(frozen=True, slots=True)
class Basis:
    """By what a para's next candidate is made and judged, on one relay parent."""

    validation_data: PersistedValidationData
    code: ValidationCode
    criteria: AcceptanceCriteria


@dataclass(frozen=True, slots=True)
class Assignments:
    """All assignments at one relay parent."""

    session: ChildSession
    paras: Mapping[ParaId, ParaAssignment]

    def group(self, para: ParaId) -> tuple[ValidatorIndex, ...]:
        """Who may make statements on the para's candidates: nobody when it has no core."""
        assignment = self.paras.get(para)
        return () if assignment is None else assignment.group

    def group_keys(self, para: ParaId) -> tuple[ValidatorId, ...]:
        """The same validators by their keys."""
        return tuple(self.session.validators[index] for index in self.group(para))

    def of(self, validator: ValidatorIndex) -> ParaAssignment | None:
        """What that validator is assigned to."""
        for assignment in self.paras.values():
            if validator in assignment.group:
                return assignment
        return None


def next_up(core: CoreState) -> tuple[ScheduledCore, OccupiedCoreAssumption] | None:
    """Who may have a candidate on that core in a child, and under which assumption."""
    match core:
        case CoreScheduled(scheduled):
            return scheduled, OccupiedCoreAssumption.FREE
        case OccupiedCore(next_up_on_available=ScheduledCore() as scheduled):
            return scheduled, OccupiedCoreAssumption.INCLUDED
        case _:
            return None


def assign(groups: ValidatorGroups, cores: Sequence[CoreState]) -> dict[ParaId, ParaAssignment]:
    """Cores to groups as they are rotated in the child, ascending by core."""
    paras: dict[ParaId, ParaAssignment] = {}
    for index, state in enumerate(cores):
        following = next_up(state)
        core = CoreIndex(U32(index))
        if following is None or not groups.groups:
            continue
        scheduled, assumption = following
        builds_on = state.candidate_hash if isinstance(state, OccupiedCore) else None
        group = groups.groups[groups.rotation.group_for_core(core, len(cores))]
        paras[scheduled.para_id] = ParaAssignment(
            core, scheduled.para_id, scheduled.collator, assumption, group, builds_on
        )
    return paras
