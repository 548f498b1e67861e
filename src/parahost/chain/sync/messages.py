"""What nodes say to each other about blocks."""

from __future__ import annotations

from enum import Enum, IntFlag
from typing import Annotated

from parahost.ports import NotificationProtocol, RequestProtocol
from parahost.primitives.basic import U8, U32, BlockNumber, Hash
from parahost.primitives.header import BoundedExtrinsic, Header
from parahost.primitives.limits import (
    KIB,
    MAX_BODY_BYTES,
    MAX_EXTRINSICS,
    MAX_HEADER_BYTES,
    MAX_JUSTIFICATION_BYTES,
    MIB,
)
from parahost.primitives.scale import MaxLen, variant
from parahost.primitives.values import dataclass

MAX_BLOCKS = 64
"""Blocks in one answer."""
ANSWER_BYTES = 2 * MIB
"""An answer ends with the block that takes it over this size."""
MAX_BLOCK_BYTES = MAX_HEADER_BYTES + MAX_BODY_BYTES + MAX_JUSTIFICATION_BYTES + 128 * KIB
"""A block with its proof. Each extrinsic has its length before it, of up to four bytes: 64 KiB."""

ANNOUNCES = NotificationProtocol("block-announces", max_size=MAX_HEADER_BYTES + 2)
SYNC = RequestProtocol(
    "sync", max_request=128, max_response=ANSWER_BYTES + MAX_BLOCK_BYTES, timeout_s=15.0
)


@variant(0)
@dataclass(frozen=True, slots=True)
class Status:
    """What a node has: its best and its last final block. Sent to a peer that connects, and to
    all when a block becomes final."""

    best_number: BlockNumber
    best_hash: Hash
    final_number: BlockNumber
    final_hash: Hash


@variant(1)
@dataclass(frozen=True, slots=True)
class Announce:
    """A block that the node has imported; ``is_best`` by its own fork choice."""

    header: Header
    is_best: bool


SyncMessage = Status | Announce


class Fields(IntFlag):
    """What is asked of each block; Substrate's numbers. Asked for justifications alone, a node
    leaves out the blocks that have none."""

    HEADER = 1
    BODY = 2
    JUSTIFICATION = 16


class Direction(Enum):
    """Towards higher numbers, along the answering node's best chain; or to the parents."""

    ASCENDING = 0
    DESCENDING = 1


@variant(0)
@dataclass(frozen=True, slots=True)
class FromHash:
    hash: Hash


@variant(1)
@dataclass(frozen=True, slots=True)
class FromNumber:
    number: BlockNumber


@dataclass(frozen=True, slots=True)
class BlockRequest:
    """Ask for up to ``max_blocks`` blocks; the first is the one named by ``start``."""

    fields: U8
    start: FromHash | FromNumber
    direction: Direction
    max_blocks: U32


@dataclass(frozen=True, slots=True)
class BlockData:
    """What a node has of one block, as far as it was asked for."""

    hash: Hash
    header: Header | None
    body: Annotated[tuple[BoundedExtrinsic, ...], MaxLen(MAX_EXTRINSICS)] | None
    justification: Annotated[bytes, MaxLen(MAX_JUSTIFICATION_BYTES)] | None


BlockResponse = Annotated[tuple[BlockData, ...], MaxLen(MAX_BLOCKS)]
"""In the direction that was asked for; empty when the first block is not known."""
