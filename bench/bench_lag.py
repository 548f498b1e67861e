"""Long without finality: what a node holds and what a block costs, early and late; how it heals.

Run: ``python -m bench.bench_lag [BLOCKS]``; a day is 14,400, without a figure it takes 600. Two of
four validators have no voice in finality, all else goes on: checks are made, and candidates are
accepted. Halfway one node starts again; another is away from the first quarter to the third. Then
the two have their keys again, and finality catches up. Checkers of the simulation are off.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import process_time
from typing import Any

import trio

from bench.figures import figure
from parahost.ports import KeyStore, KeyType
from parahost.simulation import Crash, Scenario, Shape, Simulation, at_block
from parahost.simulation.build import Build
from parahost.simulation.memory import Held
from parahost.simulation.record import RecordedBlock

MUTE = ("validator-3", "validator-4")
WATCHED = "validator-1"
AFTER = 10
"""Blocks after the return of the voters."""
WINDOWS = 8


class WithoutVote:
    """A key store that has no keys for votes on finality."""

    def __init__(self, keys: KeyStore) -> None:
        self._keys = keys

    def public_keys(self, key_type: KeyType) -> Sequence[bytes]:
        return () if key_type is KeyType.GRANDPA else self._keys.public_keys(key_type)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._keys, name)


def silent_until(simulation: Simulation, block: int) -> Callable[[Build], None]:
    """Takes a node's vote away in each life that begins before that block."""

    def alter(build: Build) -> None:
        if simulation.record.best().number < block:
            build.with_ports(keystore=WithoutVote(build.ports.keystore))

    return alter


@dataclass
class Watch:
    """What is seen of a run, block by block."""

    simulation: Simulation
    blocks: int
    at: dict[int, float] = field(default_factory=dict)
    """CPU time when each block came first."""
    returned_s: float = 0.0
    caught_up_s: float = 0.0

    def note(self, block: RecordedBlock) -> None:
        if block.number in self.at:
            return
        self.at[block.number] = process_time()
        lag = block.number - self.simulation.record.last_final().number
        if block.number == self.blocks:
            self.returned_s = trio.current_time()
        elif block.number > self.blocks and lag <= 8 and not self.caught_up_s:
            self.caught_up_s = trio.current_time()
        step = max(self.blocks // WINDOWS, 1)
        if block.number % step == 0 and block.number <= self.blocks:
            self._show(block.number, step, lag)

    def _show(self, number: int, step: int, lag: int) -> None:
        first = max(number - step, 1)
        cpu = (self.at[number] - self.at[first]) / max(number - first, 1)
        held = sum(self.simulation._memory_of(WATCHED).values(), Held())
        figure(f"block {number}, {lag} not final: {WATCHED} holds", held.entries, "entries")
        figure("  in strings", held.size / 1024, "KiB")
        figure("  CPU time of a block, all nodes", cpu * 1000, "ms")


def run(blocks: int) -> None:
    shape = Shape(validators=4, parachains=1)
    quarter = blocks // 4
    faults = (
        Crash(who=("validator-2",), at=at_block(quarter), lasts_s=2 * quarter * shape.slot_s),
        Crash(who=(WATCHED,), at=at_block(2 * quarter + 1)),
        Crash(who=MUTE, at=at_block(blocks)),
    )
    simulation = Simulation(
        Scenario(shape=shape, blocks=blocks + AFTER, faults=faults), 1, checks=()
    )
    for name in MUTE:
        simulation.nodes[name].alterations.append(silent_until(simulation, blocks))
    watch = Watch(simulation, blocks)
    outcome = simulation.run(watch.note)
    final, best = simulation.record.last_final().number, simulation.record.best().number
    figure("after the voters' return: final", final, f"of {best}")
    figure("finality had caught up after", watch.caught_up_s - watch.returned_s, "s")
    figure("messages a block", sum(outcome.statistics["messages"].values()) / best, "")


if __name__ == "__main__":
    run(int(sys.argv[1]) if len(sys.argv) > 1 else 600)
