"""What strangers can change is noticed."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import trio
import trio.testing

from parahost.chain.sync.sync import Sync
from parahost.simulation import CensoringAuthor, EmptyAuthor, Scenario, Shape, Stranger
from parahost.simulation.adversaries.strangers_words import StrangerMessage, Tongue
from parahost.simulation.checkers import OK
from parahost.simulation.checkers.undisturbed import StrangersChangeNothing
from tests.runtime.world import Chain
from tests.simulation.checkers.doctored import SLOT_S, DoctoredRun
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


async def test_the_first_block_may_be_late_by_one_slot_and_not_by_two(
    autojump_clock: trio.testing.MockClock,
) -> None:
    for late, found in ((1, OK), (2, "no block for 24 s before it in block 1 ")):
        run = DoctoredRun(StrangersChangeNothing, Chain(), is_undisturbed=True)
        run.step(at=SLOT_S * (2 + late))
        assert run.end().startswith(found)


def test_a_claim_that_steers_authors(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it was: who says that it has a far best block makes authors wait for it, until it is
    banned for saying so. Strangers say nothing else for the first 50 s, and then nothing."""

    def boasts(tongue: Tongue) -> Iterator[StrangerMessage]:
        return tongue.far_claims() if trio.current_time() < 50.0 else tongue.silence()

    def believes(sync: Sync) -> bool:
        best = sync._chain.header(sync._chain.best_hash)
        assert best is not None
        return any(peer.best_number > best.number + 3 for peer in sync._peers.values())

    shape = Shape(validators=4, parachains=0)
    quiet = Scenario(shape=shape, blocks=8)
    boasting = Scenario(shape=shape, blocks=8, adversaries=STRANGERS)
    monkeypatch.setattr(Tongue, "some", boasts)
    assert run_with(scenario=boasting).verdicts[CHECKER] == OK
    monkeypatch.setattr(Sync, "catching_up", property(believes))
    assert run_with(scenario=quiet).verdicts[CHECKER] == OK
    verdict = bitten(run_with(scenario=boasting), CHECKER)
    assert re.match(r"no block for \d+ s before it in block 1", verdict)


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
