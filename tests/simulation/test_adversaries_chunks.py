"""With f validators who withhold, forge or feign data, candidates become available all the same."""

from __future__ import annotations

import pytest

from parahost.simulation import (
    Adversary,
    ClaimsUnseen,
    Included,
    Scenario,
    SendsWrongChunks,
    Shape,
    Simulation,
    WithholdsChunks,
    WithholdsPoV,
)
from tests.simulation.reputations import Reproaches

BAD = ("validator-1",)


@pytest.mark.guide("A43", "A88", "A90")
@pytest.mark.parametrize(
    "adversary",
    [
        WithholdsPoV(who=BAD),
        WithholdsChunks(who=BAD),
        SendsWrongChunks(who=BAD),
        ClaimsUnseen(who=BAD),
    ],
    ids=lambda adversary: adversary.kind,
)
def test_the_para_goes_on(adversary: Adversary) -> None:
    scenario = Scenario(
        shape=Shape(validators=5, parachains=2),
        blocks=8,
        adversaries=(adversary,),
        expects=(Included(at_least=2),),
    )
    outcome = Simulation(scenario, 1).run()
    assert outcome.ok, outcome.verdicts
    assert outcome.statistics["misbehaviour"] == {}


@pytest.mark.guide("A90")
def test_wrong_chunks_cost_reputation_and_are_not_kept() -> None:
    scenario = Scenario(
        shape=Shape(validators=5, parachains=2),
        blocks=8,
        adversaries=(SendsWrongChunks(who=BAD),),
    )
    simulation = Simulation(scenario, 1)
    reproaches = Reproaches(simulation)
    assert simulation.run().ok
    assert "a chunk that its proof does not tie to the candidate" in reproaches.against(*BAD)
