"""Who gives what others have made to a peer, and what peers gain by it."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from parahost.consensus.fanout import RELAY_FANOUT
from parahost.node.availability import bitfield_distribution
from parahost.node.gossip import BENEFIT_NEW, COST_BAD_SIGNATURE, COST_DUPLICATE, GossipPeers
from parahost.node.gossip.peers import BENEFITS_AT_ONCE, CATCH_UP_COPIES
from parahost.node.messages.base import Message
from parahost.node.messages.network import (
    PeerConnected,
    PeerDisconnected,
    PeerViewChange,
    ReportPeer,
    ReputationChange,
    ValidatorPeers,
    View,
)
from parahost.ports import ObservedRole
from parahost.primitives.basic import H256, Hash, PeerId
from tests.node.harness import SeededRandom

HEAD = Hash(H256(bytes(32)))
TRIES = 20_000
P, Q = PeerId("p"), PeerId("q")


def peers_at_head(count: int) -> GossipPeers:
    """So many that say that they are validators, which proves nothing."""
    peers = GossipPeers()
    for number in range(count):
        peer = PeerId(f"peer {number}")
        peers.note(PeerConnected(peer, ObservedRole.AUTHORITY))
        peers.note(PeerViewChange(peer, View((HEAD,))))
    return peers


def validators_at_head(count: int) -> GossipPeers:
    """So many of whom records prove it."""
    peers = peers_at_head(count)
    peers.note(ValidatorPeers(peers.all()))
    return peers


# Who is told


@pytest.mark.parametrize(
    ("connected", "validators", "wanted", "copies"),
    [
        (50, 51, CATCH_UP_COPIES, 1),  # a full mesh
        (50, 1000, CATCH_UP_COPIES, CATCH_UP_COPIES),
        (CATCH_UP_COPIES, 1000, CATCH_UP_COPIES, CATCH_UP_COPIES),  # so few that all do
        (50, 1000, bitfield_distribution.COPIES, 2),  # where most of all is enough
    ],
)
def test_so_many_do_on_average(connected: int, validators: int, wanted: int, copies: int) -> None:
    peers, random = validators_at_head(connected), SeededRandom()
    given = sum(peers.repeats(random, validators, wanted) for _ in range(TRIES))
    assert given / TRIES * connected == pytest.approx(copies, rel=0.2)


def test_with_nobody_else_there_it_is_given() -> None:
    assert GossipPeers().repeats(SeededRandom(), 4)


def test_news_is_passed_on_to_a_few_who_want_it() -> None:
    peers, random = peers_at_head(30), SeededRandom()
    chosen = peers.to_pass_on(random, 1000, lambda peer: peer != PeerId("peer 7"))
    assert len(set(chosen)) == RELAY_FANOUT and PeerId("peer 7") not in chosen
    assert set(chosen) <= set(peers.all())
    assert peers.to_pass_on(random, 1000, lambda peer: False) == []
    assert peers.to_pass_on(random, 1000, lambda peer: peer == PeerId("peer 7")) == ["peer 7"]


def test_where_all_validators_are_connected_few_pass_it_on_and_to_one() -> None:
    peers, random = validators_at_head(24), SeededRandom()
    chosen = [peers.to_pass_on(random, 25, lambda peer: True) for _ in range(TRIES)]
    assert {len(few) for few in chosen} == {0, 1}
    assert sum(map(len, chosen)) / TRIES == pytest.approx(1 / 5, rel=0.1)
    # Those who have left make no mesh.
    peers.note(PeerDisconnected(PeerId("peer 0")))
    assert len(peers.to_pass_on(random, 25, lambda peer: True)) == RELAY_FANOUT
    assert PeerId("peer 0") not in peers.all() and len(peers.all()) == 23


def test_strangers_that_call_themselves_validators_thin_out_nothing() -> None:
    """They make no mesh, however many, and fill no hole in one."""
    random = SeededRandom()
    strangers = peers_at_head(1000)
    assert len(strangers.to_pass_on(random, 25, lambda peer: True)) == RELAY_FANOUT
    given = sum(strangers.repeats(random, 25) for _ in range(TRIES))
    assert given / TRIES * 1000 == pytest.approx(CATCH_UP_COPIES, rel=0.2)
    strangers.note(ValidatorPeers(strangers.all()[:23]))
    assert len(strangers.to_pass_on(random, 25, lambda peer: True)) == RELAY_FANOUT
    strangers.note(ValidatorPeers((*strangers.all()[:23], P)))
    assert len(strangers.to_pass_on(random, 25, lambda peer: True)) == RELAY_FANOUT, "not here"
    strangers.note(PeerConnected(P, ObservedRole.FULL))  # whatever it says: its record counts
    assert len(strangers.to_pass_on(random, 25, lambda peer: True)) <= 1


# What it earns


@dataclass
class Reports:
    """Hands that keep what is reported."""

    made: list[tuple[PeerId, ReputationChange]] = field(default_factory=list)

    def send(self, message: Message) -> None:
        assert isinstance(message, ReportPeer)
        self.made.append((message.peer, message.change))


def report(peers: GossipPeers, reports: Reports, peer: PeerId, *changes: ReputationChange) -> None:
    for change in changes:
        peers.report(reports, peer, change)  # type: ignore[arg-type]


def test_gains_are_reported_together_and_none_is_lost() -> None:
    peers, reports = GossipPeers(), Reports()
    report(peers, reports, P, *[BENEFIT_NEW] * (BENEFITS_AT_ONCE - 1))
    report(peers, reports, Q, *[BENEFIT_NEW] * (BENEFITS_AT_ONCE - 1))
    assert reports.made == []
    report(peers, reports, P, BENEFIT_NEW)
    together = ReputationChange(BENEFITS_AT_ONCE * BENEFIT_NEW.value, BENEFIT_NEW.reason)
    assert reports.made == [(P, together)]
    report(peers, reports, P, *[BENEFIT_NEW] * BENEFITS_AT_ONCE)
    assert reports.made == [(P, together)] * 2
    report(peers, reports, Q, BENEFIT_NEW)
    assert reports.made[2:] == [(Q, together)]


def test_costs_are_reported_at_once() -> None:
    peers, reports = GossipPeers(), Reports()
    report(peers, reports, P, BENEFIT_NEW, COST_DUPLICATE, BENEFIT_NEW, COST_BAD_SIGNATURE)
    assert reports.made == [(P, COST_DUPLICATE), (P, COST_BAD_SIGNATURE)]
    peers.report(reports, P, None)  # type: ignore[arg-type]
    assert len(reports.made) == 2


def test_what_a_peer_had_to_gain_goes_with_it() -> None:
    peers, reports = GossipPeers(), Reports()
    report(peers, reports, P, *[BENEFIT_NEW] * (BENEFITS_AT_ONCE - 1))
    peers.note(PeerDisconnected(P))
    report(peers, reports, P, BENEFIT_NEW)
    assert reports.made == []
