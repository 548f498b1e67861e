"""A group of conspirators has included what it likes, and the checker of validity sees it."""

from __future__ import annotations

import pytest

from parahost.simulation import (
    Adversary,
    BacksWrongData,
    Included,
    InvalidCollator,
    Outcome,
    Reported,
    Scenario,
    Shape,
    Simulation,
    VouchesBlindly,
)
from tests.simulation.hearing import Hearing
from tests.simulation.shipped import run_of

WHOLE_GROUP = ("validator-3", "validator-4")
"""Of 7 validators for 3 parachains, until the first session ends."""
CHECKER = "nothing_final_invalid"


def run(scenario: Scenario) -> tuple[Outcome, Hearing]:
    simulation = Simulation(scenario, 1)
    heard = Hearing(simulation)
    return simulation.run(), heard


def candidates(heard: Hearing, event: str) -> set[object]:
    """Those that such events were about."""
    return {each.fields["candidate"] for each in heard.of(event)}


def assert_it_is_undone(outcome: Outcome) -> None:
    """The promises hold: what was found invalid is not final, and its backers pay."""
    assert outcome.ok, outcome.verdicts
    assert outcome.statistics["disputes"]["invalid"]
    assert set(outcome.statistics["punished"]) == {"backed_invalid"}


def assert_wrong_data_are_found_out(outcome: Outcome, heard: Hearing) -> None:
    """Data that have right proofs are wrong when they are included, and that is seen then."""
    wrong = candidates(heard, "adversary.wrong_data")
    assert wrong & candidates(heard, "chain.included")
    assert wrong & candidates(heard, "checking.invalid")
    assert_it_is_undone(outcome)


@pytest.mark.guide("A90", "A95")
def test_wrong_data_of_a_whole_group_are_found_out() -> None:
    assert_wrong_data_are_found_out(*run_of("wrong_data_with_right_proofs"))


@pytest.mark.guide("A90", "A95")
def test_wrong_data_of_two_of_three_are_found_out() -> None:
    scenario = Scenario(
        shape=Shape(validators=7, parachains=2),
        blocks=8,
        adversaries=(BacksWrongData(who=("validator-1", "validator-4")),),
        expects=(Reported(misbehaviour="CandidateValidityDisagreement"),),
    )
    assert_wrong_data_are_found_out(*run(scenario))


@pytest.mark.guide("A75", "A109")
def test_less_than_half_of_a_group_achieves_nothing() -> None:
    outcome, heard = run(
        Scenario(
            shape=Shape(validators=4, parachains=1),
            blocks=8,
            adversaries=(BacksWrongData(who=("validator-1",)),),
            expects=(
                Reported(misbehaviour="CandidateValidityDisagreement"),
                Included(at_least=2),
            ),
        )
    )
    assert outcome.ok, outcome.verdicts
    wrong = candidates(heard, "adversary.wrong_data")
    assert wrong
    assert not wrong & candidates(heard, "chain.backed")


def test_adversaries_of_several_kinds_act_together() -> None:
    """A collator's invalid blocks are included once a whole group vouches for them."""
    adversaries: tuple[Adversary, ...] = tuple(
        InvalidCollator(who=(f"collator-{para}",)) for para in (2000, 2001, 2002)
    )
    outcome, heard = run(
        Scenario(
            shape=Shape(validators=7, parachains=3),
            blocks=8,
            adversaries=(*adversaries, VouchesBlindly(who=WHOLE_GROUP)),
        )
    )
    assert candidates(heard, "chain.included") & candidates(heard, "checking.invalid")
    assert_it_is_undone(outcome)
