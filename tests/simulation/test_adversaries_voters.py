"""Who votes twice for finality is proven guilty, and finality goes on."""

from __future__ import annotations

import pytest

from parahost.simulation import EquivocatingVoter, Finalized, Reported, Scenario, Shape, Simulation


@pytest.mark.guide("A109")
@pytest.mark.parametrize("seed", [1, 2])
def test_equivocation_in_grandpa(seed: int) -> None:
    scenario = Scenario(
        shape=Shape(validators=4, parachains=0),
        blocks=8,
        adversaries=(EquivocatingVoter(who=("validator-1",)),),
        expects=(Reported(misbehaviour="GrandpaEquivocationProof"), Finalized(at_least=5)),
    )
    outcome = Simulation(scenario, seed).run()
    assert outcome.ok, outcome.verdicts
    assert list(outcome.statistics["misbehaviour"]) == ["GrandpaEquivocationProof"]
