"""Peer ids are those that py-libp2p makes and reads."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.peer.id import ID

from parahost.network.identity import Identity
from parahost.primitives.peer_ids import is_peer_id, peer_id_of

PEERS = st.binary(min_size=32, max_size=32).map(peer_id_of)


@given(st.binary(min_size=32, max_size=32))
def test_an_identity_is_the_same_in_libp2p(seed: bytes) -> None:
    identity = Identity(seed)
    theirs = create_new_key_pair(seed).public_key
    assert identity.public == theirs.to_bytes()
    assert identity.peer == ID.from_pubkey(theirs).to_base58()
    assert is_peer_id(identity.peer)


@given(st.binary(min_size=32, max_size=32) | st.sampled_from([bytes(32), b"\xff" * 32]))
def test_libp2p_reads_the_key_back(public: bytes) -> None:
    peer = ID.from_base58(peer_id_of(public))
    assert peer.to_bytes()[-32:] == public
    assert peer.to_base58() == peer_id_of(public)


@given(PEERS, st.integers(0, 51), st.characters(max_codepoint=0x17F))
def test_any_other_text_is_none(peer: str, at: int, character: str) -> None:
    changed = peer[:at] + character + peer[at + 1 :]
    assert is_peer_id(changed) is (changed.isascii() and _is_one_of_libp2p(changed))
    for text in ("", peer[:-1], peer + "1", "1" + peer[:-1], peer + "\n", "12D3KooW"):
        assert not is_peer_id(text)


def _is_one_of_libp2p(text: str) -> bool:
    try:
        peer = ID.from_base58(text)
    except ValueError:
        return False
    raw: bytes = peer.to_bytes()
    return len(raw) == 38 and raw.hex().startswith("002408011220") and peer.to_base58() == text
