"""Relay chain blocks in Substrate's format (D29)."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, NewType

from parahost.primitives.basic import H256, BlockNumber, Hash
from parahost.primitives.hashing import blake2_256
from parahost.primitives.limits import MAX_BODY_BYTES, MAX_HEADER_BYTES
from parahost.primitives.scale import Compact, FixedLen, MaxLen, encode, variant
from parahost.primitives.values import dataclass

DigestData = Annotated[bytes, MaxLen(MAX_HEADER_BYTES)]

Extrinsic = NewType("Extrinsic", bytes)
"""An extrinsic's bytes, without the length prefix that a block body puts before each."""

BoundedExtrinsic = Annotated[Extrinsic, MaxLen(MAX_BODY_BYTES)]

BABE_ENGINE = b"BABE"
GRANDPA_ENGINE = b"FRNK"


@variant(0)
@dataclass(frozen=True, slots=True)
class Other:
    data: DigestData


@variant(4)
@dataclass(frozen=True, slots=True)
class Consensus:
    """A message from the runtime to a consensus engine."""

    engine: Annotated[bytes, FixedLen(4)]
    data: DigestData


@variant(5)
@dataclass(frozen=True, slots=True)
class Seal:
    """The author's signature over the header without this item; the last item of a digest."""

    engine: Annotated[bytes, FixedLen(4)]
    data: DigestData


@variant(6)
@dataclass(frozen=True, slots=True)
class PreRuntime:
    """A message from a consensus engine to the runtime."""

    engine: Annotated[bytes, FixedLen(4)]
    data: DigestData


@variant(8)
@dataclass(frozen=True, slots=True)
class RuntimeEnvironmentUpdated:
    pass


DigestItem = Other | Consensus | Seal | PreRuntime | RuntimeEnvironmentUpdated
Digest = Annotated[tuple[DigestItem, ...], MaxLen(64)]


class _Known:
    """Room for what is asked of a header again and again: its SCALE form, the hash of that, and
    the header under the seal."""

    __slots__ = ("_encoded", "_hash", "_unsealed")
    _encoded: bytes
    _hash: Hash
    _unsealed: Header


@dataclass(frozen=True, slots=True)
class Header(_Known):
    """A block's header; its hash names the block."""

    parent_hash: Hash
    number: Annotated[BlockNumber, Compact(32)]
    state_root: H256
    extrinsics_root: H256
    digest: Digest = ()

    def encoded(self) -> bytes:
        """The SCALE form."""
        if not hasattr(self, "_encoded"):
            object.__setattr__(self, "_encoded", encode(self))
        return self._encoded

    def hash(self) -> Hash:
        """blake2-256 of the SCALE form."""
        try:
            return self._hash
        except AttributeError:
            object.__setattr__(self, "_hash", Hash(blake2_256(self.encoded())))
            return self._hash

    def without_seal(self) -> tuple[Header, Seal | None]:
        """The header as it was signed, and the seal if it carries one."""
        if not self.digest or not isinstance(self.digest[-1], Seal):
            return self, None
        if not hasattr(self, "_unsealed"):
            object.__setattr__(self, "_unsealed", replace(self, digest=self.digest[:-1]))
        return self._unsealed, self.digest[-1]


@dataclass(frozen=True, slots=True)
class Block:
    header: Header
    extrinsics: tuple[Extrinsic, ...]
