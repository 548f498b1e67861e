"""How likely an invalid candidate is accepted: ``python -m bench.acceptance_odds`` prints the
tables and the plot of docs/SECURITY.md, which derives the formulas.

The attacker owns some validators. It needs a group whose majority is its own (:func:`group_odds`).
Then every honest checker that is drawn and can deliver finds out, and the backers lose their
stakes. The attack succeeds if only the attacker's validators are drawn until there are enough, and
for each honest one that was silenced after it announced itself, a further tranche
(:func:`acceptance_odds`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from math import comb, log10
from typing import Any

from parahost.primitives.approval import ApprovalParameters
from parahost.primitives.basic import U32

NEGLIGIBLE = 1e-18
"""Ways that are less likely are not followed."""
LEAST = 10 * NEGLIGIBLE
"""Odds below these are not told apart."""


@dataclass(frozen=True, slots=True)
class Attack:
    """``dishonest`` of so many ``validators``, at most a third, back an invalid candidate in a
    group of ``group``; ``silenced`` is the chance that an honest checker, once it has announced
    itself, does not deliver."""

    validators: int
    dishonest: int
    group: int
    cores: int
    parameters: ApprovalParameters
    silenced: float = 0.0

    @property
    def backers(self) -> int:
        """As few as are enough: who does not back may be drawn as a checker."""
        return self.group // 2 + 1

    @property
    def accomplices(self) -> int:
        return self.dishonest - self.backers

    @property
    def honest(self) -> int:
        return self.validators - self.dishonest

    @property
    def checkers(self) -> int:
        return self.validators - self.backers


# Being backed


def group_odds(attack: Attack) -> Fraction:
    """The chance that the majority of one group is the attacker's: groups are drawn without
    replacement (D2)."""
    n, d, g = attack.validators, attack.dishonest, attack.group
    ways = sum(comb(d, bad) * comb(n - d, g - bad) for bad in range(attack.backers, g + 1))
    return Fraction(ways, comb(n, g))


# Being accepted


def tranche_odds(parameters: ApprovalParameters, cores: int) -> list[float]:
    """The chance of one checker to be drawn into each tranche for a given core: into the first one
    by one of its samples, or else by its delay (D21)."""
    sampled = 1 - (1 - 1 / cores) ** parameters.relay_vrf_modulo_samples
    width, count = parameters.zeroth_delay_tranche_width, parameters.n_delay_tranches
    each = (1 - sampled) / (count + width)
    return [sampled + (width + 1) * each, *[each] * (count - 1)]


@dataclass(frozen=True, slots=True)
class _Course:
    """How far a check has come: the checkers assigned on either side, and what is missing, which
    are checkers at first, and then non-empty tranches, one for each no-show."""

    dishonest: int
    honest: int
    missing: int
    is_covering: bool = False

    def joined(self, dishonest: int, honest: int) -> _Course:
        """With one tranche more that is not empty, whose honest checkers are all silenced."""
        bad, good = self.dishonest + dishonest, self.honest + honest
        if self.is_covering:
            return _Course(bad, good, self.missing - 1 + honest, True)
        left = self.missing - dishonest - honest
        return _Course(bad, good, left) if left > 0 else _Course(bad, good, good, True)

    @property
    def is_complete(self) -> bool:
        return self.is_covering and not self.missing

    def asks_everybody(self, checkers: int) -> bool:
        return self.is_covering and self.dishonest + self.honest + self.missing >= checkers


@lru_cache(maxsize=256)
def acceptance_odds(attack: Attack) -> float:
    """The chance that the invalid candidate is accepted once it is backed and included."""
    needed = min(attack.parameters.needed_approvals, attack.checkers)
    courses: dict[_Course, float] = {_Course(0, 0, needed): 1.0}
    accepted, drawn = 0.0, 0.0
    for odds in tranche_odds(attack.parameters, attack.cores):
        hazard = min(odds / (1 - drawn), 1.0)
        drawn += odds
        after: dict[_Course, float] = defaultdict(float)
        for course, chance in courses.items():
            for one, part in _next(attack, course, hazard, NEGLIGIBLE / chance):
                if one.is_complete:
                    accepted += chance * part
                elif not one.asks_everybody(attack.checkers):
                    after[one] += chance * part
        courses = after
    return accepted


def _next(
    attack: Attack, course: _Course, hazard: float, least: float
) -> Iterator[tuple[_Course, float]]:
    """What the next tranche may bring without an honest checker that delivers, and how likely; but
    for what is less likely than ``least``."""
    bad, good = attack.accomplices - course.dishonest, attack.honest - course.honest
    silent = [(k, odds * attack.silenced**k) for k, odds in _binomial(good, hazard)]
    silent = [(k, odds) for k, odds in silent if odds > least]
    for dishonest, chance in _binomial(bad, hazard):
        for honest, other in silent:
            if chance * other > least:
                is_empty = not dishonest and not honest
                after = course if is_empty else course.joined(dishonest, honest)
                yield after, chance * other


@lru_cache(maxsize=4096)
def _binomial(count: int, chance: float) -> tuple[tuple[int, float], ...]:
    """How many of ``count`` independent draws succeed, and how likely that is."""
    if chance >= 1.0:
        return ((count, 1.0),)
    odds = ((k, comb(count, k) * chance**k * (1 - chance) ** (count - k)) for k in range(count + 1))
    return tuple((k, each) for k, each in odds if each > NEGLIGIBLE)


# The tables

POLKADOT = ApprovalParameters(
    needed_approvals=U32(30),
    relay_vrf_modulo_samples=U32(6),
    n_delay_tranches=U32(89),
    zeroth_delay_tranche_width=U32(0),
    tranches_per_slot=U32(12),
    no_show_slots=U32(3),
)
"""What the public network uses, about."""
LARGE = Attack(1000, 0, 5, 200, POLKADOT)
SMALL = Attack(
    100,
    0,
    5,
    20,
    replace(
        POLKADOT,
        needed_approvals=U32(5),
        relay_vrf_modulo_samples=U32(2),
        n_delay_tranches=U32(25),
    ),
)
"""Where odds are large enough to be seen: a tenth of the validators, checks and cores."""
SHARES = (0.1, 0.2, 0.3, 0.333)
GROUPS = (2, 3, 5, 10, 20)
NEEDED = (2, 5, 10, 20, 30)
SILENCED = (0.0, 0.1, 0.25, 0.5)


def owning(attack: Attack, share: float) -> Attack:
    """The attacker has that share of the validators."""
    return replace(attack, dishonest=int(attack.validators * share))


def needing(attack: Attack, checks: int) -> Attack:
    return replace(attack, parameters=replace(attack.parameters, needed_approvals=U32(checks)))


def tables(*, with_silence: bool = True) -> Iterator[str]:
    """As Markdown, by lines. Odds are told as powers of ten. Those with silence take minutes."""
    yield from _table("group of", GROUPS, lambda it, group: group_odds(replace(it, group=group)))
    yield ""
    yield from _table("needed", NEEDED, lambda it, needed: acceptance_odds(needing(it, needed)))
    if with_silence:
        yield ""
        yield from _table(
            "silenced",
            SILENCED,
            lambda it, part: acceptance_odds(replace(it, silenced=part)),
            SMALL,
        )


def _table(
    title: str,
    columns: Sequence[Any],
    odds: Callable[[Attack, Any], float | Fraction],
    attack: Attack = LARGE,
) -> Iterator[str]:
    yield f"| dishonest | {' | '.join(f'{title} {column}' for column in columns)} |"
    yield "| --- |" + " --- |" * len(columns)
    for share in SHARES:
        cells = (_power(float(odds(owning(attack, share), column))) for column in columns)
        yield f"| {share:.1%} | {' | '.join(cells)} |"


def plot() -> Iterator[str]:
    """The odds of acceptance as bars: the longer, the safer; three marks for each power of ten."""
    yield "dishonest  needed"
    for share in SHARES:
        for needed in NEEDED:
            odds = acceptance_odds(needing(owning(LARGE, share), needed))
            bar = "#" * round(-3 * log10(max(odds, LEAST)))
            yield f"{share:>9.1%}  {needed:>6}  {bar} {_power(odds)}"


def _power(odds: float) -> str:
    """What one attempt has, as a power of ten."""
    return f"10^{log10(odds):.1f}" if odds > LEAST else f"< 10^{log10(LEAST):.0f}"


if __name__ == "__main__":
    print("\n".join([*tables(), "", *plot()]))
