"""Making a failing scenario small: what is left out while the same checker still fails.

Delta debugging over the drawn parts: larger cuts first, and again from the start after each that
holds, until none does or the runs that may be spent are spent. What comes out does not depend on
how many trials run at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from parahost.simulation.adversaries import Adversary
from parahost.simulation.faults import Fault
from parahost.simulation.hunt.trial import Runner, Trial, TrialResult
from parahost.simulation.network import LinkQuality
from parahost.simulation.plan import BadSimulation, Shape, node_roles
from parahost.simulation.scenario import Scenario

MOST_RUNS = 60

DrawnTrouble = Fault | Adversary


@dataclass(frozen=True, slots=True)
class Shrunk:
    """The smallest scenario found in which ``checker`` fails as well, and how it fails there.
    ``runs``: the trials it took."""

    checker: str
    result: TrialResult
    runs: int

    @property
    def scenario(self) -> Scenario:
        return self.result.trial.scenario


def shrink(failed: TrialResult, runner: Runner, most_runs: int = MOST_RUNS) -> Shrunk:
    """:param failed: of several broken verdicts the first counts."""
    checker = next(iter(failed.broken))
    best, runs = failed, 0
    cuts = list(CUTS)
    if any(expectation.name == checker for expectation in best.trial.scenario.expects):
        cuts.remove(fewer_blocks)  # it demands a number of blocks
    else:
        cuts.insert(0, without_expectations)
    moved = True
    while moved:
        moved = False
        for cut in cuts:
            while True:
                smaller, spent = _first_failing(
                    cut(best.trial.scenario), best.trial.seed, checker, runner, most_runs - runs
                )
                runs += spent
                if smaller is None:
                    break
                best, moved = smaller, True
    return Shrunk(checker, best, runs)


def _first_failing(
    scenarios: Iterator[Scenario], seed: int, checker: str, runner: Runner, most: int
) -> tuple[TrialResult | None, int]:
    """The result of the first in which the checker fails too, and how many runs counted."""
    spent = 0
    while batch := list(islice(scenarios, min(runner.jobs, most - spent))):
        trials = [Trial(seed, scenario) for scenario in batch]
        results = list(runner.run(trials))
        for trial in trials:
            spent += 1
            result = next(result for result in results if result.trial == trial)
            if checker in result.broken:
                return result, spent
    return None, spent


# The cuts: each gives smaller scenarios, the boldest first.

Reduction = Callable[[Scenario], Iterator[Scenario]]


def without_expectations(scenario: Scenario) -> Iterator[Scenario]:
    """Without the demands that are not the point."""
    if scenario.expects:
        yield from _with(scenario, expects=())


def fewer_blocks(scenario: Scenario) -> Iterator[Scenario]:
    """Shorter runs."""
    blocks = scenario.blocks
    for fewer in dict.fromkeys((blocks // 2, blocks * 3 // 4, blocks - 1)):
        if 0 < fewer < blocks:
            yield from _with(scenario, blocks=fewer)


def fewer_troubles(scenario: Scenario) -> Iterator[Scenario]:
    """Without a half of the faults and adversaries, without each."""
    parts: tuple[DrawnTrouble, ...] = (*scenario.faults, *scenario.adversaries)
    size = len(parts)
    while size:
        for start in range(0, len(parts), size):
            yield from _with_parts(scenario, (*parts[:start], *parts[start + size :]))
        size //= 2


def fewer_validators(scenario: Scenario) -> Iterator[Scenario]:
    """Smaller networks; those who are in trouble take the places of others."""
    shape = scenario.shape
    for validators in dict.fromkeys((shape.validators // 2, shape.validators - 1)):
        if 0 < validators < shape.validators:
            yield from _fitted(scenario, replace(shape, validators=validators))


def fewer_paras(scenario: Scenario) -> Iterator[Scenario]:
    """Without parathreads, without parachains, with one less of each."""
    shape = scenario.shape
    if shape.parathreads:
        yield from _fitted(scenario, replace(shape, parathreads=0))
    if shape.parachains:
        yield from _fitted(scenario, replace(shape, parachains=0))
        yield from _fitted(scenario, replace(shape, parachains=shape.parachains - 1))
    if shape.parathreads:
        yield from _fitted(scenario, replace(shape, parathreads=shape.parathreads - 1))


def fewer_involved(scenario: Scenario) -> Iterator[Scenario]:
    """Troubles of half as many nodes, or of one less."""
    parts: tuple[DrawnTrouble, ...] = (*scenario.faults, *scenario.adversaries)
    for place, part in enumerate(parts):
        who = part.who
        half = len(who) // 2
        smaller = [who[:half], who[half:]]
        smaller += [(*who[:each], *who[each + 1 :]) for each in range(len(who))]
        for fewer in dict.fromkeys(smaller):
            if 0 < len(fewer) < len(who):
                less = replace(part, who=fewer)
                yield from _with_parts(scenario, (*parts[:place], less, *parts[place + 1 :]))


def plainer(scenario: Scenario) -> Iterator[Scenario]:
    """The network as it is by default."""
    plain = Shape(scenario.shape.validators, scenario.shape.parachains, scenario.shape.parathreads)
    changes: list[dict[str, Any]] = [
        {"geography": None, "links": LinkQuality(), "shape": plain},
        {"geography": None},
        {"links": LinkQuality()},
        {"shape": replace(scenario.shape, configuration={})},
        {"shape": replace(scenario.shape, slot_s=plain.slot_s)},
        {"shape": replace(scenario.shape, epoch_slots=plain.epoch_slots)},
    ]
    for change in changes:
        yield from _with(scenario, **change)


CUTS: Sequence[Reduction] = (
    fewer_blocks,
    fewer_troubles,
    fewer_paras,
    fewer_validators,
    fewer_involved,
    plainer,
)


def _with(scenario: Scenario, **changes: Any) -> Iterator[Scenario]:
    """The scenario with these changes; nothing if there can be none or they change nothing."""
    try:
        changed = replace(scenario, **changes)
    except BadSimulation:
        return
    if changed != scenario:
        yield changed


def _with_parts(
    scenario: Scenario, parts: Sequence[DrawnTrouble], **changes: Any
) -> Iterator[Scenario]:
    yield from _with(
        scenario,
        faults=tuple(part for part in parts if isinstance(part, Fault)),
        adversaries=tuple(part for part in parts if isinstance(part, Adversary)),
        **changes,
    )


def _fitted(scenario: Scenario, shape: Shape) -> Iterator[Scenario]:
    """In a smaller network. Who is in trouble and has no place there takes one of those who are
    not, of the same role, or goes when there is none."""
    before, after = node_roles(scenario.shape), node_roles(shape)
    parts: tuple[DrawnTrouble, ...] = (*scenario.faults, *scenario.adversaries)
    involved = dict.fromkeys(name for part in parts for name in part.who)
    free = [name for name in after if name not in involved]
    moves = {name: name for name in involved if name in after or name not in before}
    for name in involved:
        if name not in moves:
            place = next((place for place in free if after[place] is before[name]), None)
            if place is not None:
                free.remove(place)
                moves[name] = place
    moved = [
        replace(part, who=tuple(moves[name] for name in part.who if name in moves))
        for part in parts
        if any(name in moves for name in part.who)
    ]
    yield from _with_parts(scenario, moved, shape=shape)
