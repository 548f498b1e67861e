"""How the steps of the inherent treat what they are given: executing a block, or making one (A50).

The steps are the same. Who executes a block refuses all of it for one bad item; who makes one
leaves the item out, and goes on as if it had never been there. So what is left is accepted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from parahost.primitives.approval import Approval, Assignment, SecondaryChecks
from parahost.primitives.availability import SignedAvailabilityBitfield
from parahost.primitives.basic import CoreIndex, ParaId, ValidatorIndex
from parahost.primitives.disputes import DisputeStatementSet
from parahost.primitives.remote_disputes import AvailabilityVotes
from parahost.primitives.statements import BackedCandidate

T = TypeVar("T")

InherentItem = (
    DisputeStatementSet
    | SignedAvailabilityBitfield
    | BackedCandidate
    | SecondaryChecks
    | AvailabilityVotes
    | Assignment
    | Approval
)
"""What is admitted or refused by itself."""

CoreOf = Callable[[ParaId], CoreIndex | None]
"""The core that is scheduled for a para."""


@dataclass(frozen=True, slots=True)
class ProcessedBitfields:
    """The bitfields that count, and the cores that they free, ascending."""

    counted: tuple[SignedAvailabilityBitfield, ...]
    freed: tuple[CoreIndex, ...]


@dataclass(frozen=True, slots=True)
class ProcessedCandidates:
    """The candidates that were taken, and their cores, ascending."""

    taken: tuple[BackedCandidate, ...]
    cores: tuple[CoreIndex, ...]


class Admission(Protocol):
    """Executing a block, or making one."""

    def admit(self, item: InherentItem, judge: Callable[[], T]) -> T | None:
        """What ``judge`` makes of the item; ``None`` when it stays out. ``judge`` raises
        ``InvalidBlock`` before it has written anything, or not at all."""
        ...

    def attempt(self, judge: Callable[[], T]) -> T | None:
        """The same for a part of an item, which is admitted or refused as a whole afterwards."""
        ...

    def bitfields(
        self, given: Sequence[SignedAvailabilityBitfield], pending: frozenset[CoreIndex]
    ) -> Sequence[SignedAvailabilityBitfield]:
        """In the order in which they are to be judged. On the ``pending`` cores, and on no others,
        a candidate can be voted for."""
        ...

    def candidates(
        self, given: Sequence[BackedCandidate], core_of: CoreOf
    ) -> Sequence[BackedCandidate]:
        """In the order in which they are to be judged."""
        ...

    def backing(
        self,
        backed: BackedCandidate,
        group: Sequence[ValidatorIndex],
        disabled: frozenset[ValidatorIndex],
    ) -> BackedCandidate:
        """With the votes of the group that are to be judged."""
        ...


class Strictly:
    """Executing a block: all is taken in the order given, or the block is invalid."""

    def admit(self, item: InherentItem, judge: Callable[[], T]) -> T | None:
        return judge()

    def attempt(self, judge: Callable[[], T]) -> T | None:
        return judge()

    def bitfields(
        self, given: Sequence[SignedAvailabilityBitfield], pending: frozenset[CoreIndex]
    ) -> Sequence[SignedAvailabilityBitfield]:
        return given

    def candidates(
        self, given: Sequence[BackedCandidate], core_of: CoreOf
    ) -> Sequence[BackedCandidate]:
        return given

    def backing(
        self,
        backed: BackedCandidate,
        group: Sequence[ValidatorIndex],
        disabled: frozenset[ValidatorIndex],
    ) -> BackedCandidate:
        return backed


STRICTLY = Strictly()
