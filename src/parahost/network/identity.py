"""Who a node is on the network: an ed25519 key, and the peer id made of its public half."""

from __future__ import annotations

from parahost.crypto import ed25519
from parahost.primitives.peer_ids import peer_id_of


class Identity:
    """A node key: 32 secret bytes, kept by the caller in a file."""

    def __init__(self, seed: bytes) -> None:
        if len(seed) != 32:
            raise ValueError(f"a node key is 32 bytes, not {len(seed)}")
        self._keypair = ed25519.Keypair.from_seed(seed)
        self.public = self._keypair.public
        self.peer = peer_id_of(self.public)

    def sign(self, message: bytes) -> bytes:
        """64 bytes."""
        return ed25519.sign(self._keypair, message)
