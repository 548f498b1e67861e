"""Bad authors, and who never votes: what they leave out is missing, and stops nobody."""

from __future__ import annotations

import pytest

from parahost.crypto.keystore import keypair_from_uri
from parahost.ports import KeyType
from parahost.simulation import (
    Adversary,
    CensoringAuthor,
    EmptyAuthor,
    Finalized,
    GarbageAuthor,
    Included,
    NeverClaims,
    Scenario,
    Shape,
    Simulation,
    VouchesBlindly,
)
from parahost.simulation.checkers import reading
from parahost.simulation.journal import TraceEvent
from parahost.simulation.scenario_toml import parse_scenario


@pytest.mark.guide("A50")
def test_blocks_with_garbage_are_refused() -> None:
    scenario = Scenario(
        shape=Shape(validators=4, parachains=1),
        blocks=8,
        adversaries=(GarbageAuthor(who=("validator-1",)),),
        expects=(Included(at_least=2), Finalized(at_least=4)),
    )
    simulation = Simulation(scenario, 1)
    spoiled: list[object] = []
    imported: list[object] = []

    def listen(event: TraceEvent) -> None:
        if event.event == "adversary.spoiled_block":
            spoiled.append(event.fields["block"])
        elif event.event == "chain.imported":
            imported.append(event.fields["block"])

    simulation.trace.watch(listen)
    outcome = simulation.run()
    assert outcome.ok, outcome.verdicts
    assert spoiled
    assert not set(spoiled) & set(imported)


@pytest.mark.parametrize(
    "adversary",
    [
        EmptyAuthor(who=("validator-1",)),
        CensoringAuthor(who=("validator-1",)),
        CensoringAuthor(who=("validator-1",), paras=(2001,)),
        NeverClaims(who=("validator-1",)),
    ],
    ids=["empty", "censors all", "censors one", "never claims"],
)
def test_what_is_missing_in_blocks(adversary: Adversary) -> None:
    scenario = Scenario(
        shape=Shape(validators=4, parachains=2),
        blocks=10,
        adversaries=(adversary,),
        expects=(Included(at_least=2), Finalized(at_least=4)),
    )
    simulation = Simulation(scenario, 1)
    outcome = simulation.run()
    assert outcome.ok, outcome.verdicts
    assert outcome.statistics["misbehaviour"] == {}
    state = simulation.plan.genesis
    place = [*map(bytes, reading.validators(state))].index(_key_of(simulation, "validator-1"))
    own, others, votes = set[int](), set[int](), set[int]()
    own_votes = 0
    for block in list(simulation.record.blocks.values())[1:]:
        brought = reading.inherent(block)
        assert brought is not None
        paras = {each.candidate.descriptor.para_id for each in brought.backed_candidates}
        voters = {each.validator_index for each in brought.bitfields}
        author, _ = reading.authorship(block)
        if simulation.plan.owner_of(author) == "validator-1":
            own |= paras
            own_votes += len(voters)
        else:
            others |= paras
        votes |= voters
    assert others == {2000, 2001}
    match adversary:
        case NeverClaims():
            assert own == {2000, 2001}
            assert place not in votes
        case EmptyAuthor():
            assert not own
            assert not own_votes
        case CensoringAuthor(paras=censored):
            assert own == ({2000} if censored else set())
            assert own_votes


def _key_of(simulation: Simulation, name: str) -> bytes:
    keys = dict(next(node.keys for node in simulation.plan.nodes if node.name == name))
    return keypair_from_uri(KeyType.PARACHAIN, keys[KeyType.PARACHAIN]).public


def test_adversaries_have_names_in_toml() -> None:
    text = '[[adversary]]\nkind = "vouches_blindly"\nwho = ["validator-1"]\n'
    assert parse_scenario(text, "here").adversaries == (VouchesBlindly(who=("validator-1",)),)
