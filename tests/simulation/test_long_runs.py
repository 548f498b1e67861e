"""What goes on for long: a quarrel of a hundred blocks, and no finality."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import trio

from parahost.ports import KeyStore, KeyType
from parahost.runtime.development import STAKE
from parahost.simulation import Crash, DisputesValid, Scenario, Shape, Simulation, at
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
        simulation.nodes[name].alterations.append(_mute)
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


def _oldest_first(simulation: Simulation) -> list[RecordedBlock]:
    return list(simulation.record.best().ancestry())[::-1][1:]


class _WithoutVoice:
    """A key store that has no keys for blocks and votes on finality."""

    def __init__(self, keys: KeyStore) -> None:
        self._keys = keys

    def public_keys(self, key_type: KeyType) -> Sequence[bytes]:
        is_voice = key_type in (KeyType.BABE, KeyType.GRANDPA)
        return () if is_voice else self._keys.public_keys(key_type)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._keys, name)


def _mute(build: Build) -> None:
    if trio.current_time() < MUTE_S:
        build.with_ports(keystore=_WithoutVoice(build.ports.keystore))
