"""The shipped scenarios from seed 1: each is run once for all tests that ask what happened."""

from __future__ import annotations

from functools import cache

from parahost.simulation import Outcome, Simulation
from parahost.simulation.scenario_files import load_scenario
from tests.simulation.hearing import Hearing


@cache
def run_of(name: str) -> tuple[Outcome, Hearing]:
    """The outcome, and what nodes told. Nothing was violated."""
    simulation = Simulation(load_scenario(name), seed=1)
    heard = Hearing(simulation)
    outcome = simulation.run()
    assert outcome.ok, outcome.verdicts
    return outcome, heard
