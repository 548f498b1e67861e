"""What befalls the nodes of a drawn network: faults and adversaries, by kinds.

Bounds are the guide's: at most a third of the validators, without the last one, behave badly or
have lost what they promised to keep. All else may hit anybody and, but for these, ends.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from parahost.node.availability.archive import CHUNKS, DATA
from parahost.node.role import Role
from parahost.primitives.availability import is_backing_majority
from parahost.simulation.adversaries import (
    KINDS,
    Adversary,
    ApprovesUnchecked,
    AssignsItselfFalsely,
    BacksWrongData,
    CensoringAuthor,
    ClaimsUnseen,
    DisputesValid,
    EmptyAuthor,
    EquivocatingAuthor,
    EquivocatingVoter,
    FloodsDisputes,
    InvalidCollator,
    NeverClaims,
    Stranger,
    VotesBothWays,
    VotesLate,
    VouchesBlindly,
    WithholdsChecks,
)
from parahost.simulation.faults import (
    BadLinks,
    BadWorkers,
    Crash,
    CrashAtStep,
    CrashAtWrite,
    DamagedRows,
    Fault,
    FullDisk,
    Moment,
    Partition,
    Stall,
    TinyQueues,
    WrongClock,
    at,
    at_block,
)
from parahost.simulation.faults.inside import TROUBLES
from parahost.simulation.hunt.dice import Dice

MOST_FAULTS = 4
HARMLESS_TO_GROUPS: tuple[type[Adversary], ...] = (
    NeverClaims,
    ClaimsUnseen,
    CensoringAuthor,
    EmptyAuthor,
    EquivocatingAuthor,
    EquivocatingVoter,
)
"""Of all others there must be less than a half in each group: what a group vouches for is
believed (D7)."""
VERDICT_MAKERS: tuple[type[Adversary], ...] = (
    ApprovesUnchecked,
    WithholdsChecks,
    AssignsItselfFalsely,
    DisputesValid,
    VotesBothWays,
    VotesLate,
    FloodsDisputes,
)
"""Adversaries in checks and disputes: they are drawn apart, so that a seed's other troubles stay
what they were before there were any."""


@dataclass(frozen=True)
class TroubleSite:
    """Where and when trouble may come: the nodes with their roles, and before which block."""

    roles: Mapping[str, Role]
    cores: int
    until_block: int
    slot_s: float

    @cached_property
    def nodes(self) -> tuple[str, ...]:
        return tuple(self.roles)

    @cached_property
    def validators(self) -> tuple[str, ...]:
        return tuple(name for name, role in self.roles.items() if role is Role.VALIDATOR)

    @property
    def may_be_bad(self) -> int:
        """How many validators may misbehave, or lose what they hold, without harm."""
        return (len(self.validators) - 1) // 3

    @property
    def smallest_group(self) -> int:
        return len(self.validators) // max(self.cores, 1)

    @property
    def may_be_bad_in_groups(self) -> int:
        """How many may be in one group without being half of it, in the smallest."""
        return (self.smallest_group - 1) // 2

    def moment(self, dice: Dice) -> Moment:
        if dice.chance(0.5):
            return at_block(dice.between(1, self.until_block - 1))
        return at(dice.span(0.0, (self.until_block - 1) * self.slot_s))

    def duration(self, dice: Dice) -> float:
        """Mostly about a slot; seldom much longer than an epoch's part."""
        return dice.span(0.5, self.slot_s * dice.one_of((0.5, 1, 2, 4)))


def draw_adversaries(dice: Dice, stage: TroubleSite) -> tuple[Adversary, ...]:
    """Validators and collators, each in about half of all networks that can bear some."""
    return (*_bad_validators(dice, stage), *_bad_collators(dice, stage))


def _bad_collators(dice: Dice, stage: TroubleSite) -> tuple[Adversary, ...]:
    """As many as may be: the worst is that their paras stand still."""
    collators = tuple(name for name in stage.nodes if name not in stage.validators)
    if not collators or dice.chance(0.6):
        return ()
    able = [kind for kind in KINDS.values() if kind.role is Role.COLLATOR]
    return tuple(kind(who=dice.some(collators)) for kind in dice.some(able, most=2))


def _bad_validators(dice: Dice, stage: TroubleSite) -> tuple[Adversary, ...]:
    if not stage.may_be_bad or dice.chance(0.5):
        return ()
    bad = dice.exactly(dice.between(1, stage.may_be_bad), stage.validators)
    backers = bad[: stage.may_be_bad_in_groups]
    able = [
        kind
        for kind in KINDS.values()
        if kind.role is Role.VALIDATOR and kind not in VERDICT_MAKERS
        if backers or kind in HARMLESS_TO_GROUPS
    ]
    return tuple(
        kind(who=dice.some(bad if kind in HARMLESS_TO_GROUPS else backers))
        for kind in dice.some(able, most=3)
    )


def draw_verdict_makers(
    dice: Dice, stage: TroubleSite, adversaries: Sequence[Adversary], faults: Sequence[Fault]
) -> tuple[Adversary, ...]:
    """Some of those who are bad already, or others as far as more may be."""
    bad, whole, free = _bad_and_whole(stage, adversaries, faults)
    if dice.chance(0.5) or not (bad or free):
        return ()
    more = dice.exactly(dice.between(0 if bad else 1, free), whole)
    able = tuple(name for name in stage.validators if name in bad or name in more)
    return tuple(kind(who=dice.some(able)) for kind in dice.some(VERDICT_MAKERS, most=3))


def draw_conspiracy(
    dice: Dice, stage: TroubleSite, adversaries: Sequence[Adversary], faults: Sequence[Fault]
) -> tuple[Adversary, ...]:
    """In a third of the networks where that may be the majority of a group, as many validators as
    may be bad back what is invalid. Where they are, it is included, and for checkers to find out;
    where they are half of a group, that backs nothing (so nobody promises ``heads_move``)."""
    bad, whole, free = _bad_and_whole(stage, adversaries, faults)
    if dice.chance(2 / 3) or not is_backing_majority(len(bad) + free, stage.smallest_group):
        return ()
    collators = tuple(name for name in stage.nodes if name not in stage.validators)
    more = dice.exactly(free, whole)
    who = tuple(name for name in stage.validators if name in bad or name in more)
    if dice.chance(0.5):
        return (BacksWrongData(who=who),)
    return VouchesBlindly(who=who), InvalidCollator(who=dice.some(collators))


def _bad_and_whole(
    stage: TroubleSite, adversaries: Sequence[Adversary], faults: Sequence[Fault]
) -> tuple[frozenset[str], tuple[str, ...], int]:
    """The validators that misbehave; those that do not, and have lost nothing; and how many of
    these may be bad too."""
    bad = {name for one in adversaries for name in one.who if name in stage.validators}
    lost = {name for fault in faults if isinstance(fault, DamagedRows) for name in fault.who}
    whole = tuple(name for name in stage.validators if name not in bad | lost)
    return frozenset(bad), whole, stage.may_be_bad - len(bad | lost)


def draw_strangers(dice: Dice) -> tuple[Adversary, ...]:
    """In a third of all networks, beside all else: they must make no difference."""
    if dice.chance(2 / 3):
        return ()
    names = tuple(f"stranger-{number + 1}" for number in range(dice.between(1, 4)))
    return (Stranger(who=names, every_s=dice.span(0.3, 3.0)),)


def draw_faults(
    dice: Dice, stage: TroubleSite, adversaries: Sequence[Adversary]
) -> tuple[Fault, ...]:
    """Some of some kinds."""
    possible: tuple[type[Fault], ...] = (*DRAWS, DamagedRows)
    kinds = dice.some(possible)
    bad = {name for adversary in adversaries for name in adversary.who}
    faults: list[Fault] = []
    for _ in range(dice.between(0 if adversaries else 1, MOST_FAULTS)):
        kind = dice.one_of(kinds)
        if kind is not DamagedRows:
            faults.append(DRAWS[kind](dice, stage))
        elif not any(isinstance(fault, DamagedRows) for fault in faults):
            whole = [name for name in stage.validators if name not in bad]
            bearable = stage.may_be_bad - (len(stage.validators) - len(whole))
            if bearable:
                faults.append(_damaged_rows(dice, stage, dice.some(whole, bearable)))
    return tuple(faults)


def _partition(dice: Dice, stage: TroubleSite) -> Fault:
    return Partition(
        who=dice.some(stage.nodes, most=len(stage.nodes) - 1),
        at=stage.moment(dice),
        lasts_s=stage.duration(dice),
        one_way=dice.chance(0.3),
    )


def _stall(dice: Dice, stage: TroubleSite) -> Fault:
    return Stall(who=dice.some(stage.nodes), at=stage.moment(dice), lasts_s=stage.duration(dice))


def _bad_links(dice: Dice, stage: TroubleSite) -> Fault:
    least = dice.span(0.0, 1.0, 2)
    bad = BadLinks(
        who=dice.some(stage.nodes),
        at=stage.moment(dice),
        lasts_s=stage.duration(dice),
        latency=(least, round(least + dice.span(0.0, 2.0), 2)) if dice.chance(0.5) else None,
        bytes_per_s=dice.one_of((20_000.0, 200_000.0)) if dice.chance(0.3) else None,
        loss=dice.span(0.0, 0.5, 2) if dice.chance(0.5) else None,
        duplication=dice.span(0.0, 0.5, 2) if dice.chance(0.5) else None,
        reordering=dice.span(0.0, 0.5, 2) if dice.chance(0.5) else None,
    )
    figures = (bad.latency, bad.bytes_per_s, bad.loss, bad.duplication, bad.reordering)
    return bad if any(figures) else replace(bad, loss=0.2)


def _crash(dice: Dice, stage: TroubleSite) -> Fault:
    return Crash(
        who=dice.some(stage.nodes),
        at=stage.moment(dice),
        lasts_s=stage.duration(dice),
        lose=dice.between(1, 50) if dice.chance(0.6) else 0,
    )


def _crash_at_write(dice: Dice, stage: TroubleSite) -> Fault:
    return CrashAtWrite(
        who=dice.some(stage.nodes),
        at=stage.moment(dice),
        lasts_s=stage.duration(dice),
        write=dice.between(1, 40),
        lose=dice.between(1, 50) if dice.chance(0.5) else 0,
    )


def _crash_at_step(dice: Dice, stage: TroubleSite) -> Fault:
    return CrashAtStep(
        who=dice.some(stage.nodes),
        at=stage.moment(dice),
        lasts_s=stage.duration(dice),
        step=dice.between(1, 500),
        lose=dice.between(1, 50) if dice.chance(0.5) else 0,
    )


def _full_disk(dice: Dice, stage: TroubleSite) -> Fault:
    return FullDisk(who=dice.some(stage.nodes), at=stage.moment(dice), lasts_s=stage.duration(dice))


def _damaged_rows(dice: Dice, stage: TroubleSite, who: tuple[str, ...]) -> Fault:
    return DamagedRows(
        who=who, at=stage.moment(dice), table=dice.one_of((CHUNKS, DATA)), count=dice.between(1, 5)
    )


def _wrong_clock(dice: Dice, stage: TroubleSite) -> Fault:
    return WrongClock(
        who=dice.some(stage.nodes),
        at=stage.moment(dice),
        lasts_s=stage.duration(dice),
        seconds=dice.span(-2 * stage.slot_s, 2 * stage.slot_s) or 0.1,
    )


def _bad_workers(dice: Dice, stage: TroubleSite) -> Fault:
    return BadWorkers(
        who=dice.some(stage.nodes),
        at=stage.moment(dice),
        lasts_s=stage.duration(dice),
        trouble=dice.one_of(TROUBLES),
        late_s=dice.span(0.1, 3.0),
    )


def _tiny_queues(dice: Dice, stage: TroubleSite) -> Fault:
    return TinyQueues(who=dice.some(stage.nodes), capacity=dice.one_of((1, 1, 2, 8)))


DRAWS: Mapping[type[Fault], Callable[[Dice, TroubleSite], Fault]] = {
    Partition: _partition,
    Stall: _stall,
    BadLinks: _bad_links,
    Crash: _crash,
    CrashAtWrite: _crash_at_write,
    CrashAtStep: _crash_at_step,
    FullDisk: _full_disk,
    WrongClock: _wrong_clock,
    BadWorkers: _bad_workers,
    TinyQueues: _tiny_queues,
}
"""How each kind of fault is drawn that may hit anybody."""
