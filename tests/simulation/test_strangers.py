"""Peers without stake: whatever they do, the chain does as well as without them."""

from __future__ import annotations

import pytest

from parahost.chain.pool.gossip import TRANSACTIONS
from parahost.chain.sync.messages import ANNOUNCES
from parahost.node.backing.statement_wire import StatementGossip
from parahost.node.messages.network import PeerSet
from parahost.node.protocols import NOTIFICATIONS
from parahost.node.utility.network_bridge import WireMessage
from parahost.primitives.basic import H256, U32, Hash, ParaId, PeerId, ValidatorId
from parahost.primitives.hashing import blake2_256
from parahost.primitives.scale import decode
from parahost.simulation import (
    BadSimulation,
    Finalized,
    Included,
    Scenario,
    Shape,
    Simulation,
    Stranger,
)
from parahost.simulation.adversaries.strangers_words import PublicKnowledge, Tongue
from parahost.simulation.journal import TraceEvent
from parahost.simulation.plan import node_identity
from parahost.simulation.random import Streams
from tests.hostile.repertoire import ATTACKS

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
    knows = PublicKnowledge(Hash(H256(bytes(32))), validators, [ParaId(U32(2000))])
    said = []
    for number in range(60):
        tongue = Tongue(peer, knows, Streams(number).stream("words"))
        tongue.heads.append(Hash(H256(bytes(32))))
        said += [list(tongue.some()) for _ in range(5)]
    spoken = {protocol for messages in said for protocol, _ in messages}
    assert spoken == {"block-announces", "grandpa", "transactions", "validation", "collation"}
    sizes = [(protocol, len(payload)) for messages in said for protocol, payload in messages]
    for allowed in (*NOTIFICATIONS.values(), ANNOUNCES, TRANSACTIONS):
        assert (allowed.name, allowed.max_size + 1) in sizes
    assert len(list(tongue.requests())) == 28


IN_SIMULATION = {
    "a_far_best_block": Tongue.far_claims,
    "a_far_final_block": Tongue.far_claims,
    "a_far_round": Tongue.far_claims,
    "blocks_that_are_none": Tongue.blocks_that_are_none,
    "votes_of_nobody": Tongue.votes,
    "false_records": Tongue.records,
    "records_asked_for_again": Tongue.records,
    "transactions_without_funds": Tongue.transactions,
    "transactions_far_ahead": Tongue.transactions,
    "transactions_not_signed": Tongue.transactions,
    "transactions_that_are_none": Tongue.transactions_that_are_none,
    "statements_of_nobody": Tongue.statements,
    "heavy_statements": Tongue.heavy_statements,
    "bitfields_of_nobody": Tongue.bitfields,
    "checks_of_nobody": Tongue.checks,
    "dispute_votes_of_nobody": Tongue.requests,
    "chunks_of_nothing": Tongue.chunks,
    "views_without_end": Tongue.views,
    "catch_ups_asked_for_again": Tongue.catch_ups,
    "blocks_asked_for_again": Tongue.requests,
    "povs_asked_for_again": Tongue.requests,
    "collators_that_never_deliver": Tongue.advertisements,
    "collators_that_deliver_garbage": Tongue.advertisements,
    "advertisements_without_end": Tongue.advertisements,
    "garbage_on_every_protocol": Tongue.junk,
    "more_than_a_protocol_allows": Tongue.too_large,
    "a_crowd_of_idlers": Tongue.silence,
    "come_and_go": Stranger.take_part,
}
BELOW_THE_PORT = {
    "bare_connections",
    "half_handshakes",
    "pings_before_a_hello",
    "pings_never_read",
    "frames_without_data",
    "streams_opened_and_reset",
    "nonsense_frames",
    "odd_addresses",
    "addresses_of_nobody",
    "half_messages",
    "half_messages_within_their_time",
    "answers_never_read",
}
"""Of TCP, noise, yamux and lists of peers, which a simulated network does without."""


def test_every_attack_on_a_devnet_is_one_in_simulation() -> None:
    """But for those on what is below the network's port."""
    assert set(ATTACKS) == set(IN_SIMULATION) | BELOW_THE_PORT
    assert not set(IN_SIMULATION) & BELOW_THE_PORT


def test_a_heavy_statement_is_one_up_to_its_commitments() -> None:
    """What is dear to read is behind all that is judged first."""
    knows = PublicKnowledge(Hash(H256(bytes(32))), [ValidatorId(H256(bytes(32)))], [])
    tongue = Tongue(PeerId("x"), knows, Streams(1).stream("words"))
    ((protocol, payload),) = tongue.heavy_statements()
    assert protocol == NOTIFICATIONS[PeerSet.VALIDATION].name
    said = decode(WireMessage, payload)
    (statement,) = decode(StatementGossip, said.payload).statements
    seconded = statement.statement
    assert len(seconded.commitments) > 2**20
    assert blake2_256(seconded.commitments) == seconded.receipt.commitments_hash
    assert statement.read() is None


def test_a_stranger_is_no_node_of_the_network() -> None:
    with pytest.raises(BadSimulation, match="validator-1 is a node of the network"):
        Scenario(adversaries=(Stranger(who=("validator-1",)),))
    with pytest.raises(BadSimulation, match="every_s is more than 0"):
        Scenario(adversaries=(Stranger(every_s=0.0),))
