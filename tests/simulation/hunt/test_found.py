"""What hunts have found stays mended: each bug is a scenario, run with the seed that showed it."""

from __future__ import annotations

import pytest

from parahost.simulation import Simulation
from parahost.simulation.scenario_files import load_scenario

FOUND = {
    "fork_that_nobody_announces": 1112,
    "return_before_the_news": 1056,
    "damaged_proofs": 1269,
}


@pytest.mark.parametrize(("name", "seed"), FOUND.items())
def test_it_stays_mended(name: str, seed: int) -> None:
    outcome = Simulation(load_scenario(name), seed).run()
    assert outcome.ok, outcome.verdicts
