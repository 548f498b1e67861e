"""With f validators who withhold, forge or feign data, candidates become available all the same."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from parahost.node.messages.availability import (
    AvailabilityNetwork,
    DistributeBitfield,
    WaitChunks,
)
from parahost.node.messages.backing import CollationAdvertised
from parahost.node.messages.base import Message
from parahost.node.messages.network import PeerMessage
from parahost.simulation import (
    Adversary,
    ClaimsUnseen,
    Included,
    Scenario,
    SendsWrongChunks,
    Shape,
    Simulation,
    WithholdsChunks,
    WithholdsPoV,
)
from parahost.simulation.build import Build
from parahost.simulation.journal import TraceEvent
from tests.simulation.reputations import Reproaches

BAD = ("validator-1",)


@pytest.mark.guide("A43", "A88", "A90")
@pytest.mark.parametrize(
    "adversary",
    [
        WithholdsPoV(who=BAD),
        WithholdsChunks(who=BAD),
        SendsWrongChunks(who=BAD),
        ClaimsUnseen(who=BAD),
    ],
    ids=lambda adversary: adversary.kind,
)
def test_the_para_goes_on(adversary: Adversary) -> None:
    scenario = Scenario(
        shape=Shape(validators=5, parachains=2),
        blocks=8,
        adversaries=(adversary,),
        expects=(Included(at_least=2),),
    )
    outcome = Simulation(scenario, 1).run()
    assert outcome.ok, outcome.verdicts
    assert outcome.statistics["misbehaviour"] == {}


@pytest.mark.guide("A90")
def test_wrong_chunks_cost_reputation_and_are_not_kept() -> None:
    scenario = Scenario(
        shape=Shape(validators=5, parachains=2),
        blocks=8,
        adversaries=(SendsWrongChunks(who=BAD),),
    )
    simulation = Simulation(scenario, 1)
    reproaches = Reproaches(simulation)
    assert simulation.run().ok
    assert "a chunk that its proof does not tie to the candidate" in reproaches.against(*BAD)


@pytest.mark.guide("A88")
def test_who_withholds_pov_and_chunks_gives_none() -> None:
    """Somebody of its group who hears of no collator asks it and gets nothing; nothing comes of
    itself either."""
    bad_name = ("validator-2",)
    scenario = Scenario(
        shape=Shape(validators=5, parachains=2),
        blocks=8,
        adversaries=(WithholdsPoV(who=bad_name), WithholdsChunks(who=bad_name)),
        expects=(Included(at_least=2),),
    )
    simulation = Simulation(scenario, 1)
    bad = next(node.peer for node in simulation.plan.nodes if node.name in bad_name)
    told: dict[str, set[object]] = {}

    def listen(event: TraceEvent) -> None:
        if event.event in ("pov.fetched", "pov.not_fetched"):
            told.setdefault(event.event, set()).add(event.fields["peer"])

    chunks_from: set[object] = set()

    def attend(build: Build) -> None:
        build.interceptors.append(_Ear(chunks_from, build))

    simulation.trace.watch(listen)
    for name, node in simulation.nodes.items():
        if name not in bad_name:
            node.alterations.append(attend)
    outcome = simulation.run()
    assert outcome.ok, outcome.verdicts
    assert bad in told["pov.not_fetched"]
    assert told["pov.fetched"]
    assert bad not in told["pov.fetched"]
    assert chunks_from
    assert bad not in chunks_from


@pytest.mark.guide("A43")
def test_claims_are_made_without_a_chunk() -> None:
    """It knows of no chunk of its own, and claims all that are pending."""
    scenario = Scenario(
        shape=Shape(validators=4, parachains=1),
        blocks=6,
        adversaries=(ClaimsUnseen(who=BAD),),
    )
    simulation = Simulation(scenario, 1)
    (node,) = (simulation.nodes[name] for name in BAD)
    claimed: list[int] = []

    def blind(build: Build) -> None:
        build.interceptors.insert(0, _Blind())
        build.interceptors.append(_Claims(claimed))

    node.alterations.append(blind)
    outcome = simulation.run()
    assert outcome.ok, outcome.verdicts
    assert max(claimed) == 1


class _Ear:
    """Hears from whom chunks come, and of no collation when it is validator-5's."""

    def __init__(self, chunks_from: set[object], build: Build) -> None:
        self._chunks_from = chunks_from
        self._is_deaf = build.plan.name == "validator-5"

    def intercept(self, sender: str, message: Message) -> Iterable[Message]:
        match message:
            case AvailabilityNetwork(PeerMessage(peer)):
                self._chunks_from.add(peer)
            case CollationAdvertised() if self._is_deaf:
                return ()
        return (message,)


class _Blind:
    """Bitfield Signing finds no chunk."""

    def intercept(self, sender: str, message: Message) -> Iterable[Message]:
        if isinstance(message, WaitChunks):
            message.reply.answer(())
            return ()
        return (message,)


class _Claims:
    """How many bits each bitfield has that goes out."""

    def __init__(self, claimed: list[int]) -> None:
        self._claimed = claimed

    def intercept(self, sender: str, message: Message) -> Iterable[Message]:
        if isinstance(message, DistributeBitfield):
            self._claimed.append(len(message.bitfield.bitfield.ones()))
        return (message,)
