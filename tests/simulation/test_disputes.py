"""Whole nodes dispute a candidate: all vote within seconds, and the next block has the verdict."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
import trio

from parahost.node.messages.validity import IssueVote
from parahost.node.node import Node
from parahost.primitives.disputes import DisputeOutcome, DisputeState
from parahost.primitives.runtime_api import IncludedCandidate
from parahost.runtime import api
from parahost.runtime.development import STAKE
from parahost.simulation import Scenario, Shape, Simulation
from parahost.simulation.checkers import OK
from tests.simulation.hearing import Hearing

SHAPE = Shape(validators=7, parachains=2, parathreads=0)
LIAR = "validator-1"


@dataclass
class Course:
    """What a liar's node sees of its dispute."""

    record: IncludedCandidate | None = None
    begun_in: int = 0
    concluded_in: int = 0
    state: DisputeState | None = None
    indices: dict[str, int] = field(default_factory=dict)
    """Which validator of the session each node is."""

    async def lie(self, node: Node) -> None:
        """Call a candidate of another group invalid, and watch the chain."""
        await self.begin(node)
        await self.follow(node)

    async def begin(self, node: Node) -> None:
        while node.chain.best.number < 6:
            await trio.sleep(0.5)
        state = node.chain.state(node.chain.best_hash)
        info = api.session_info(state, api.session_index_for_child(state))
        assert info is not None
        self.indices = {
            f"validator-{number}": info.validators.index(validator.keys.para_validator)
            for number, validator in enumerate(api.session_validators(state), 1)
        }
        own = self.indices[LIAR]
        self.record = next(
            record
            for record in reversed(api.included_candidates(state))
            if own not in info.groups[record.backing_group]
        )
        self.begun_in = node.chain.best.number
        node.overseer.send(IssueVote(self.record.session, self.record.receipt))

    async def follow(self, node: Node) -> None:
        assert self.record is not None
        while not self.concluded_in:
            await trio.sleep(0.5)
            disputes = dict(api.disputes(node.chain.state(node.chain.best_hash)))
            self.state = disputes.get(self.record.key())
            if self.state is not None and self.state.outcome is not None:
                self.concluded_in = node.chain.best.number


@pytest.mark.guide("A56", "A62")
def test_a_lone_liar_is_outvoted_in_the_next_block_and_pays() -> None:
    course = Course()
    simulation = Simulation(Scenario(shape=SHAPE, blocks=14), seed=1)
    simulation.nodes[LIAR].alterations.append(lambda build: build.jobs.append(course.lie))
    outcome = simulation.run()
    assert course.state is not None and course.state.outcome is DisputeOutcome.VALID
    assert course.state.validators_against.count() == 1
    assert course.state.validators_for.count() == 6, "everybody else"
    assert course.concluded_in <= course.begun_in + 2
    wrong = {name: said for name, said in outcome.verdicts.items() if said != OK}
    assert set(wrong) == {"no_honest_slashed"} and LIAR in wrong["no_honest_slashed"]


@pytest.mark.guide("A57", "A64")
def test_voters_that_crash_in_mid_dispute_vote_all_the_same_and_once() -> None:
    """One who has neither backed nor checked the candidate dies before it hears of the dispute, and
    comes back when there is a supermajority without it; one dies amid the votes, and one soon after
    them. All lose their last writes."""
    course = Course()
    simulation = Simulation(Scenario(shape=SHAPE, blocks=11), seed=1)
    nodes, heard = simulation.nodes, Hearing(simulation)

    async def lie_and_wreck(node: Node) -> None:
        await course.begin(node)
        assert course.record is not None
        record, candidate = course.record, course.record.receipt.hash()

        def has_said(name: str) -> int:
            checks = heard.of("approval.checked", name, candidate=candidate)
            return len(checks) + (course.indices[name] in record.backers)

        late, *others = sorted(course.indices.keys() - {LIAR}, key=lambda it: (has_said(it), it))
        amid, after = others[:2]
        await nodes[late].crash(lose=20)
        await trio.sleep(0.1)
        await nodes[amid].crash(lose=1000)
        await trio.sleep(0.2)
        await nodes[after].crash(lose=1000)
        await trio.sleep(1.0)
        simulation.start(after)
        simulation.start(amid)
        await course.follow(node)
        simulation.start(late)

    nodes[LIAR].alterations.append(lambda build: build.jobs.append(lie_and_wreck))
    outcome = simulation.run()
    assert course.state is not None and course.record is not None
    assert course.state.outcome is DisputeOutcome.VALID
    in_the_end = dict(api.disputes(simulation.record.best().state))[course.record.key()]
    assert course.state.validators_for.count() < in_the_end.validators_for.count() == 6, "late ones"
    assert in_the_end.validators_against.count() == 1
    assert not heard.of("dispute.both_ways") and not heard.of("dispute.voiceless")
    wrong = {name: said for name, said in outcome.verdicts.items() if said != OK}
    assert set(wrong) == {"no_honest_slashed"} and LIAR in wrong["no_honest_slashed"]
    stakes = outcome.statistics["stakes"]
    assert {name for name, left in stakes.items() if left != STAKE} == {LIAR}
