"""Whose checks a candidate needs by now, and whether it has them (A54, D22).

Tranches join whole, in their order, until as many checkers are assigned as are needed. A checker
that does not deliver in time is a *no-show*, and one further tranche that is not empty comes to
cover it, which may have no-shows of its own: a round after a round, each of which begins to count
its time later by what a check may take. Time is counted in tranches from the slot of the including
block, by whoever asks: a node by its clock, the chain by its slots.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

from parahost.primitives.approval import Tranche
from parahost.primitives.availability import supermajority_threshold
from parahost.primitives.basic import U32, ValidatorIndex


@dataclass(frozen=True, slots=True)
class Assigned:
    """A validator that is known to check a candidate: in which tranche, and since when, in tranches
    after the candidate's inclusion."""

    tranche: Tranche
    validator: ValidatorIndex
    since: int


@dataclass(frozen=True, slots=True)
class Enough:
    """The tranches up to ``upto`` suffice: all of their checkers have to deliver but
    ``covered``, for whom others came. The time of the last of them came with ``came``, which is
    later than its number where it covers somebody."""

    upto: Tranche
    covered: int
    next_no_show: int | None
    came: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """More checkers are needed. Whoever is in a tranche up to ``join_upto`` (``None``: in any)
    joins when its time has come, which is later than its tranche says by ``drift``."""

    join_upto: Tranche | None
    drift: int
    next_no_show: int | None


@dataclass(frozen=True, slots=True)
class Everybody:
    """So many do not deliver, or contradict each other, that everybody is asked."""


Required = Enough | Waiting | Everybody
"""Which tranches a candidate needs by now. ``next_no_show`` is when the next checker will be late,
in tranches: there is something to wake up for."""


def required_tranches(
    assigned: Iterable[Assigned],
    approved: Collection[ValidatorIndex],
    *,
    now: int,
    no_show: int,
    needed: int,
    checkers: int,
) -> Required:
    """``now`` and ``no_show``, which is what a check may take, in tranches. ``checkers``: how many
    validators there are who may check at all."""
    ordered = sorted(assigned, key=_tranche)
    found = _while_nobody_is_late(ordered, approved, now, no_show, needed)
    return found or required_by_rounds(ordered, approved, now, no_show, needed, checkers)


def required_by_rounds(
    ordered: Sequence[Assigned],
    approved: Collection[ValidatorIndex],
    now: int,
    no_show: int,
    needed: int,
    checkers: int,
) -> Required:
    """The rule as such, for those who are assigned in the order of their tranches."""
    rounds = _Rounds(now, no_show, missing=needed)
    for tranche, members in _whole_tranches(ordered):
        if tranche > rounds.time:
            break
        came = tranche + rounds.drift
        rounds.join(members, approved)
        found = rounds.suffice(tranche, came, needed, checkers)
        if found is not None:
            return found
    time = rounds.time
    return rounds.suffice(time, now, needed, checkers) or rounds.wait(time)


def _while_nobody_is_late(
    ordered: Sequence[Assigned],
    approved: Collection[ValidatorIndex],
    now: int,
    no_show: int,
    needed: int,
) -> Enough | Waiting | None:
    """The same for round 0 alone, which mostly is all, without counting tranche by tranche: a
    candidate of many checkers is looked at for each of them. ``None`` where somebody is late."""
    due = bisect_right(ordered, now, key=_tranche)
    upto = ordered[needed - 1].tranche if due >= needed > 0 else None
    if upto is not None:
        due = bisect_right(ordered, upto, lo=needed, key=_tranche)
    elif not needed:
        return None
    since = [each.since for each in ordered[:due] if each.validator not in approved]
    next_no_show = min(since) + no_show if since else None
    if next_no_show is not None and next_no_show <= now:
        return None
    if upto is None:
        return Waiting(None, 0, next_no_show)
    return Enough(upto, 0, next_no_show, upto)


def are_enough(approved: Collection[ValidatorIndex], *, validators: int, checkers: int) -> bool:
    """Whether the checks are complete, whoever else is drawn: more than a third of all validators
    have approved, one of whom at least is honest; or everybody who may check has; or a
    supermajority vouches for the candidate, by backing or checking it, so that a dispute could
    only conclude the same (A62). Where a group is most of all validators, the few who are left to
    check could hold up everything else by their silence. Who has not backed it may check it."""
    vouching = validators - checkers + len(approved)
    if 3 * len(approved) > validators or len(approved) >= checkers:
        return True
    return vouching >= supermajority_threshold(validators)


def have_delivered(
    required: Required, assigned: Iterable[Assigned], approved: Collection[ValidatorIndex]
) -> bool:
    """Whether the checks that are required have come."""
    if not isinstance(required, Enough):
        return False
    due = [each.validator for each in assigned if each.tranche <= required.upto]
    missing = [validator for validator in due if validator not in approved]
    return len(missing) <= required.covered


_tranche = attrgetter("tranche")


def _whole_tranches(ordered: Iterable[Assigned]) -> Iterator[tuple[Tranche, list[Assigned]]]:
    return ((tranche, list(each)) for tranche, each in groupby(ordered, _tranche))


@dataclass(slots=True)
class _Rounds:
    """How far some tranches lead. In round 0 (``depth``) checkers are gathered, in each further one
    the no-shows of those before it are covered. It is counted anew for each check that is heard of,
    so it changes in place."""

    now: int
    no_show: int
    missing: int
    """Checkers, or tranches to cover somebody, that this round still waits for."""
    assigned: int = 0
    depth: int = 0
    covered: int = 0
    uncovered: int = 0
    """No-shows that the next round is to cover."""
    next_no_show: int | None = None

    @property
    def drift(self) -> int:
        """What the rounds before have used up."""
        return self.depth * self.no_show

    @property
    def time(self) -> int:
        """The tranche whose time it is in this round."""
        return max(self.now - self.drift, 0)

    def join(self, members: Sequence[Assigned], approved: Collection[ValidatorIndex]) -> None:
        """One tranche more. After round 0 it covers one no-show, however many it has."""
        self._look_for_no_shows(members, approved)
        filled = len(members) if self.depth == 0 else 1
        self.assigned += len(members)
        self.missing = max(self.missing - filled, 0)
        if self.depth:
            self.covered += filled
        if self.uncovered and not self.missing:
            self.depth += 1
            self.missing, self.uncovered = self.uncovered, 0

    def _look_for_no_shows(
        self, members: Sequence[Assigned], approved: Collection[ValidatorIndex]
    ) -> None:
        begun = self.drift
        for each in members:
            if each.validator in approved:
                continue
            deadline = max(each.since, begun) + self.no_show
            if deadline <= self.now:
                self.uncovered += 1
            elif self.next_no_show is None or deadline < self.next_no_show:
                self.next_no_show = deadline

    def suffice(
        self, tranche: int, came: int, needed: int, checkers: int
    ) -> Enough | Everybody | None:
        """What is known once the tranches up to this one have joined; ``None`` if more must."""
        to_cover = self._to_cover
        if self.depth and self.assigned + to_cover >= checkers:
            return Everybody()
        if self.assigned >= needed and not to_cover:
            return Enough(Tranche(U32(tranche)), self.covered, self.next_no_show, came)
        return None

    def wait(self, tranche: int) -> Waiting:
        """For those who come after this tranche."""
        join_upto = Tranche(U32(tranche + self._to_cover)) if self.depth else None
        return Waiting(join_upto, self.drift, self.next_no_show)

    @property
    def _to_cover(self) -> int:
        """The no-shows for whom nobody has come."""
        return (self.missing if self.depth else 0) + self.uncovered
