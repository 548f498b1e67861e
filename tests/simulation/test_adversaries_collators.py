"""Bad collators harm their own para at most."""

from __future__ import annotations

from typing import Any

import pytest

from parahost.simulation import (
    Adversary,
    Included,
    InvalidCollator,
    Reported,
    Scenario,
    Shape,
    Simulation,
    SlowCollator,
    SpamsAdvertisements,
    TwoCollations,
    VouchesBlindly,
)
from parahost.simulation.journal import TraceEvent
from tests.simulation.reputations import Reproaches

BAD = ("collator-2000",)
SHAPE = Shape(validators=4, parachains=2)


@pytest.mark.guide("A82", "A97")
@pytest.mark.parametrize(
    ("adversary", "reproach"),
    [
        (SlowCollator(who=BAD), "a collation that was advertised did not come in time"),
        (SpamsAdvertisements(who=BAD), "a second advertisement on one relay parent"),
        (InvalidCollator(who=BAD), "an invalid collation"),
    ],
    ids=lambda value: value.kind if isinstance(value, Adversary) else "",
)
def test_it_costs_reputation_and_other_paras_go_on(adversary: Adversary, reproach: str) -> None:
    expects = (Included(at_least=2, para=2001),)
    scenario = Scenario(shape=SHAPE, blocks=8, adversaries=(adversary,), expects=expects)
    simulation = Simulation(scenario, 1)
    reproaches = Reproaches(simulation)
    outcome = simulation.run()
    assert outcome.ok, outcome.verdicts
    assert outcome.statistics["misbehaviour"] == {}
    assert reproach in reproaches.against(*BAD)


@pytest.mark.guide("A76", "A79", "A82", "A109")
def test_an_invalid_block_is_not_backed_though_somebody_vouches_for_it() -> None:
    scenario = Scenario(
        shape=Shape(validators=4, parachains=1),  # all are of its group
        blocks=8,
        adversaries=(InvalidCollator(who=BAD), VouchesBlindly(who=("validator-1",))),
        expects=(Reported(misbehaviour="CandidateValidityDisagreement"),),
    )
    simulation = Simulation(scenario, 1)
    events: list[TraceEvent] = []
    simulation.trace.watch(events.append)
    outcome = simulation.run()
    assert outcome.ok, outcome.verdicts
    assert outcome.statistics["included"]["2000"] == 0
    assert any(each.event == "collation.banned" for each in events)


@pytest.mark.guide("A82")
def test_a_banned_collators_node_follows_the_chain_and_reads_why() -> None:
    scenario = Scenario(shape=SHAPE, blocks=8, adversaries=(InvalidCollator(who=BAD),))
    simulation = Simulation(scenario, 1)
    events: list[TraceEvent] = []
    simulation.trace.watch(events.append)
    assert simulation.run().ok
    of_it = [event for event in events if event.node == BAD[0]]
    imported = [event for event in events if event.event == "chain.imported"]
    numbers: list[Any] = [event.fields["number"] for event in imported]
    own: list[Any] = [event.fields["number"] for event in imported if event in of_it]
    assert max(numbers) - 1 <= max(own)
    refused = [event.fields for event in of_it if event.event == "collation.refused"]
    assert "the head's hash is not the descriptor's" in {each["reason"] for each in refused}
    assert {10, 20} <= {each["ban_s"] for each in refused}, "longer the second time"


@pytest.mark.guide("A77", "A109")
def test_two_good_collations_harm_nobody() -> None:
    scenario = Scenario(
        shape=Shape(validators=4, parachains=1),
        blocks=8,
        adversaries=(TwoCollations(who=BAD),),
        expects=(Included(at_least=2),),
    )
    simulation = Simulation(scenario, 1)
    seconded: dict[object, dict[object, None]] = {}

    def listen(event: TraceEvent) -> None:
        if event.event == "backing.seconded":
            seconded.setdefault(event.fields["relay_parent"], {})[event.fields["candidate"]] = None

    simulation.trace.watch(listen)
    outcome = simulation.run()
    assert outcome.ok, outcome.verdicts
    assert outcome.statistics["misbehaviour"] == {}
    assert max(len(candidates) for candidates in seconded.values()) == 2
