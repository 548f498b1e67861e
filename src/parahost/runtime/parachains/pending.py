"""What Inclusion keeps of candidates that await availability (A38)."""

from __future__ import annotations

from dataclasses import dataclass

from parahost.primitives.basic import U32, BlockNumber, CoreIndex, GroupIndex, ValidatorIndex
from parahost.primitives.candidates import CandidateReceipt
from parahost.primitives.scale import BitVec
from parahost.runtime.parachains.included import NewlyIncluded


@dataclass(frozen=True, slots=True)
class AvailabilityBitfield:
    """A bitfield that counted."""

    bitfield: BitVec
    """One bit per core."""
    submitted_at: BlockNumber
    """For accounting: what the bits mean may change over time."""


@dataclass(frozen=True, slots=True)
class CandidatePendingAvailability:
    """A backed candidate on its core."""

    core: CoreIndex
    receipt: CandidateReceipt
    """Without the commitments, which may hold new code: they are kept apart."""
    availability_votes: BitVec
    """One bit per validator."""
    relay_parent_number: BlockNumber
    backed_in_number: BlockNumber
    backers: BitVec
    """One bit per validator."""
    backing_group: GroupIndex

    def newly_included(self) -> NewlyIncluded:
        """What is kept of it for checks and disputes, now that it is available."""
        return NewlyIncluded(
            receipt=self.receipt,
            core=self.core,
            backing_group=self.backing_group,
            backers=tuple(ValidatorIndex(U32(index)) for index in self.backers.ones()),
            relay_parent_number=self.relay_parent_number,
        )
