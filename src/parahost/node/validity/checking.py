"""One candidate in the block that included it: who checks it, and whether that is enough (D22).

A block's candidates have checkers of their own, even if the same candidate is included on another
fork: they are drawn from the block. What a checker has found counts wherever it was drawn.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Final

from parahost.approval.completeness import Completeness, completeness
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


HEARING_PARTS: Final = 6
"""A tranche counts as known a sixth of a slot after its time has come and the last of it was heard
of: all who are drawn announce themselves at the same moment, and liars must not be believed before
the others are heard, who would find out."""


LATE_PARTS: Final = 2
"""Of a block that came late nobody is believed before half a slot after this node itself may speak.
Its author may have held it back, for liars to approve it while all others hear first what is said;
and these have met it at different moments."""


@dataclass(frozen=True, slots=True)
class CheckStanding:
    """How a candidate stands at a moment. ``joins``: this node's own assignment is needed now.
    ``due_ms``: when to look again, if nothing is heard before."""

    is_approved: bool
    joins: bool
    late: int
    due_ms: int | None


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
    heard_ms: dict[ValidatorIndex, int] = field(default_factory=dict)
    """When each of those who are assigned was heard of."""

    def announce(
        self, validator: ValidatorIndex, tranche: Tranche, now_ms: int, since: int | None = None
    ) -> None:
        """A validator checks the candidate. Who announces itself too early has until the end of its
        time. ``since``: in tranches, when it was known elsewhere; the earliest counts, whoever
        tells of it first."""
        known = self.time.at(now_ms) if since is None else since
        if (before := self.assigned.get(validator)) is not None:
            if (earlier := max(known, before.tranche)) < before.since:
                self.assigned[validator] = Assigned(before.tranche, validator, earlier)
            return
        self.assigned[validator] = Assigned(tranche, validator, max(known, tranche))
        self.heard_ms[validator] = now_ms
        if validator == self.me:
            self.announced = True

    def counted(self, approved: Collection[ValidatorIndex]) -> frozenset[ValidatorIndex]:
        """Those of who found the candidate valid who may check it here: backers may not."""
        return frozenset(approved).difference(self.record.backers)

    def standing(self, approved: Collection[ValidatorIndex], now_ms: int) -> CheckStanding:
        counted, assigned = self.counted(approved), self.assigned.values()
        now = self.time.at(now_ms)
        no_show = self.session.approval.no_show
        found = completeness(self.record, self.session, assigned, counted, now)
        required = found.required
        since = now - no_show
        late = [who for who, each in self.assigned.items() if each.since <= since]
        missing = [who for who in late if who not in counted]
        due = [self.time.begins(at) for at in self._occasions(required, now) if at > now]
        is_approved = found.is_complete
        if found.is_complete and not found.is_final:
            known_ms = self._known_ms(required)
            is_approved = known_ms <= now_ms
            due += [] if is_approved else [known_ms]
        if not due and not is_approved:
            due.append(self.time.begins(now + no_show))
        joins = self._joins(found, now, is_approved or self.is_approved)
        return CheckStanding(is_approved, joins, len(missing), min(due, default=None))

    def _known_ms(self, required: Required) -> int:
        """When all of the tranches that suffice have been heard of. Who is early is believed no
        sooner; and of a block that came late, nobody before those who hear others first have had
        their say."""
        assert isinstance(required, Enough), "nothing else is complete by tranches"
        due = [who for who, each in self.assigned.items() if each.tranche <= required.upto]
        last = max(self.time.begins(required.came), *(self.heard_ms[who] for who in due))
        known = last + self.time.slot_ms // HEARING_PARTS
        if not self.hears_until:
            return known
        return max(known, self.time.begins(self.hears_until) + self.time.slot_ms // LATE_PARTS)

    def _joins(self, found: Completeness, now: int, is_approved: bool) -> bool:
        """Whether this node's own assignment is wanted: its tranche is, and its time has come. A
        tranche that counts joins whole, and not only those of it who came first: liars come first,
        and the others would find out. Not everybody is asked when nobody could change anything."""
        if self.own is None or self.announced or now < self.hears_until:
            return False
        match found.required:
            case Enough(upto):
                return self.own.tranche <= upto and not is_approved
            case Everybody():
                return not found.is_final
            case Waiting(upto, drift, _):
                return self.own.tranche <= now - drift and (
                    upto is None or self.own.tranche <= upto
                )

    def _occasions(self, required: Required, now: int) -> Iterator[int]:
        """The tranches in which the candidate may stand otherwise without anything being heard: a
        checker is late, a tranche's time comes, of others or our own."""
        match required:
            case Enough(next_no_show=next_no_show) | Waiting(next_no_show=next_no_show):
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
        elif not self.announced:
            yield self.hears_until
