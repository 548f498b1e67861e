"""Validators that say what they must not are found out, and nothing of theirs is backed."""

from __future__ import annotations

import pytest

from parahost.simulation import (
    Adversary,
    ContradictsItself,
    Included,
    Reported,
    Scenario,
    SecondsTwo,
    SecondsWrongOutputs,
    SecondsWrongRoot,
    Shape,
    Simulation,
)

BAD = ("validator-1",)


@pytest.mark.guide("A75", "A77", "A87", "A109")
@pytest.mark.parametrize(
    ("adversary", "misbehaviour"),
    [
        (SecondsTwo(who=BAD), "DoubleVote"),
        (ContradictsItself(who=BAD), "SelfContradiction"),
        (SecondsWrongOutputs(who=BAD), "CandidateValidityDisagreement"),
        (SecondsWrongRoot(who=BAD), "CandidateValidityDisagreement"),
    ],
    ids=lambda value: value.kind if isinstance(value, Adversary) else "",
)
def test_it_is_reported_and_the_para_goes_on(adversary: Adversary, misbehaviour: str) -> None:
    scenario = Scenario(
        shape=Shape(validators=4, parachains=1),
        blocks=8,
        adversaries=(adversary,),
        expects=(Reported(misbehaviour=misbehaviour), Included(at_least=2)),
    )
    outcome = Simulation(scenario, 1).run()
    assert outcome.ok, outcome.verdicts
    assert set(outcome.statistics["misbehaviour"]) <= {
        misbehaviour,
        "CandidateValidityDisagreement",
    }
