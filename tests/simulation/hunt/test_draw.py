"""What seeds draw: the same everywhere, of every kind, within the bounds of the guide."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from parahost.simulation import (
    BacksWrongData,
    DamagedRows,
    Scenario,
    VouchesBlindly,
    adversaries,
    faults,
)
from parahost.simulation.adversaries import Adversary
from parahost.simulation.faults import Fault
from parahost.simulation.hunt.draw import draw
from parahost.simulation.hunt.report import kinds_of
from parahost.simulation.hunt.source import as_python
from parahost.simulation.scenario_files import load_scenario

SEEDS = range(300)


@pytest.fixture(scope="module")
def drawn() -> list[Scenario]:
    return [draw(seed) for seed in SEEDS]


def test_the_same_in_every_process(drawn: list[Scenario]) -> None:
    code = (
        "from parahost.simulation.hunt.draw import draw\n"
        "from parahost.simulation.hunt.source import as_python\n"
        f"print(*(as_python(draw(seed)) for seed in {SEEDS!r}), sep='')"
    )
    other = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": "5"},
        check=True,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert other.stdout == "".join(map(as_python, drawn)) + "\n"


def test_every_kind_of_trouble_is_drawn(drawn: list[Scenario]) -> None:
    kinds = {kind for scenario in drawn for kind in kinds_of(scenario)}
    known: dict[str, type[Fault] | type[Adversary]] = {**faults.KINDS, **adversaries.KINDS}
    assert not set(known) - kinds


def test_no_more_is_broken_than_may_be(drawn: list[Scenario]) -> None:
    """A third of the validators, without the last one, misbehave or lose what they promised."""
    for scenario in drawn:
        broken = {
            name
            for trouble in (*scenario.faults, *scenario.adversaries)
            if isinstance(trouble, DamagedRows | Adversary)
            for name in trouble.who
            if name.startswith("validator")
        }
        assert 3 * len(broken) < scenario.shape.validators


@pytest.mark.parametrize("seed", range(40))
def test_what_is_written_is_what_was_drawn(seed: int, tmp_path: Path) -> None:
    file = tmp_path / "drawn.py"
    file.write_text(as_python(draw(seed)))
    assert load_scenario(str(file)) == draw(seed)
    assert all(len(line) <= 100 for line in file.read_text().splitlines())


def test_whole_groups_are_drawn_that_back_what_is_invalid(drawn: list[Scenario]) -> None:
    """Only then does nobody promise that heads move."""
    conspiracies = [scenario for scenario in drawn if scenario.without]
    assert len(conspiracies) > 10
    for scenario in conspiracies:
        assert scenario.without == ("heads_move",)
        backers = {
            name
            for each in scenario.adversaries
            if isinstance(each, BacksWrongData | VouchesBlindly)
            for name in each.who
        }
        validators, cores = scenario.shape.validators, scenario.shape.cores
        assert 2 * len(backers) > validators // cores, "a majority of the smallest group"
