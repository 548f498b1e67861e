"""What goes on for long: a quarrel of a hundred blocks, and no finality."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest
import trio

from parahost.ports import KeyStore, KeyType
from parahost.primitives.limits import OUTGROWN_AFTER
from parahost.runtime.development import STAKE
from parahost.simulation import Crash, DisputesValid, Scenario, Shape, Simulation, at, at_block
from parahost.simulation.build import Build
from parahost.simulation.checkers.bounds import BoundedStores, NodesStayUp
from parahost.simulation.checkers.memory import BoundedMemory
from parahost.simulation.checkers.stakes import NoHonestSlashed
from parahost.simulation.checkers.verdicts import NothingFinalInvalid
from parahost.simulation.memory import Held
from parahost.simulation.record import RecordedBlock
from tests.simulation.hearing import Hearing

MUTE = ("validator-2", "validator-3", "validator-4")
MUTE_S = 20 * 60.0
VOICE = (KeyType.BABE, KeyType.GRANDPA)
"""Keys for blocks and votes on finality."""
OF_CHECKS = ("approval-voting._machine", "approval-distribution._gossip")
"""What would grow with each block that is not final."""


@pytest.mark.guide("A57", "A64")
def test_who_disputes_all_for_a_hundred_blocks_costs_nobody_else() -> None:
    """What is valid becomes final, its stake shrinks, and blocks do not grow. ``bounded_memory``
    and ``bounded_stores`` look at the nodes."""
    liar = "validator-2"
    scenario = Scenario(
        shape=Shape(validators=4, parachains=2, epoch_slots=20),
        blocks=100,
        adversaries=(DisputesValid(who=(liar,)),),
    )
    judges = BoundedMemory, BoundedStores, NoHonestSlashed, NodesStayUp, NothingFinalInvalid
    simulation = Simulation(scenario, 1, checks=judges)
    heard = Hearing(simulation)
    outcome = simulation.run()
    assert outcome.ok, outcome.verdicts
    statistics = outcome.statistics
    assert statistics["finalized"] >= 92
    assert not heard.of("chain.invalid_is_final")
    disputes = statistics["disputes"]
    assert disputes["begun"] == disputes["valid"] >= 10
    assert statistics["stakes"].pop(liar) < STAKE
    assert set(statistics["stakes"].values()) == {STAKE}
    sizes = [sum(map(len, block.extrinsics)) for block in _oldest_first(simulation)]
    assert max(sizes[50:]) <= 1.1 * max(sizes[:50])


@pytest.mark.guide("A99")
def test_what_is_not_final_is_held_by_block_and_let_go_with_finality() -> None:
    """One validator makes all blocks, and too few vote on finality; all else goes on. What a node
    holds for a block stays the same, and goes when that is final."""
    returns = tuple(
        Crash(who=(name,), at=at(MUTE_S + 10.0 * place), lasts_s=5.0)
        for place, name in enumerate(MUTE)
    )
    scenario = Scenario(
        shape=Shape(validators=4, parachains=1, slot_s=60.0), blocks=14, faults=returns
    )
    simulation = Simulation(scenario, 1)
    for name in MUTE:
        simulation.nodes[name].alterations.append(
            partial(_silence, VOICE, lambda: trio.current_time() < MUTE_S)
        )
    held: dict[int, int] = {}
    lags: dict[int, int] = {}

    def measure(block: RecordedBlock) -> None:
        lags[block.number] = block.number - simulation.record.last_final().number
        held[block.number] = sum(simulation._memory_of("validator-1").values(), Held()).entries

    outcome = simulation.run(measure)
    assert outcome.ok, outcome.verdicts
    peak = max(lags, key=lambda number: lags[number])
    assert lags[peak] == peak >= 8, "nothing was final"
    grown = [held[number] - held[number - 1] for number in range(2, peak + 1)]
    assert max(grown[3:]) <= max(grown[:3]), "each block costs the same"
    assert min(held[number] for number in held if number > peak) < held[peak]


@pytest.mark.guide("A53", "A99")
def test_days_without_finality_cost_no_more_than_minutes_and_it_catches_up() -> None:
    """One validator makes all blocks, too few vote on finality, all else goes on, and what was
    accepted long ago is forgotten. One node starts again meanwhile, and knows no less."""
    returns_at, last = 44, 50
    scenario = Scenario(
        shape=Shape(validators=4, parachains=1, configuration={"acceptance_period": 4}),
        blocks=last,
        faults=(
            Crash(who=("validator-2",), at=at_block(30)),
            Crash(who=("validator-3", "validator-4"), at=at_block(returns_at)),
        ),
    )
    judges = BoundedMemory, BoundedStores, NoHonestSlashed, NodesStayUp, NothingFinalInvalid
    simulation = Simulation(scenario, 1, checks=judges)
    best = simulation.record.best
    for name in MUTE:
        alterations = simulation.nodes[name].alterations
        alterations.append(partial(_silence, (KeyType.BABE,), lambda: True))
        if name != "validator-2":
            alterations.append(
                partial(_silence, (KeyType.GRANDPA,), lambda: best().number < returns_at)
            )
    held: dict[tuple[str, int], int] = {}
    lags: dict[int, int] = {}

    def measure(block: RecordedBlock) -> None:
        lags[block.number] = block.number - simulation.record.last_final().number
        if block.number in (4, 16, 30, returns_at):
            for name in ("validator-1", "validator-2"):  # the second starts again
                parts = simulation._memory_of(name)
                of_checks = [parts[part].entries for part in OF_CHECKS if part in parts]
                held[name, block.number] = sum(of_checks)

    outcome = simulation.run(measure)
    assert outcome.ok, outcome.verdicts
    assert lags[returns_at] == returns_at, "nothing was final"
    assert lags[last] <= 4, "it has caught up"
    of_a_block = (held["validator-1", 16] - held["validator-1", 4]) / 12
    grown = held["validator-1", returns_at] - held["validator-1", 30]
    assert grown < 3 * of_a_block, "as much is let go as comes"
    more = held["validator-2", returns_at] - held["validator-1", returns_at]
    assert more < (OUTGROWN_AFTER + 1) * of_a_block, "of what was let go a start brings little back"


def _oldest_first(simulation: Simulation) -> list[RecordedBlock]:
    return list(simulation.record.best().ancestry())[::-1][1:]


class _WithoutKeys:
    """A key store that has no keys of some types."""

    def __init__(self, keys: KeyStore, lacking: Sequence[KeyType]) -> None:
        self._keys, self._lacking = keys, lacking

    def public_keys(self, key_type: KeyType) -> Sequence[bytes]:
        return () if key_type in self._lacking else self._keys.public_keys(key_type)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._keys, name)


def _silence(lacking: Sequence[KeyType], is_silent: Callable[[], bool], build: Build) -> None:
    """For lives that begin while it is."""
    if is_silent():
        build.with_ports(keystore=_WithoutKeys(build.ports.keystore, lacking))
