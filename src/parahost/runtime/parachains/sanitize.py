"""What a block's author may put into its block of all that it was given (D8, D15, D22).

The steps of the inherent are gone here as they are when the block is executed, but for one thing:
what is refused stays out. So what is left is accepted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from parahost.primitives.approval import Approval, Assignment, SecondaryChecks
from parahost.primitives.availability import SignedAvailabilityBitfield
from parahost.primitives.basic import CoreIndex, ValidatorIndex
from parahost.primitives.disputes import DisputeStatementSet
from parahost.primitives.inherent import ParachainsInherentData
from parahost.primitives.limits import KIB, MAX_BODY_BYTES
from parahost.primitives.remote_disputes import AvailabilityVotes
from parahost.primitives.scale import BitVec, encode
from parahost.primitives.statements import BackedCandidate
from parahost.runtime.errors import InvalidBlock
from parahost.runtime.parachains.admission import CoreOf, InherentItem, T
from parahost.runtime.parachains.approval_weight import (
    APPROVAL,
    ASSIGNMENT,
    MAX_CHECKS_WEIGHT,
    availability_weight,
    checks_weight,
    notes_weight,
)
from parahost.runtime.parachains.host import Parachains
from parahost.runtime.parachains.inherent_weight import (
    BITFIELD,
    MAX_DISPUTES_WEIGHT,
    MAX_INCLUSION_WEIGHT,
    candidate_weight,
    disputes_weight,
    inclusion_weight,
)
from parahost.runtime.parachains.validity import NoteChecks
from parahost.runtime.storage import State
from parahost.runtime.weights import Weight

MAX_CHECKS_BYTES: Final = 192 * KIB
"""Of the checks of candidates in one block: those that weigh what they may have less."""
MAX_INHERENT_BYTES: Final = MAX_BODY_BYTES - MAX_CHECKS_BYTES - 256 * KIB
"""The rest of the body is for the timestamp and for small transactions."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """A candidate that stays out of the block, and why."""

    backed: BackedCandidate
    reason: str


@dataclass(frozen=True, slots=True)
class Sanitized:
    """What an author may put into its block, and the candidates that it may not. ``checks`` follow
    the inherent, when there are any."""

    inherent: ParachainsInherentData
    checks: NoteChecks
    dropped: tuple[Dropped, ...]


NO_CHECKS: Final = NoteChecks(())


def sanitize(
    parachains: Parachains,
    state: State,
    data: ParachainsInherentData,
    checks: NoteChecks = NO_CHECKS,
) -> Sanitized:
    """The part of ``data``, and of ``checks``, that a child of the block with that state accepts:
    it always does.

    Of several acceptable bitfields of one validator the fullest stays, of several candidates for
    one core the first. What does not fit into the block together may come with the next block.
    Disputes and checks have a share of the block each, which leaves room for the rest.

    :raises ValueError: when ``parent_header`` is not of the block with that state; nothing could
        be accepted with it.
    """
    header = data.parent_header
    if header.state_root != state.root:
        raise ValueError(
            f"the header of {header.hash().hex()} has the state root {header.state_root.hex()}, "
            f"the state {state.root.hex()}"
        )
    store = parachains.child_of(state, header.hash())
    empty = replace(data, bitfields=(), backed_candidates=(), disputes=())
    share = _lesser(notes_weight(checks.checks, checks.availability), MAX_CHECKS_WEIGHT)
    making = Making(
        MAX_INHERENT_BYTES - len(encode(empty)),
        MAX_INCLUSION_WEIGHT - inclusion_weight(empty) - share,
    )
    inherent = parachains.inclusion_inherent.process(store, data, making)
    noted = parachains.validity.process_checks(store, checks, Making(MAX_CHECKS_BYTES, share))
    return Sanitized(inherent, noted, tuple(making.dropped))


def _lesser(one: Weight, other: Weight) -> Weight:
    return one if one.is_within(other) else other


class NoRoom(InvalidBlock):
    """The block is full."""

    def __init__(self) -> None:
        super().__init__("the block has no room left for it")


class Making:
    """Making a block: what is refused, or does not fit, stays out of it."""

    def __init__(self, room_bytes: int, room_weight: Weight) -> None:
        self.dropped: list[Dropped] = []
        self._bytes = room_bytes
        self._weight = room_weight
        self._disputes_weight = MAX_DISPUTES_WEIGHT

    def admit(self, item: InherentItem, judge: Callable[[], T]) -> T | None:
        """What does not fit does not keep out what comes after it."""
        size, weight = len(encode(item)), _weight(item)
        try:
            if size > self._bytes or not weight.is_within(self._room(item)):
                raise NoRoom
            admitted = judge()
        except InvalidBlock as why:
            if isinstance(item, BackedCandidate):
                self.dropped.append(Dropped(item, str(why)))
            return None
        self._bytes -= size
        self._weight -= weight
        if isinstance(item, DisputeStatementSet):
            self._disputes_weight -= weight
        return admitted

    def _room(self, item: InherentItem) -> Weight:
        """What is left for it. Disputes have a share; what is refused takes nothing of it."""
        if isinstance(item, DisputeStatementSet):
            return _lesser(self._weight, self._disputes_weight)
        return self._weight

    def attempt(self, judge: Callable[[], T]) -> T | None:
        try:
            return judge()
        except InvalidBlock:
            return None

    def bitfields(
        self, given: Sequence[SignedAvailabilityBitfield], pending: frozenset[CoreIndex]
    ) -> Sequence[SignedAvailabilityBitfield]:
        """Those that count, ascending by validator, the fullest first: of one validator, the others
        are refused."""
        useful = (each for each in given if pending.issuperset(each.bitfield.ones()))
        return sorted(useful, key=lambda each: (each.validator_index, -each.bitfield.count()))

    def candidates(
        self, given: Sequence[BackedCandidate], core_of: CoreOf
    ) -> Sequence[BackedCandidate]:
        """Ascending by core, then as they came; those without a core are refused."""
        return sorted(given, key=lambda each: core_of(each.candidate.descriptor.para_id) or 0)

    def backing(
        self,
        backed: BackedCandidate,
        group: Sequence[ValidatorIndex],
        disabled: frozenset[ValidatorIndex],
    ) -> BackedCandidate:
        """Without the votes of those who may not take part."""
        bits = backed.validator_indices
        if len(bits) != len(group) or bits.count() != len(backed.validity_votes):
            return backed
        kept = [
            (position, vote)
            for position, vote in zip(bits.ones(), backed.validity_votes, strict=True)
            if group[position] not in disabled
        ]
        if len(kept) == len(backed.validity_votes):
            return backed
        return replace(
            backed,
            validity_votes=tuple(vote for _, vote in kept),
            validator_indices=BitVec.with_ones(len(group), [position for position, _ in kept]),
        )


def _weight(item: InherentItem) -> Weight:
    """Of one item by itself: checks are judged one by one, beside their candidate."""
    match item:
        case DisputeStatementSet():
            return disputes_weight(item)
        case SignedAvailabilityBitfield():
            return BITFIELD
        case BackedCandidate():
            return candidate_weight(item)
        case SecondaryChecks():
            return checks_weight(item)
        case AvailabilityVotes():
            return availability_weight(item)
        case Assignment():
            return ASSIGNMENT
        case Approval():
            return APPROVAL
