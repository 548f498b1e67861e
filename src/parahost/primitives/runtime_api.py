"""What the runtime tells the node (A115, D19): the answers of the Runtime APIs.

An answer given at block b holds for b's children.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from parahost.primitives.approval import ApprovalParameters, RelayVrfStory
from parahost.primitives.basic import (
    H256,
    U32,
    BlockNumber,
    CandidateHash,
    CollatorId,
    CoreIndex,
    GroupIndex,
    Hash,
    HeadData,
    ParaId,
    SessionIndex,
    Slot,
    ValidationCodeHash,
    ValidatorId,
    ValidatorIndex,
)
from parahost.primitives.candidates import CandidateDescriptor, CandidateReceipt
from parahost.primitives.scale import BitVec, variant


class OccupiedCoreAssumption(IntEnum):
    """What to suppose of the candidate that is pending on the para's core."""

    INCLUDED = 0
    """It becomes available, and its para moves on."""
    TIMED_OUT = 1
    """It does not, and its para stays where it is."""
    FREE = 2
    """There is none: no answer when there is one."""


# Code


@dataclass(frozen=True, slots=True)
class PlannedUpgrade:
    """Code that a para has asked for and that does not judge its blocks yet. It will judge those
    that follow the first one whose relay parent has the number ``expected_at`` or a higher one."""

    code_hash: ValidationCodeHash
    expected_at: BlockNumber


# Groups


@dataclass(frozen=True, slots=True)
class GroupRotationInfo:
    """Which group serves which core (A33, D2): group i serves core (i + k) % n, where k counts
    the rotations since the session's start."""

    session_start_block: BlockNumber
    group_rotation_frequency: BlockNumber
    """In blocks; 0 never rotates."""
    now: BlockNumber

    @property
    def rotations(self) -> int:
        """k."""
        if not self.group_rotation_frequency:
            return 0
        return self._elapsed // self.group_rotation_frequency

    @property
    def blocks_since_rotation(self) -> int:
        """Blocks since the last rotation or, without one, since the session's start; 0 when the
        groups never rotate (D4)."""
        if not self.group_rotation_frequency:
            return 0
        return self._elapsed % self.group_rotation_frequency

    @property
    def _elapsed(self) -> int:
        return max(self.now - self.session_start_block, 0)

    def core_for_group(self, group: GroupIndex, cores: int) -> CoreIndex:
        """The core that the group serves, of so many cores."""
        return CoreIndex(U32((group + self.rotations) % cores))

    def group_for_core(self, core: CoreIndex, cores: int) -> GroupIndex:
        """The group that serves the core, of so many cores."""
        return GroupIndex(U32((core - self.rotations) % cores))


@dataclass(frozen=True, slots=True)
class ValidatorGroups:
    """The session's groups, by group index, and how they rotate."""

    groups: tuple[tuple[ValidatorIndex, ...], ...]
    rotation: GroupRotationInfo


# Cores


@dataclass(frozen=True, slots=True)
class ScheduledCore:
    """Who may use a core next. ``collator`` is the owner of the claim, on parathread cores."""

    para_id: ParaId
    collator: CollatorId | None


@variant(0, name="Occupied")
@dataclass(frozen=True, slots=True)
class OccupiedCore:
    """A candidate on the core awaits availability."""

    next_up_on_available: ScheduledCore | None
    """Who uses the core if the candidate becomes available."""
    occupied_since: BlockNumber
    time_out_at: BlockNumber
    """The first block in which the candidate can time out, if the session lasts so long."""
    next_up_on_time_out: ScheduledCore | None
    availability: BitVec
    """One bit per validator: who has voted that it holds its chunk."""
    group_responsible: GroupIndex
    """The group that backed the candidate, and answers for its chunks (A37)."""
    candidate_hash: CandidateHash
    candidate_descriptor: CandidateDescriptor

    @property
    def para_id(self) -> ParaId:
        return self.candidate_descriptor.para_id


@variant(1, name="Scheduled", unnamed=True)
@dataclass(frozen=True, slots=True)
class CoreScheduled:
    """The core is free for a candidate of this para."""

    scheduled: ScheduledCore

    @property
    def para_id(self) -> ParaId:
        return self.scheduled.para_id


@variant(2, name="Free")
@dataclass(frozen=True, slots=True)
class CoreFree:
    """Nobody has a claim on the core."""


CoreState = OccupiedCore | CoreScheduled | CoreFree


# Sessions and candidates


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """What stays known of a session as long as its candidates can be disputed (A56)."""

    session_index: SessionIndex
    validators: tuple[ValidatorId, ...]
    groups: tuple[tuple[ValidatorIndex, ...], ...]
    cores: U32
    approval: ApprovalParameters
    """How its candidates are checked."""

    def index_of(self, public: bytes) -> ValidatorIndex | None:
        """Which validator has the key, if any."""
        if public not in self.validators:
            return None
        return ValidatorIndex(U32(self.validators.index(ValidatorId(H256(public)))))


@variant(0, name="CandidateBacked", unnamed=True)
@dataclass(frozen=True, slots=True)
class CandidateBackedEvent:
    receipt: CandidateReceipt
    head: HeadData
    core: CoreIndex
    group: GroupIndex


@variant(1, name="CandidateIncluded", unnamed=True)
@dataclass(frozen=True, slots=True)
class CandidateIncludedEvent:
    receipt: CandidateReceipt
    head: HeadData
    core: CoreIndex
    group: GroupIndex


@variant(2, name="CandidateTimedOut", unnamed=True)
@dataclass(frozen=True, slots=True)
class CandidateTimedOutEvent:
    receipt: CandidateReceipt
    head: HeadData
    core: CoreIndex


CandidateEvent = CandidateBackedEvent | CandidateIncludedEvent | CandidateTimedOutEvent
"""What has become of a candidate in a block."""


@dataclass(frozen=True, slots=True)
class IncludedCandidate:
    """A candidate that is available, as its checkers need it (D20)."""

    session: SessionIndex
    receipt: CandidateReceipt
    core: CoreIndex
    backing_group: GroupIndex
    backers: tuple[ValidatorIndex, ...]
    relay_parent_number: BlockNumber
    included_in: BlockNumber
    """The block of this fork that included it."""
    included_slot: Slot
    """That block's slot: the checkers' time is counted from it."""
    parent_hash: Hash
    """That block's parent: the last ancestor without the candidate (A57)."""
    relay_vrf_story: RelayVrfStory
    """What the VRF output of that block's author says to the checkers."""

    def key(self) -> tuple[SessionIndex, CandidateHash]:
        """By what it is recorded."""
        return self.session, self.receipt.hash()
