"""What a hunt has found, in numbers and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from parahost.simulation.adversaries import Adversary
from parahost.simulation.faults import Fault
from parahost.simulation.hunt.shrink import Shrunk
from parahost.simulation.hunt.source import as_python
from parahost.simulation.hunt.trial import TrialResult
from parahost.simulation.scenario import Scenario

QUIET = "no trouble"


@dataclass(slots=True)
class Findings:
    """Of a hunt, as its results come in. ``failed`` and ``shrunk`` by seed."""

    results: int = 0
    blocks: int = 0
    included: int = 0
    virtual_s: float = 0.0
    tried: Counter[str] = field(default_factory=Counter)
    """How many of the networks met each kind of trouble."""
    hurt: Counter[str] = field(default_factory=Counter)
    """How many of these failed."""
    failed: dict[int, TrialResult] = field(default_factory=dict)
    shrunk: dict[int, Shrunk] = field(default_factory=dict)

    def add(self, result: TrialResult) -> None:
        self.results += 1
        self.blocks += result.blocks
        self.included += result.included
        self.virtual_s += result.virtual_s
        kinds = kinds_of(result.trial.scenario)
        self.tried.update(kinds)
        if not result.ok:
            self.hurt.update(kinds)
            self.failed[result.trial.seed] = result

    def as_json(self) -> dict[str, Any]:
        """For a report."""
        return {
            "seeds": self.results,
            "failed": [self._failure(self.failed[seed]) for seed in sorted(self.failed)],
            "blocks": self.blocks,
            "included": self.included,
            "virtual_seconds": round(self.virtual_s, 3),
            "troubles": {
                kind: {"seeds": self.tried[kind], "failed": self.hurt[kind]}
                for kind in sorted(self.tried)
            },
        }

    def _failure(self, result: TrialResult) -> Mapping[str, Any]:
        seed = result.trial.seed
        shrunk = self.shrunk.get(seed)
        return {
            "seed": seed,
            "digest": result.digest,
            "verdicts": dict(result.broken),
            "replay": replay_command(seed),
            "scenario": as_python(result.trial.scenario),
            "shrunk": None if shrunk is None else as_python(shrunk.scenario),
        }


def replay_command(seed: int) -> str:
    """What to type to have one seed again."""
    return f"parahost simulate hunt --seeds {seed}..{seed}"


def kinds_of(scenario: Scenario) -> list[str]:
    """The kinds of trouble in it."""
    troubles: tuple[Fault | Adversary, ...] = (*scenario.faults, *scenario.adversaries)
    return list(dict.fromkeys(trouble.kind for trouble in troubles)) or [QUIET]
