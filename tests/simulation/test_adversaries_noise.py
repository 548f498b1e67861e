"""Floods and malformed bytes stop nobody, and who sends them pays for it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from parahost.simulation import (
    Adversary,
    Finalized,
    FloodsBitfields,
    FloodsStatements,
    FloodsViews,
    Included,
    Scenario,
    SendsGarbage,
    Shape,
    Simulation,
)
from tests.simulation.reputations import Reproaches

BAD = ("validator-1",)


@pytest.mark.guide("A82", "A84", "A87", "A94", "A105", "A106")
@pytest.mark.parametrize(
    ("adversary", "reproach"),
    [
        (FloodsStatements(who=BAD), "more of one author than anybody needs"),
        (FloodsBitfields(who=BAD), "the same message again from the same peer"),
        (FloodsViews(who=BAD), None),
        (SendsGarbage(who=BAD), "a gossip message that does not decode"),
    ],
    ids=lambda value: value.kind if isinstance(value, Adversary) else "",
)
def test_the_others_go_on(adversary: Adversary, reproach: str | None) -> None:
    scenario = Scenario(
        shape=Shape(validators=4, parachains=1),
        blocks=8,
        adversaries=(adversary,),
        expects=(Included(at_least=2), Finalized(at_least=4)),
    )
    simulation = Simulation(scenario, 1)
    reproaches = Reproaches(simulation)
    outcome = simulation.run()
    assert outcome.ok, outcome.verdicts
    assert reproach is None or reproach in reproaches.against(*BAD)


@pytest.mark.guide("A105")
def test_views_are_flooded() -> None:
    """To three others, 50 more for each block but the last."""
    scenario = Scenario(shape=Shape(validators=4, parachains=0), blocks=4)
    bad = replace(scenario, adversaries=(FloodsViews(who=BAD),))
    views = [
        Simulation(each, 1).run().statistics["messages"]["validation"] for each in (scenario, bad)
    ]
    assert views[0] < 3 * 50  # and no two runs have just as many
    assert views[1] >= 3 * 50 * 3
