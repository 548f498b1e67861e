"""Peers without stake: whatever they do, the chain does as well as without them."""

from __future__ import annotations

import pytest

from parahost.chain.sync.messages import ANNOUNCES
from parahost.primitives.basic import H256, U32, Hash, ParaId, PeerId, ValidatorId
from parahost.simulation import (
    BadSimulation,
    Finalized,
    Included,
    Scenario,
    Shape,
    Simulation,
    Stranger,
)
from parahost.simulation.adversaries.strangers_words import Knowledge, Tongue
from parahost.simulation.journal import TraceEvent
from parahost.simulation.plan import node_identity
from parahost.simulation.random import Streams

MANY = Stranger(who=tuple(f"stranger-{number}" for number in range(1, 6)), every_s=0.4)


@pytest.mark.guide("A82", "A105", "A106", "A108")
@pytest.mark.parametrize(
    ("shape", "seed"),
    [(Shape(validators=4, parachains=1), 1), (Shape(validators=7, parachains=2, slot_s=4.0), 2)],
    ids=["four", "seven"],
)
def test_the_chain_does_as_well_as_without_them(shape: Shape, seed: int) -> None:
    blocks = 12
    expects = (Included(at_least=blocks - 3), Finalized(at_least=blocks - 3))
    quiet, beset = (
        Simulation(
            Scenario(shape=shape, blocks=blocks, adversaries=strangers, expects=expects), seed
        )
        for strangers in ((), (MANY,))
    )
    banned: list[str] = []

    def listen(event: TraceEvent) -> None:
        if event.event == "network.banned":
            banned.append(str(event.fields["peer"]))

    beset.trace.watch(listen)
    calm, outcome = quiet.run(), beset.run()
    assert outcome.ok, outcome.verdicts
    assert outcome.virtual_s <= calm.virtual_s + shape.slot_s
    honest = {str(node.peer) for node in beset.plan.nodes}
    assert len(set(banned)) >= 3
    assert not honest & set(banned)


def test_the_same_seed_gives_the_same_strangers() -> None:
    scenario = Scenario(shape=Shape(validators=3, parachains=0), blocks=3, adversaries=(MANY,))
    assert len({Simulation(scenario, 4).run().digest for _ in range(2)}) == 1


def test_every_trick_can_be_said() -> None:
    """Nobody's limits but the receiver's are kept."""
    peer = PeerId(str(node_identity("a stranger").peer))
    validators = [ValidatorId(H256(bytes((number,)) * 32)) for number in range(4)]
    knows = Knowledge(Hash(H256(bytes(32))), validators, [ParaId(U32(2000))])
    said = []
    for number in range(60):
        tongue = Tongue(peer, knows, Streams(number).stream("words"))
        tongue.heads.append(Hash(H256(bytes(32))))
        said += [list(tongue.some()) for _ in range(5)]
    spoken = {protocol for messages in said for protocol, _ in messages}
    assert spoken == {"block-announces", "grandpa", "transactions", "validation", "collation"}
    assert any(len(payload) > ANNOUNCES.max_size for ((_, payload), *_) in said)
    assert len(list(tongue.requests())) == 16


def test_a_stranger_is_no_node_of_the_network() -> None:
    with pytest.raises(BadSimulation, match="validator-1 is a node of the network"):
        Scenario(adversaries=(Stranger(who=("validator-1",)),))
    with pytest.raises(BadSimulation, match="every_s is more than 0"):
        Scenario(adversaries=(Stranger(every_s=0.0),))
