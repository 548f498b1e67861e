"""Shrinking: what is left is needed, whatever fails and however many run at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parahost.simulation import Crash, Scenario
from parahost.simulation.hunt.draw import draw
from parahost.simulation.hunt.processes import LocalProcesses
from parahost.simulation.hunt.shrink import CUTS, MOST_RUNS, shrink
from parahost.simulation.hunt.trial import Trial, TrialResult
from tests.simulation.hunt.planted import BAD_SEED, TwoFaced, draw_with_bug

CHECKER = "no_contradiction"
PLENTY = 1000

Rule = Callable[[Scenario], bool]


class Known:
    """Runs nothing: a rule says which scenarios fail. Results come in the reverse order."""

    def __init__(self, fails: Rule, jobs: int = 1) -> None:
        self.jobs = jobs
        self.runs = 0
        self._fails = fails

    def run(self, trials: Iterable[Trial]) -> Iterator[TrialResult]:
        for trial in list(trials)[::-1]:
            self.runs += 1
            yield TrialResult(trial, {CHECKER: "broken"} if self._fails(trial.scenario) else {})


def crashes(scenario: Scenario) -> list[Crash]:
    return [fault for fault in scenario.faults if isinstance(fault, Crash)]


RULES: list[Rule] = [
    lambda scenario: True,
    lambda scenario: bool(crashes(scenario)),
    lambda scenario: any(len(crash.who) > 1 for crash in crashes(scenario)),
    lambda scenario: bool(scenario.adversaries) and scenario.blocks >= 7,
    lambda scenario: scenario.shape.parathreads > 0 and scenario.shape.validators >= 4,
    lambda scenario: scenario.shape.slot_s == 4.0 and bool(scenario.faults),
]


@given(seed=st.integers(0, 5000), rule=st.sampled_from(RULES), jobs=st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_nothing_more_can_be_left_out(seed: int, rule: Rule, jobs: int) -> None:
    scenario = draw(seed)
    if not rule(scenario):
        return
    failed = TrialResult(Trial(seed, scenario), {CHECKER: "broken"})
    small = shrink(failed, Known(rule), PLENTY).scenario
    assert rule(small)
    for cut in CUTS:
        assert not any(rule(smaller) for smaller in cut(small)), cut.__name__
    assert shrink(failed, Known(rule, jobs), PLENTY).scenario == small


def test_runs_are_bounded() -> None:
    scenario = draw(next(seed for seed in range(1000) if len(draw(seed).faults) == 4))
    runner = Known(lambda scenario: len(scenario.faults) == 4)
    shrunk = shrink(TrialResult(Trial(1, scenario), {CHECKER: "broken"}), runner, 10)
    assert shrunk.runs == runner.runs == 10 < MOST_RUNS


def test_another_checkers_failure_is_another_failure() -> None:
    scenario = draw(next(seed for seed in range(1000) if draw(seed).faults))
    failed = TrialResult(Trial(1, scenario), {"one_state_root": "broken"})
    shrunk = shrink(failed, Known(lambda scenario: True))
    assert shrunk.scenario == scenario


@pytest.mark.guide("A77")
def test_a_bug_in_a_node_is_laid_bare() -> None:
    processes = LocalProcesses()
    (failed,) = processes.run([Trial(BAD_SEED, draw_with_bug(BAD_SEED))])
    assert set(failed.broken) >= {CHECKER}
    (failed,) = (TrialResult(failed.trial, {CHECKER: failed.broken[CHECKER]}),)
    shrunk = shrink(failed, processes)
    assert shrunk.checker == CHECKER
    (fault,) = shrunk.scenario.faults
    assert isinstance(fault, TwoFaced)
    assert len(fault.who) == 1
    assert shrunk.scenario.shape.validators == 1
    assert shrunk.scenario.shape.parachains == 0
    assert shrunk.scenario.blocks == 1
