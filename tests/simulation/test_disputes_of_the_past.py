"""Disputes about what belongs to a past session, and was judged by what is not there any more."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import pytest
import trio

from parahost.node.messages.backing import Second, StatementReceived
from parahost.node.messages.base import Message
from parahost.node.messages.validity import IssueVote
from parahost.node.node import Node
from parahost.primitives.basic import U32, HeadData, ParaId, SessionIndex, ValidationCode
from parahost.primitives.runtime_api import IncludedCandidate
from parahost.runtime import api
from parahost.runtime.development import STAKE, SUDO_URI
from parahost.runtime.registrar import Deregister, Register, ScheduleCodeUpgrade
from parahost.runtime.storage import State
from parahost.runtime.sudo import SudoCall
from parahost.simulation import Scenario, Shape, Simulation, VotesLate
from parahost.simulation.build import Build
from parahost.simulation.checkers import reading
from parahost.simulation.plan import NetworkPlan, plan_network
from tests.simulation.hearing import Hearing, call_signed

CHANGED, GONE = (ParaId(U32(para)) for para in (2000, 2001))
FIRST = SessionIndex(U32(0))
DELAY = 6
"""Blocks from asking for new code to its use; the least that there may be."""
NOTHING = bytes([0, 2, 1, ord("x")])
"""A section of a module that means nothing: with it a code is another one that does the same."""


@dataclass
class Accuser:
    """Has a para's code replaced, and another one go and come back; meanwhile it disputes what they
    had included in the first session, of which it has vouched for nothing."""

    new_code: ValidationCode
    judged_in: list[SessionIndex] = field(default_factory=list)

    def alter(self, build: Build) -> None:
        build.interceptors.append(self)
        build.jobs.append(self.accuse)

    def intercept(self, sender: str, message: Message) -> Iterable[Message]:
        """It backs nothing."""
        return () if isinstance(message, Second | StatementReceived) else (message,)

    async def accuse(self, node: Node) -> None:
        await _until(node, lambda state: len(_included(state, CHANGED)) > 0)
        await _until(node, lambda state: len(_included(state, GONE)) > 1)
        _govern(node, ScheduleCodeUpgrade(CHANGED, self.new_code), Deregister(GONE))
        await _until(node, lambda state: GONE not in reading.parachains(state))
        await _until(node, lambda state: reading.code(state, CHANGED) == self.new_code)
        self._dispute(node, CHANGED, 0)
        self._dispute(node, GONE, 0)
        _govern(node, Register(GONE, HeadData(b"anew"), self.new_code, True))
        await _until(node, lambda state: GONE in reading.parachains(state))
        self._dispute(node, GONE, 1)

    def _dispute(self, node: Node, para: ParaId, which: int) -> None:
        state = node.chain.state(node.chain.best_hash)
        self.judged_in.append(api.session_index_for_child(state))
        record = _included(state, para)[which]
        node.overseer.send(IssueVote(record.session, record.receipt))


@pytest.mark.guide("A19", "A56", "A57")
def test_what_is_past_is_judged_by_the_validators_and_the_code_of_then() -> None:
    """Candidates of a past session: of a para whose code was replaced since, of one that is gone,
    and of one that was registered anew since."""
    shape = Shape(
        validators=5,
        parachains=2,
        epoch_slots=4,
        configuration={"validation_upgrade_delay": DELAY},
    )
    plan = plan_network(shape)
    liar = _of_the_largest_group(plan)
    scenario = Scenario(
        shape=shape,
        blocks=20,
        adversaries=(VotesLate(who=(liar,), late_s=600.0),),
        without=("heads_move",),
    )
    simulation = Simulation(scenario, 1)
    accuser = Accuser(ValidationCode(plan.paras[0].code + NOTHING))
    simulation.nodes[liar].alterations.append(accuser.alter)
    heard = Hearing(simulation)
    outcome = simulation.run()
    assert outcome.ok, outcome.verdicts
    assert all(session > FIRST for session in accuser.judged_in)
    witness = next(name for name in simulation.nodes if name != liar)
    concluded = heard.of("chain.dispute_concluded", witness, session=FIRST, outcome="valid")
    assert len({each.fields["candidate"] for each in concluded}) == 3
    assert all(len(str(each.fields["valid"]).split(",")) == 4 for each in concluded), "all others"
    stakes = outcome.statistics["stakes"]
    assert stakes[liar] == pytest.approx(STAKE * 0.99**3)
    assert sum(stakes.values()) == 4 * STAKE + stakes[liar]


def _of_the_largest_group(plan: NetworkPlan) -> str:
    """Without it the others of its group are a majority still."""
    info = api.session_info(plan.genesis, FIRST)
    assert info is not None
    name = plan.owner_of(info.validators[max(info.groups, key=len)[0]])
    assert name is not None
    return name


def _included(state: State, para: ParaId) -> Sequence[IncludedCandidate]:
    """What the para had included in the first session."""
    return [
        each
        for each in api.included_candidates(state)
        if each.session == FIRST and each.receipt.descriptor.para_id == para
    ]


def _govern(node: Node, *calls: ScheduleCodeUpgrade | Deregister | Register) -> None:
    for place, call in enumerate(calls):
        node.submit(call_signed(node, SudoCall(call), SUDO_URI, after=place))


async def _until(node: Node, holds: Callable[[State], bool]) -> None:
    while not holds(node.chain.state(node.chain.best_hash)):
        await trio.sleep(0.5)
