"""A group of conspirators has included what it likes, and the checker of validity sees it."""

from __future__ import annotations

import pytest

from parahost.simulation import (
    Adversary,
    BacksWrongData,
    Included,
    InvalidCollator,
    Reported,
    Scenario,
    Shape,
    Simulation,
    VouchesBlindly,
)
from parahost.simulation.journal import TraceEvent
from parahost.simulation.scenario_files import load_scenario

WHOLE_GROUP = ("validator-3", "validator-4")
"""Of 7 validators for 3 parachains, until the first session ends."""
CHECKER = "nothing_final_invalid"


class Run:
    """A run of a conspiracy, with the candidates that it has spoiled and those included."""

    def __init__(self, scenario: Scenario) -> None:
        simulation = Simulation(scenario, 1)
        self._of: dict[str, dict[object, None]] = {}
        simulation.trace.watch(self._hear)
        self.outcome = simulation.run()

    def of(self, event: str) -> set[object]:
        """The candidates that such events were about."""
        return set(self._of.get(event, {}))

    def _hear(self, event: TraceEvent) -> None:
        if "candidate" in event.fields:
            self._of.setdefault(event.event, {})[event.fields["candidate"]] = None

    def assert_it_is_undone(self) -> None:
        """The promises hold: what was found invalid is not final, and its backers pay."""
        assert self.outcome.ok, self.outcome.verdicts
        statistics = self.outcome.statistics
        assert statistics["disputes"]["invalid"]
        assert set(statistics["punished"]) == {"backed_invalid"}


@pytest.mark.guide("A90", "A95")
@pytest.mark.parametrize(
    "scenario",
    [
        load_scenario("wrong_data_with_right_proofs"),
        Scenario(
            shape=Shape(validators=7, parachains=2),
            blocks=8,
            adversaries=(BacksWrongData(who=("validator-1", "validator-4")),),
            expects=(Reported(misbehaviour="CandidateValidityDisagreement"),),
        ),
    ],
    ids=["whole group", "two of three"],
)
def test_wrong_data_with_right_proofs_are_found_out_when_they_are_included(
    scenario: Scenario,
) -> None:
    run = Run(scenario)
    assert run.of("adversary.wrong_data") & run.of("chain.included")
    assert run.of("adversary.wrong_data") & run.of("checking.invalid")
    run.assert_it_is_undone()


@pytest.mark.guide("A75", "A109")
def test_less_than_half_of_a_group_achieves_nothing() -> None:
    run = Run(
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
    assert run.outcome.ok, run.outcome.verdicts
    assert run.of("adversary.wrong_data")
    assert not run.of("adversary.wrong_data") & run.of("chain.backed")


def test_adversaries_of_several_kinds_act_together() -> None:
    """A collator's invalid blocks are included once a whole group vouches for them."""
    adversaries: tuple[Adversary, ...] = tuple(
        InvalidCollator(who=(f"collator-{para}",)) for para in (2000, 2001, 2002)
    )
    run = Run(
        Scenario(
            shape=Shape(validators=7, parachains=3),
            blocks=8,
            adversaries=(*adversaries, VouchesBlindly(who=WHOLE_GROUP)),
        )
    )
    assert run.of("chain.included") & run.of("checking.invalid")
    run.assert_it_is_undone()
