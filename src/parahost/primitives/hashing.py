"""The one hash of the relay chain's types."""

from __future__ import annotations

from hashlib import blake2b

from parahost.primitives.basic import H256


def blake2_256(data: bytes) -> H256:
    """BLAKE2b with 32 bytes of output."""
    return H256(blake2b(data, digest_size=32).digest())
