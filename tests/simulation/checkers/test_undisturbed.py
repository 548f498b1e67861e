"""What strangers can change is noticed."""

from __future__ import annotations

import re

import pytest
import trio.testing

from parahost.chain.sync.sync import Sync
from parahost.simulation import CensoringAuthor, EmptyAuthor, Scenario, Shape, Stranger
from parahost.simulation.checkers import OK
from parahost.simulation.checkers.undisturbed import StrangersChangeNothing
from tests.runtime.world import Chain
from tests.simulation.checkers.doctored import DoctoredRun
from tests.simulation.checkers.planted import SMALL, bitten, run_with, secretly

CHECKER = "strangers_change_nothing"
ALL = tuple(f"validator-{number}" for number in range(1, 5))
STRANGERS = (Stranger(who=tuple(f"stranger-{number}" for number in range(1, 7))),)


async def test_one_slot_may_stay_empty_and_not_two_in_a_row(
    autojump_clock: trio.testing.MockClock,
) -> None:
    for empty, found in ((1, OK), (2, "2 slots without a block before it in block 3 ")):
        run = DoctoredRun(StrangersChangeNothing, Chain(), is_undisturbed=True)
        run.steps(2)
        run.step(slot=run.chain.slot + 1 + empty)
        assert run.end().startswith(found)


@pytest.mark.parametrize(
    ("seed", "found"),
    [
        (2, r"^no block for \d+ s before it in block 1 "),
        (3, r"^\d+ slots without a block before it"),
    ],
)
def test_a_claim_that_steers_authors(
    monkeypatch: pytest.MonkeyPatch, seed: int, found: str
) -> None:
    """As it was: who says that it has a far best block makes authors wait for it, until it is
    banned for saying so."""

    def believes(sync: Sync) -> bool:
        best = sync._chain.header(sync._chain.best_hash)
        assert best is not None
        return any(peer.best_number > best.number + 3 for peer in sync._peers.values())

    monkeypatch.setattr(Sync, "catching_up", property(believes))
    shape = Shape(validators=4, parachains=0)
    quiet = run_with(scenario=Scenario(shape=shape, blocks=8), seed=seed)
    assert quiet.verdicts[CHECKER] == OK
    scenario = Scenario(shape=shape, blocks=8, adversaries=STRANGERS)
    verdict = bitten(run_with(scenario=scenario, seed=seed), CHECKER)
    assert re.search(found, verdict)


def test_a_para_that_stands() -> None:
    """Nobody's candidates come into blocks."""
    scenario = Scenario(shape=SMALL, blocks=10)
    outcome = secretly(EmptyAuthor(who=ALL), ALL, scenario, 1)
    assert "para 2000 has not moved" in bitten(outcome, CHECKER)


def test_trouble_of_another_kind_is_no_stranger_s() -> None:
    scenario = Scenario(
        shape=SMALL, blocks=4, adversaries=(*STRANGERS, CensoringAuthor(who=ALL[:1]))
    )
    assert not scenario.is_undisturbed
    assert run_with(scenario=scenario).verdicts[CHECKER] == OK
