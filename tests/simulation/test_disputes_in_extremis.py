"""Disputes that a chain cannot make good: of what is final, and without a supermajority."""

from __future__ import annotations

from dataclasses import replace

import pytest
import trio

from parahost.node.messages.validity import IssueVote
from parahost.node.node import Node
from parahost.primitives.basic import U32, BlockNumber
from parahost.primitives.runtime_api import IncludedCandidate
from parahost.runtime import api
from parahost.runtime.development import STAKE, VALIDITY
from parahost.runtime.storage import State
from parahost.simulation import (
    InvalidCollator,
    Scenario,
    Shape,
    Simulation,
    VotesLate,
    VouchesBlindly,
    plan,
)
from tests.simulation.hearing import Hearing

SHAPE = Shape(validators=7, parachains=3)
GROUP = ("validator-3", "validator-4")
"""All of one group, until the first session ends."""
SLOW = ("validator-5", "validator-6", "validator-7")
"""One more than may be silent."""
PERIOD = 3
"""Blocks that a dispute waits for a supermajority."""


@pytest.mark.guide("A57", "A65")
def test_what_is_final_is_not_reverted_but_paras_freeze_and_everybody_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On a chain that asks for no checks, somebody looks when it is too late (D27)."""
    unchecked = replace(VALIDITY.approval, needed_approvals=U32(0))
    monkeypatch.setattr(plan, "VALIDITY", replace(VALIDITY, approval=unchecked))
    scenario = Scenario(
        shape=SHAPE,
        blocks=9,
        adversaries=(InvalidCollator(who=("collator-2001",)), VouchesBlindly(who=GROUP)),
        without=("nothing_final_invalid",),
    )
    simulation = Simulation(scenario, 1)

    async def audit(node: Node) -> None:
        while not (final := _of_para(node.chain.state(node.chain.finalized_hash), 2001)):
            await trio.sleep(0.5)
        node.overseer.send(IssueVote(final[0].session, final[0].receipt))

    simulation.nodes["validator-1"].alterations.append(lambda build: build.jobs.append(audit))
    heard = Hearing(simulation)
    outcome = simulation.run()
    assert outcome.ok, outcome.verdicts
    (concluded,) = heard.of("chain.dispute_concluded", "validator-2")
    assert concluded.fields["outcome"] == "invalid"
    included = heard.of("chain.included", candidate=concluded.fields["candidate"])[0].fields
    assert included["block"] in {block.hash for block in simulation.record.best().ancestry()}
    told = heard.of("chain.invalid_is_final", number=included["number"])
    assert {each.node for each in told} >= {node.name for node in simulation.plan.validators}
    frozen_at = int(str(concluded.fields["number"]))
    last = max(int(str(each.fields["number"])) for each in heard.of("chain.included"))
    assert last < frozen_at, "no para goes on"
    assert outcome.statistics["finalized"] > frozen_at, "the relay chain does"
    stakes = outcome.statistics["stakes"]
    assert {name for name, left in stakes.items() if left != STAKE} == set(GROUP)


@pytest.mark.guide("A57", "A62", "A63")
def test_without_a_supermajority_those_who_vouched_pay_and_finality_waits_for_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A lie about a good candidate, while more than f are too slow to say anything."""
    short = replace(VALIDITY, dispute_period=BlockNumber(U32(PERIOD)))
    monkeypatch.setattr(plan, "VALIDITY", short)
    scenario = Scenario(
        shape=SHAPE,
        blocks=13,
        adversaries=(
            VotesLate(who=("validator-1",), late_s=600.0),
            VotesLate(who=SLOW, late_s=50.0),
        ),
        without=("no_honest_slashed", "strangers_change_nothing"),
    )
    simulation = Simulation(scenario, 1)
    quick = {"validator-2", "validator-3", "validator-4"}

    async def lie(node: Node) -> None:
        """Of what at least one of the quick has backed: with the other two that makes four."""
        while True:
            await trio.sleep(0.5)
            state = node.chain.state(node.chain.best_hash)
            for record in api.included_candidates(state):
                backers = _names(simulation, state, record)
                if backers & quick and "validator-1" not in backers:
                    node.overseer.send(IssueVote(record.session, record.receipt))
                    return

    simulation.nodes["validator-1"].alterations.append(lambda build: build.jobs.append(lie))
    heard = Hearing(simulation)
    outcome = simulation.run()
    assert outcome.ok, outcome.verdicts
    (begun,) = heard.of("chain.disputed", "validator-2")
    (timed_out,) = heard.of("chain.dispute_timed_out", "validator-2")
    (concluded,) = heard.of("chain.dispute_concluded", "validator-2")
    assert timed_out.fields["number"] == int(str(begun.fields["number"])) + PERIOD + 1
    vouched = heard.of("chain.punished", "validator-2", misconduct="distraction")
    listed = ",".join(str(each.fields["validator"]) for each in vouched)
    assert listed == timed_out.fields["valid"] and listed.count(",") < 4
    assert {each.fields["lost"] for each in vouched} == {STAKE // 1000}
    disputed = heard.of("chain.included", candidate=begun.fields["candidate"])[0]
    early = [e for e in heard.of("chain.finalized") if e.at < concluded.at - 6.0]
    below = int(str(disputed.fields["number"])) - 1
    assert max(int(str(each.fields["number"])) for each in early) == below
    assert concluded.fields["outcome"] == "valid", "votes are taken still, and decide"
    assert outcome.statistics["finalized"] > below


def _of_para(state: State, para: int) -> list[IncludedCandidate]:
    included = api.included_candidates(state)
    return [each for each in included if each.receipt.descriptor.para_id == para]


def _names(simulation: Simulation, state: State, record: IncludedCandidate) -> set[str | None]:
    """Who has backed it."""
    info = api.session_info(state, record.session)
    assert info is not None
    return {simulation.plan.owner_of(info.validators[index]) for index in record.backers}
