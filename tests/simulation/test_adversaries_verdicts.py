"""Adversaries in checks and disputes: what they bring about, and that all promises hold.

Of 7 validators 2 may be dishonest; the scenarios of a whole group are shipped ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest

from parahost.node.messages.base import Message
from parahost.node.messages.validity import CheckCandidate, DistributeAssignment
from parahost.node.validity.approval_rules import COST_NOT_DRAWN
from parahost.node.validity.disputes.receiving import COST_SPAM, OUTCOMES
from parahost.node.validity.disputes.spam import MAX_UNCONFIRMED
from parahost.runtime.development import STAKE
from parahost.simulation import (
    Adversary,
    ApprovesUnchecked,
    AssignsItselfFalsely,
    DisputesValid,
    EquivocatingAuthor,
    FloodsDisputes,
    Outcome,
    Partition,
    Scenario,
    Shape,
    Simulation,
    VotesBothWays,
    VotesLate,
    WithholdsChecks,
    at,
)
from parahost.simulation.checkers import reading
from parahost.simulation.journal import TraceEvent
from tests.simulation.hearing import Hearing
from tests.simulation.reputations import Reproaches
from tests.simulation.shipped import run_of

BAD = ("validator-2",)
SHAPE = Shape(validators=7, parachains=2)


def run(*adversaries: Adversary, blocks: int = 10, **more: Any) -> Outcome:
    scenario = Scenario(**{"shape": SHAPE, **more}, blocks=blocks, adversaries=adversaries)
    outcome = Simulation(scenario, 1).run()
    assert outcome.ok, outcome.verdicts
    return outcome


def losers(outcome: Outcome) -> dict[str, float]:
    """Who has less at stake than at genesis: which part is left."""
    stakes = outcome.statistics["stakes"]
    return {name: stake / STAKE for name, stake in stakes.items() if stake != STAKE}


@pytest.mark.guide("A57", "A62", "A65")
@pytest.mark.parametrize("name", ["dishonest_group", "wrong_data_with_right_proofs"])
def test_a_group_that_backs_what_is_invalid_loses_all(name: str) -> None:
    """Also on the fork that goes on, where the candidate never was."""
    outcome, _ = run_of(name)
    assert losers(outcome) == {"validator-3": 0.0, "validator-4": 0.0}
    assert outcome.statistics["forks"] > 0, "the fork that included it was left"


@pytest.mark.guide("A57", "A64")
def test_who_disputes_all_is_outvoted_and_pays() -> None:
    outcome, _ = run_of("quarrelsome_validator")
    disputes = outcome.statistics["disputes"]
    assert disputes["begun"] == disputes["valid"] >= 10
    assert set(losers(outcome)) == set(BAD)
    (left,) = losers(outcome).values()
    assert left == pytest.approx(0.99 ** disputes["valid"], rel=1e-6)


@pytest.mark.guide("A57")
def test_who_votes_both_ways_pays_for_each() -> None:
    outcome = run(VotesBothWays(who=BAD), blocks=6)
    assert set(losers(outcome)) == {"validator-2"}
    punished = outcome.statistics["punished"]
    assert punished["double_vote"] == punished["voted_against_valid"] >= 4


@pytest.mark.guide("A54")
def test_who_never_delivers_is_covered() -> None:
    outcome, _ = run_of("silent_checkers")
    checks = outcome.statistics["checks"]
    assert checks["accepted"] >= 12 and checks["undelivered"] > 0
    assert max(map(int, outcome.statistics["blocks_to_acceptance"])) >= 2


@pytest.mark.guide("A54")
def test_a_false_assignment_convinces_nobody() -> None:
    scenario = Scenario(shape=SHAPE, blocks=6, adversaries=(AssignsItselfFalsely(who=BAD),))
    simulation = Simulation(scenario, 1)
    reproaches = Reproaches(simulation)
    outcome = simulation.run()
    assert outcome.ok, outcome.verdicts
    assert COST_NOT_DRAWN.reason in reproaches.against("validator-2")


def test_disputes_of_what_never_was_are_not_heard() -> None:
    """Be they of this session or of those before. Others ask to be spared, and hold no more than is
    reckoned (``bounded_memory``): of each session as much as one validator has room for. The flood
    costs; nobody honest pays for it."""
    shape = Shape(validators=7, parachains=2, epoch_slots=3)
    simulation = Simulation(
        Scenario(shape=shape, blocks=7, adversaries=(FloodsDisputes(who=BAD),)), 1
    )
    reproaches = Reproaches(simulation)
    heard = Hearing(simulation)
    outcome = simulation.run()
    assert outcome.ok, outcome.verdicts
    assert outcome.statistics["messages"]["req_dispute"] > 100
    held = Counter((each.node, each.fields["session"]) for each in heard.of("dispute.begun"))
    assert {session for _, session in held} >= {0, 1} and max(held.values()) <= MAX_UNCONFIRMED
    assert COST_SPAM.reason in reproaches.against("validator-2")
    of_disputes = {change.reason for _, change in OUTCOMES.values() if change is not None}
    assert not any(
        name != "validator-2" and reason in of_disputes for name, reason in reproaches.made
    )
    assert outcome.statistics["disputes"]["begun"] == 0
    assert losers(outcome) == {}


@pytest.mark.guide("A57", "A64")
def test_a_vote_that_is_too_late_is_missed() -> None:
    """The disputes are concluded without it, unless it has backed the candidate."""
    adversaries = DisputesValid(who=BAD), VotesLate(who=("validator-5",), late_s=600.0)
    simulation = Simulation(Scenario(shape=SHAPE, blocks=10, adversaries=adversaries), 1)
    voters: list[set[str]] = []

    def hear(event: TraceEvent) -> None:
        if event.event == "chain.dispute_concluded" and event.node == "validator-1":
            voters.append(set(str(event.fields["valid"]).split(",")))

    simulation.trace.watch(hear)
    outcome = simulation.run()
    assert outcome.ok, outcome.verdicts
    keys = reading.validators(simulation.plan.genesis)
    (late,) = (
        str(index)
        for index, key in enumerate(keys)
        if simulation.plan.owner_of(key) == "validator-5"
    )
    assert any(late not in each for each in voters)
    assert set(losers(outcome)) == set(BAD)


@pytest.mark.guide("A63")
def test_conspirators_of_every_kind_gain_nothing() -> None:
    bad = ("validator-2", "validator-5")
    outcome = run(
        ApprovesUnchecked(who=bad),
        AssignsItselfFalsely(who=bad[:1]),
        VotesLate(who=bad, late_s=15.0),
        DisputesValid(who=bad),
        FloodsDisputes(who=bad[1:], per_block=5),
    )
    assert set(losers(outcome)) <= set(bad)


@pytest.mark.guide("A56", "A57", "A62")
def test_disputes_go_on_over_sessions_and_are_decided_when_a_partition_has_healed() -> None:
    """Without the two that are cut off, one is lacking for a supermajority: the liar's own."""
    cut_s = 20.0, 50.0
    cut = Partition(
        who=("validator-6", "validator-7", "collator-2001"),
        at=at(cut_s[0]),
        lasts_s=cut_s[1] - cut_s[0],
    )
    scenario = Scenario(
        shape=Shape(validators=7, parachains=2, epoch_slots=5),
        blocks=14,
        adversaries=(DisputesValid(who=BAD),),
        faults=(cut,),
    )
    simulation = Simulation(scenario, 1)
    heard = Hearing(simulation)
    outcome = simulation.run()
    assert outcome.ok, outcome.verdicts
    begun, decided = (
        {each.fields["candidate"]: each.at for each in heard.of(event, "validator-1")}
        for event in ("dispute.begun", "dispute.concluded")
    )
    waited = [candidate for candidate, since in begun.items() if cut_s[0] < since < cut_s[1]]
    assert waited and all(decided[candidate] > cut_s[1] for candidate in waited)
    concluded = heard.of("chain.dispute_concluded", "validator-1", outcome="valid")
    assert set(waited) <= {each.fields["candidate"] for each in concluded}
    assert len({each.fields["session"] for each in concluded}) > 1
    assert outcome.statistics["disputes"]["valid"] >= 8


@pytest.mark.guide("A54")
def test_as_many_as_may_never_check_anything() -> None:
    """They do not even announce it: nobody waits for them."""
    idle = ("validator-2", "validator-5")
    simulation = Simulation(Scenario(shape=SHAPE, blocks=10), 1)
    for name in idle:
        simulation.nodes[name].alterations.append(
            lambda build: build.interceptors.append(NeverChecks())
        )
    heard = Hearing(simulation)
    outcome = simulation.run()
    assert outcome.ok, outcome.verdicts
    assert not any(heard.of("approval.checked", name) for name in idle)
    checks = outcome.statistics["checks"]
    assert checks["accepted"] >= 12
    assert outcome.statistics["finalized"] >= 6


@pytest.mark.guide("A54")
def test_who_falls_silent_while_it_covers_others_is_covered_too() -> None:
    """Those who come in later tranches for others that are silent are silent as well. Of 4 paras
    each validator is drawn at once for one, so that most checkers come in later tranches."""
    silent = WithholdsChecks(who=("validator-2", "validator-5"))
    shape = Shape(validators=7, parachains=4)
    simulation = Simulation(Scenario(shape=shape, blocks=10, adversaries=(silent,)), 1)
    heard = Hearing(simulation)
    outcome = simulation.run()
    assert outcome.ok, outcome.verdicts
    silent_in = [
        int(tranche)
        for each in heard.of("chain.accepted", "validator-1")
        for who, _, tranche in (one.partition("@") for one in _listed(each, "assigned"))
        if who not in _listed(each, "approved")
    ]
    assert 0 in silent_in and any(silent_in)


@pytest.mark.guide("A56", "A58")
def test_a_candidate_of_two_forks_is_disputed_on_both_and_judged_once() -> None:
    """An author makes two blocks for its slots, and both include the same candidates. A candidate's
    session is that of its relay parent, on all forks: it cannot be included in two."""
    adversaries = EquivocatingAuthor(who=("validator-5",)), DisputesValid(who=BAD)
    simulation = Simulation(Scenario(shape=SHAPE, blocks=10, adversaries=adversaries), 1)
    heard = Hearing(simulation)
    outcome = simulation.run()
    assert outcome.ok, outcome.verdicts
    assert _of_several_blocks(heard, "chain.included")
    disputed = _of_several_blocks(heard, "chain.disputed")
    assert disputed
    for candidate in disputed:
        for node in simulation.plan.validators:
            assert len(heard.of("checking.valid", node.name, candidate=candidate)) <= 1
    assert not heard.of("dispute.both_ways")
    disputes = outcome.statistics["disputes"]
    assert disputes["begun"] == disputes["valid"] >= 8


def _of_several_blocks(heard: Hearing, event: str) -> list[object]:
    """The candidates to which that happens in more than one block."""
    found: dict[object, set[object]] = {}
    for each in heard.of(event):
        found.setdefault(each.fields["candidate"], set()).add(each.fields["block"])
    return [candidate for candidate, blocks in found.items() if len(blocks) > 1]


class NeverChecks:
    """Takes no part in checks, and says nothing of it."""

    def intercept(self, sender: str, message: Message) -> Iterable[Message]:
        is_own = isinstance(message, CheckCandidate | DistributeAssignment)
        return () if is_own and sender == "approval-voting" else (message,)


def _listed(event: TraceEvent, field: str) -> list[str]:
    return str(event.fields[field]).split(",")
