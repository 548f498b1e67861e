"""Who a node is on the network: an ed25519 key, and the peer id made of its public half."""

from __future__ import annotations

from typing import Any

from parahost.crypto.ed25519 import Keypair
from parahost.network.peer_ids import peer_id_of


class Identity:
    """A node key: 32 secret bytes, kept by the caller in a file."""

    def __init__(self, seed: bytes) -> None:
        if len(seed) != 32:
            raise ValueError(f"a node key is 32 bytes, not {len(seed)}")
        self._seed = seed
        self.peer = peer_id_of(Keypair.from_seed(seed).public)

    def key_pair(self) -> Any:
        """The key as py-libp2p has it. Its import takes a second, and a plan for a network asks
        for peer ids only."""
        from libp2p.crypto.ed25519 import create_new_key_pair

        return create_new_key_pair(self._seed)
