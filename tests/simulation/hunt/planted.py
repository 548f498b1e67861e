"""Faults planted for the hunt to find, and trials that never end well."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field, replace
from typing import ClassVar

from parahost.simulation import Crash, Moment, Partition, Scenario, at_block
from parahost.simulation.adversaries import EquivocatingAuthor
from parahost.simulation.faults import Fault, World
from parahost.simulation.hunt.draw import draw
from parahost.simulation.hunt.trial import Trial, TrialResult


@dataclass(frozen=True, kw_only=True)
class TwoFaced(Fault):
    """Nodes with a bug, not known for adversaries: they make two blocks for each of their slots."""

    kind: ClassVar[str] = "two_faced"

    at: Moment = field(default_factory=lambda: Moment(seconds=0.0))

    def prepare(self, world: World) -> None:
        alteration = EquivocatingAuthor(who=self.who).conspire(world)
        for name in self.who:
            world.nodes[name].alterations.append(alteration)

    async def begin(self, world: World) -> None:
        """It has been so from the start."""


BAD_SEED = 3


def draw_with_bug(seed: int) -> Scenario:
    """A small network; with one seed there are mutants in it, among other troubles."""
    scenario = draw(seed)
    small = replace(
        scenario,
        shape=replace(scenario.shape, validators=4, parachains=1, parathreads=0),
        blocks=8,
        faults=(),
        adversaries=(),
        expects=(),
    )
    if seed != BAD_SEED:
        return small
    return replace(
        small,
        faults=(
            Partition(who=("validator-1",), at=at_block(1), lasts_s=3.0),
            TwoFaced(who=("validator-2", "validator-3", "validator-4")),
            Crash(who=("collator-2000",), at=at_block(2)),
        ),
    )


def never_ends(trial: Trial) -> TrialResult:
    """As a node does that waits for nothing."""
    while trial.seed == BAD_SEED:
        pass
    return TrialResult(trial, {}, blocks=trial.seed)


def waits(trial: Trial) -> TrialResult:
    """As a node does that waits for what nobody gives."""
    if trial.seed == BAD_SEED:
        threading.Event().wait()
    return TrialResult(trial, {}, blocks=trial.seed)


def dies(trial: Trial) -> TrialResult:
    """As a process does that the system takes down."""
    if trial.seed == BAD_SEED:
        os._exit(9)
    return TrialResult(trial, {}, blocks=trial.seed)
