"""Who a node is on the network: an ed25519 key, and the peer id made of its public half."""

from __future__ import annotations

from typing import Any

from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.peer.id import ID

from parahost.primitives.basic import PeerId

_ED25519_MULTIHASH = bytes.fromhex("002408011220")
"""Identity multihash of 36 bytes: a protobuf public key of type ed25519 with 32 bytes."""


class Identity:
    """A node key: 32 secret bytes, kept by the caller in a file."""

    def __init__(self, seed: bytes) -> None:
        if len(seed) != 32:
            raise ValueError(f"a node key is 32 bytes, not {len(seed)}")
        self.key_pair: Any = create_new_key_pair(seed)
        self.peer = peer_id_of(self.key_pair.public_key)


def peer_id_of(public_key: Any) -> PeerId:
    """The peer id of a py-libp2p public key."""
    return PeerId(ID.from_pubkey(public_key).to_base58())


def is_peer_id(text: str) -> bool:
    """Whether the text is the peer id of an ed25519 key, in its one canonical form."""
    if len(text) != 52:
        return False
    try:
        peer = ID.from_base58(text)
    except ValueError:
        return False
    raw: bytes = peer.to_bytes()
    return len(raw) == 38 and raw.startswith(_ED25519_MULTIHASH) and peer.to_base58() == text
