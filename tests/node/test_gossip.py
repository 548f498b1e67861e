"""Who gives what others have made to a peer that comes late."""

from __future__ import annotations

import pytest

from parahost.node.gossip import CATCH_UP_COPIES, GossipPeers
from parahost.node.messages.network import PeerConnected, PeerViewChange, View
from parahost.ports import ObservedRole
from parahost.primitives.basic import H256, Hash, PeerId
from tests.node.harness import SeededRandom

HEAD = Hash(H256(bytes(32)))
TRIES = 20_000


def peers_at_head(count: int) -> GossipPeers:
    peers = GossipPeers()
    for number in range(count):
        peer = PeerId(f"peer {number}")
        peers.note(PeerConnected(peer, ObservedRole.AUTHORITY))
        peers.note(PeerViewChange(peer, View((HEAD,))))
    return peers


@pytest.mark.parametrize(
    ("connected", "validators", "copies"),
    [
        (50, 51, 1),  # a full mesh
        (50, 1000, CATCH_UP_COPIES),
        (CATCH_UP_COPIES, 1000, CATCH_UP_COPIES),  # so few that all do
    ],
)
def test_so_many_do_on_average(connected: int, validators: int, copies: int) -> None:
    peers, random = peers_at_head(connected), SeededRandom()
    given = sum(peers.repeats(random, HEAD, validators) for _ in range(TRIES))
    assert given / TRIES * connected == pytest.approx(copies, rel=0.2)


def test_with_nobody_else_there_it_is_given() -> None:
    assert GossipPeers().repeats(SeededRandom(), HEAD, 4)
