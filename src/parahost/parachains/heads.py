"""The head that the adder and the load share: number, parent, and one hash that tells the rest."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from parahost.crypto.hashing import keccak_256
from parahost.primitives.basic import HeadData

_LAYOUT = struct.Struct("<Q32s32s")


@dataclass(frozen=True, slots=True)
class ChainHead:
    """72 bytes: the number as u64, Keccak-256 of the parent's head, and a digest of what the block
    left behind."""

    number: int
    parent_hash: bytes
    digest: bytes

    def encode(self) -> HeadData:
        return HeadData(_LAYOUT.pack(self.number, self.parent_hash, self.digest))

    @staticmethod
    def decode(data: HeadData) -> ChainHead:
        """:raises ValueError: when it is not exactly 72 bytes."""
        if len(data) != _LAYOUT.size:
            raise ValueError(f"the head has {len(data)} bytes, {_LAYOUT.size} are expected")
        return ChainHead(*_LAYOUT.unpack(data))

    @staticmethod
    def genesis(digest: bytes) -> ChainHead:
        return ChainHead(0, bytes(32), digest)

    def child(self, digest: bytes) -> ChainHead:
        return ChainHead(self.number + 1, keccak_256(self.encode()), digest)
