"""One candidate in the block that included it: who checks it, and whether that is enough (D22).

A block's candidates have checkers of their own, even if the same candidate is included on another
fork: they are drawn from the block. What a checker has found counts wherever it was drawn.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from parahost.approval.completeness import completeness
from parahost.approval.criteria import OwnAssignment
from parahost.approval.tranches import Assigned, Enough, Everybody, Required, Waiting
from parahost.primitives.approval import Assignment, Tranche
from parahost.primitives.basic import Slot, ValidatorIndex
from parahost.primitives.runtime_api import IncludedCandidate, SessionInfo


@dataclass(frozen=True, slots=True)
class TrancheTime:
    """Tranches counted from the beginning of a slot; the moments are milliseconds since the Unix
    epoch."""

    slot: Slot
    slot_ms: int
    per_slot: int

    def at(self, now_ms: int) -> int:
        """The tranche whose time it is: 0 before the slot too, for clocks differ."""
        return max((now_ms - self.slot * self.slot_ms) * self.per_slot // self.slot_ms, 0)

    def begins(self, tranche: int) -> int:
        """When a tranche's time comes."""
        return self.slot * self.slot_ms - (-tranche * self.slot_ms // self.per_slot)


@dataclass(frozen=True, slots=True)
class CheckStanding:
    """How a candidate stands at a moment. ``joins``: this node's own assignment is needed now.
    ``due``: the tranche in which to look again, if nothing is heard before."""

    is_approved: bool
    joins: bool
    late: int
    due: int | None


@dataclass(slots=True)
class Checking:
    """What is known of the checkers of one candidate of a block."""

    record: IncludedCandidate
    session: SessionInfo
    time: TrancheTime
    me: ValidatorIndex | None
    """Which of the session's validators this node is, if it may check the candidate."""
    hears_until: int = 0
    """The tranche before which this node announces nothing: it came late, and is told what others
    do."""
    own: OwnAssignment | None = None
    announced: bool = False
    """Whether this node has said that it checks the candidate, in this life or before."""
    certified: bool = False
    """Whether it has made the proof of that."""
    told: bool = False
    """Whether it has said that it found the candidate valid."""
    is_approved: bool = False
    is_vouched: bool = False
    """Whether a supermajority has called the candidate valid in a dispute, by what the chain says:
    then it needs no checks any more."""
    late: int = 0
    """Checkers that do not deliver, as they were counted last."""
    due_ms: int | None = None
    assigned: dict[ValidatorIndex, Assigned] = field(default_factory=dict)
    proofs: dict[ValidatorIndex, Assignment] = field(default_factory=dict)

    def announce(self, validator: ValidatorIndex, tranche: Tranche, since: int) -> bool:
        """A validator checks the candidate; ``False`` when that is known. Who announces itself too
        early has until the end of its time."""
        if validator in self.assigned:
            return False
        self.assigned[validator] = Assigned(tranche, validator, max(since, tranche))
        if validator == self.me:
            self.announced = True
        return True

    def counted(self, approved: Collection[ValidatorIndex]) -> frozenset[ValidatorIndex]:
        """Those of who found the candidate valid who may check it here: backers may not."""
        return frozenset(approved).difference(self.record.backers)

    def standing(self, approved: Collection[ValidatorIndex], now: int) -> CheckStanding:
        """``now``: the tranche whose time it is."""
        counted, assigned = self.counted(approved), self.assigned.values()
        no_show = self.session.approval.no_show
        found = completeness(self.record, self.session, assigned, counted, now)
        required = found.required
        late = sum(
            each.since + no_show <= now and each.validator not in counted for each in assigned
        )
        due = min((at for at in self._occasions(required, now) if at > now), default=None)
        if due is None and not found.is_complete:
            due = now + no_show
        return CheckStanding(found.is_complete, self._joins(required, now), late, due)

    def _joins(self, required: Required, now: int) -> bool:
        """Whether this node's own assignment is wanted: its tranche is, and its time has come."""
        if self.own is None or self.announced or now < self.hears_until:
            return False
        match required:
            case Enough():
                return False
            case Everybody():
                return True
            case Waiting(upto, drift, _):
                return self.own.tranche <= now - drift and (
                    upto is None or self.own.tranche <= upto
                )

    def _occasions(self, required: Required, now: int) -> Iterator[int]:
        """The tranches in which the candidate may stand otherwise without anything being heard: a
        checker is late, a tranche's time comes, of others or our own."""
        match required:
            case Enough(_, _, next_no_show) | Waiting(_, _, next_no_show):
                if next_no_show is not None:
                    yield next_no_show
        if isinstance(required, Waiting):
            drift = required.drift
            yield from (
                each.tranche + drift
                for each in self.assigned.values()
                if each.tranche > now - drift
            )
            if self.own is not None and not self.announced:
                yield max(self.own.tranche + drift, self.hears_until)
        elif isinstance(required, Everybody) and not self.announced:
            yield self.hears_until
