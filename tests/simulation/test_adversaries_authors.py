"""Blocks of bad authors stop nobody."""

from __future__ import annotations

import pytest

from parahost.simulation import (
    Finalized,
    GarbageAuthor,
    Included,
    Scenario,
    Shape,
    Simulation,
    VouchesBlindly,
)
from parahost.simulation.journal import TraceEvent
from parahost.simulation.scenario_toml import parse_scenario


@pytest.mark.guide("A50")
def test_blocks_with_garbage_are_refused() -> None:
    scenario = Scenario(
        shape=Shape(validators=4, parachains=1),
        blocks=8,
        adversaries=(GarbageAuthor(who=("validator-1",)),),
        expects=(Included(at_least=2), Finalized(at_least=4)),
    )
    simulation = Simulation(scenario, 1)
    spoiled: list[object] = []
    imported: list[object] = []

    def listen(event: TraceEvent) -> None:
        if event.event == "adversary.spoiled_block":
            spoiled.append(event.fields["block"])
        elif event.event == "chain.imported":
            imported.append(event.fields["block"])

    simulation.trace.watch(listen)
    outcome = simulation.run()
    assert outcome.ok, outcome.verdicts
    assert spoiled
    assert not set(spoiled) & set(imported)


def test_adversaries_have_names_in_toml() -> None:
    text = '[[adversary]]\nkind = "vouches_blindly"\nwho = ["validator-1"]\n'
    assert parse_scenario(text, "here").adversaries == (VouchesBlindly(who=("validator-1",)),)
