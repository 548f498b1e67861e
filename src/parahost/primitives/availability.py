"""Votes on availability, chunks, and the thresholds (A112, D7, D11, D28)."""

from __future__ import annotations

from typing import Annotated

from parahost.primitives.basic import H256, ChunkIndex, ValidatorIndex, ValidatorSignature
from parahost.primitives.limits import MAX_AVAILABLE_DATA_BYTES, MAX_CORES
from parahost.primitives.memoize import memoize
from parahost.primitives.scale import BitVec, MaxLen, encode
from parahost.primitives.statements import SigningContext
from parahost.primitives.values import dataclass

Bitfield = Annotated[BitVec, MaxLen(MAX_CORES)]
"""One bit per availability core: whether a validator holds its chunk of the candidate pending
there."""


@dataclass(frozen=True, slots=True)
class SignedAvailabilityBitfield:
    """A validator's vote on availability."""

    bitfield: Bitfield
    validator_index: ValidatorIndex
    signature: ValidatorSignature

    def payload(self, context: SigningContext) -> bytes:
        return bitfield_payload(self.bitfield, self.validator_index, context)


@memoize(1024)
def bitfield_payload(
    bitfield: BitVec, validator_index: ValidatorIndex, context: SigningContext
) -> bytes:
    """What a validator signs as its vote on availability (A112, D11)."""
    return (
        encode(bitfield)
        + context.session_index.to_bytes(4, "little")
        + context.parent_hash
        + validator_index.to_bytes(4, "little")
    )


@dataclass(frozen=True, slots=True)
class ErasureChunk:
    """A chunk of a candidate's available data, with the Merkle path that ties it to the erasure
    root of the candidate's descriptor, from the chunk upwards."""

    chunk: Annotated[bytes, MaxLen(MAX_AVAILABLE_DATA_BYTES + 64)]
    index: ChunkIndex
    proof: Annotated[tuple[H256, ...], MaxLen(16)]


def byzantine_threshold(validators: int) -> int:
    """f: how many of n validators may be faulty."""
    return max(validators - 1, 0) // 3


def availability_threshold(validators: int) -> int:
    """Votes that make a candidate available: n - f, more than two thirds (A43, D7)."""
    return validators - byzantine_threshold(validators)


def supermajority_threshold(validators: int) -> int:
    """Votes that conclude a dispute: n - f (A62, D7)."""
    return validators - byzantine_threshold(validators)


def recovery_threshold(validators: int) -> int:
    """Chunks from which the data can be recovered: f + 1 (D7)."""
    return byzantine_threshold(validators) + 1


def is_backing_majority(votes: int, group_size: int) -> bool:
    """Whether so many votes of a group back a candidate: more than half (D7)."""
    return 2 * votes > group_size
