"""How fast a whole network is simulated: virtual time by CPU time, checkers on, one process.

Run: ``python -m bench.bench_simulation [VALIDATORS PARACHAINS BLOCKS]``. Without figures it takes
10 validators with 2 parachains (the middle one of five runs), then 100 with 20 (one run).
"""

from __future__ import annotations

import resource
import sys
from dataclasses import dataclass
from time import process_time

from bench.figures import figure
from parahost.simulation import Scenario, Shape, Simulation
from parahost.simulation.record import RecordedBlock


@dataclass(frozen=True)
class Case:
    """A network, for so many relay blocks, and how many runs the figures come from."""

    validators: int
    parachains: int
    blocks: int
    runs: int = 1
    target: str = ""


CASES = (
    Case(10, 2, 30, runs=5, target="50 x"),
    Case(100, 20, 4, target="1 x"),
)


@dataclass(frozen=True)
class Run:
    """``ratio`` is of the whole run; ``block_s`` is CPU time of a block after the first two."""

    ratio: float
    block_s: float
    messages: float
    """Network messages a block, with those of the start."""


def run(case: Case, seed: int) -> Run:
    shape = Shape(validators=case.validators, parachains=case.parachains)
    simulation = Simulation(Scenario(shape=shape, blocks=case.blocks), seed)
    came: dict[int, float] = {}

    def note(block: RecordedBlock) -> None:
        came.setdefault(block.number, process_time())

    begun = process_time()
    outcome = simulation.run(note)
    taken = process_time() - begun
    assert outcome.ok, outcome.verdicts
    block_s = (came[case.blocks] - came[2]) / (case.blocks - 2)
    messages = sum(outcome.statistics["messages"].values()) / case.blocks
    return Run(outcome.virtual_s / taken, block_s, messages)


def measure(case: Case) -> None:
    runs = [run(case, seed) for seed in range(1, case.runs + 1)]
    middle = sorted(runs, key=lambda each: each.ratio)[len(runs) // 2]
    name = f"{case.validators} validators, {case.parachains} parachains, {case.blocks} blocks"
    figure(f"{name}: by real time", middle.ratio, "x", case.target)
    if len(runs) > 1:
        figure("  the slowest and", min(each.ratio for each in runs), "x")
        figure("  the fastest of the runs", max(each.ratio for each in runs), "x")
    figure("  CPU time of a block", middle.block_s * 1e3, "ms")
    figure("  network messages a block", middle.messages, "")
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    figure("  peak memory of this process", peak_mb, "MB")


def main() -> None:
    if sys.argv[1:]:
        validators, parachains, blocks = map(int, sys.argv[1:4])
        measure(Case(validators, parachains, blocks))
        return
    for case in CASES:
        measure(case)


if __name__ == "__main__":
    main()
