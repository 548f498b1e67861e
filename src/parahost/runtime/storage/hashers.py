"""How a map's key becomes part of a storage key.

Every hasher here leaves the key itself readable at the end, so that maps can be iterated.
"""

from __future__ import annotations

from enum import Enum

from parahost.crypto.hashing import blake2_128_concat, twox_64_concat


class Hasher(Enum):
    """A hash of the encoded key, then the encoded key. Values are the names in metadata."""

    IDENTITY = "Identity"
    """No hash: for keys that are hashes already."""
    TWOX_64_CONCAT = "Twox64Concat"
    """Fast; for keys that no stranger can choose, such as indices that the host hands out."""
    BLAKE2_128_CONCAT = "Blake2_128Concat"
    """Cryptographic; for keys that a stranger chooses, such as accounts."""

    @property
    def prefix_length(self) -> int:
        """How many bytes stand before the encoded key."""
        return _PREFIX_LENGTHS[self]

    def hash(self, encoded_key: bytes) -> bytes:
        """The key's part of a storage key."""
        if self is Hasher.IDENTITY:
            return encoded_key
        if self is Hasher.TWOX_64_CONCAT:
            return twox_64_concat(encoded_key)
        return blake2_128_concat(encoded_key)


_PREFIX_LENGTHS = {Hasher.IDENTITY: 0, Hasher.TWOX_64_CONCAT: 8, Hasher.BLAKE2_128_CONCAT: 16}
