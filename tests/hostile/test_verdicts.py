"""The verdicts bite."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.hostile.verdicts import Calm, Phase, broken, had_room, lost

QUIET = Phase(slots=20, blocks=20, parablocks=19, unfinal=1, peak_mb=80)
CALM = Calm.of([QUIET])


def test_a_chain_that_goes_on_is_well() -> None:
    assert not lost(CALM, QUIET)
    assert not broken(CALM, QUIET)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"blocks": 16}, "16 blocks"),
        ({"parablocks": 15}, "15 parablocks"),
        ({"unfinal": 5}, "finality is 5"),
    ],
)
def test_what_is_lost_is_told(change: dict[str, Any], what: str) -> None:
    (found,) = lost(CALM, replace(QUIET, **change))
    assert what in found
    assert not broken(CALM, replace(QUIET, **change))


def test_a_machine_that_is_slow_in_calm_too_is_no_loss() -> None:
    slow = replace(QUIET, blocks=10, parablocks=9)
    assert not lost(Calm.of([slow, slow]), slow)


def test_a_busy_machine_judges_no_loss() -> None:
    assert had_room(CALM, QUIET)
    assert had_room(CALM, replace(QUIET, idle=0.0)), "what attackers take is theirs to take"
    assert not had_room(Calm.of([QUIET, replace(QUIET, idle=0.3), QUIET]), QUIET)
    assert not had_room(CALM, replace(QUIET, foreign=0.3))


def test_memory_troubles_and_attackers_that_stay_are_told() -> None:
    tallies = {"stays": {"ended": 0}, "leaves": {"ended": 3}, "may_stay": {"ended": 0}}
    bad = replace(QUIET, peak_mb=105, troubles=("one failed",), tallies=tallies)
    trouble, memory = broken(CALM, bad)
    assert trouble == "one failed"
    assert "105 MB" in memory
    (attacker,) = lost(CALM, bad, ("stays", "leaves"))
    assert attacker.startswith("stays")
