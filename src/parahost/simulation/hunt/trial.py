"""One trial: a scenario, run with a seed and judged."""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from parahost.simulation.checkers import OK
from parahost.simulation.harness import Simulation
from parahost.simulation.nodes import root_cause
from parahost.simulation.observatory import CheckerBroke
from parahost.simulation.scenario import Scenario

PROGRAM = "program"
"""The verdict on the simulation itself: it came to its end, and no checker fell over."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What to run."""

    seed: int
    scenario: Scenario


@dataclass(frozen=True, slots=True)
class TrialResult:
    """How it went. ``broken``: the verdicts that are not ``ok``, by their checkers. ``virtual_s``
    and ``real_s`` are the lengths of the run by the world's time and by ours."""

    trial: Trial
    broken: Mapping[str, str]
    digest: str = ""
    blocks: int = 0
    included: int = 0
    virtual_s: float = 0.0
    real_s: float = 0.0

    @property
    def ok(self) -> bool:
        return not self.broken


class Runner(Protocol):
    """Where trials run."""

    jobs: int
    """How many at a time."""

    def run(self, trials: Iterable[Trial]) -> Iterator[TrialResult]:
        """All of them, as they end, in any order."""
        ...


def attempt(trial: Trial) -> TrialResult:
    """Run it. Whatever happens is a result; one at a time in one process."""
    try:
        outcome = Simulation(trial.scenario, trial.seed).run()
    except (Exception, CheckerBroke) as error:
        return TrialResult(trial, {PROGRAM: _told(error)})
    return TrialResult(
        trial,
        {name: verdict for name, verdict in outcome.verdicts.items() if verdict != OK},
        outcome.digest,
        outcome.statistics["blocks"],
        sum(outcome.statistics["included"].values()),
        outcome.virtual_s,
        outcome.real_s,
    )


def _told(error: BaseException) -> str:
    """The first cause, and where it arose."""
    error = root_cause(error)
    (*_, place) = traceback.extract_tb(error.__traceback__) or [None]
    where = "" if place is None else f" ({place.filename}, line {place.lineno})"
    return f"{type(error).__name__}: {error}{where}"
