"""Availability Distribution, Recovery and Store; bitfields (A89-A95, A99-A101)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from parahost.node.availability.encoding import Encoding
from parahost.node.messages.base import Message, Reply, Request
from parahost.node.messages.network import NetworkBridgeEvent
from parahost.primitives.availability import ErasureChunk, SignedAvailabilityBitfield
from parahost.primitives.basic import (
    CandidateHash,
    ChunkIndex,
    Hash,
    PeerId,
    ValidatorId,
    ValidatorIndex,
)
from parahost.primitives.candidates import AvailableData, CandidateReceipt, PoV

# To the Availability Store


@dataclass(eq=False, slots=True)
class QueryPoV(Request[PoV | None]):
    candidate: CandidateHash


@dataclass(eq=False, slots=True)
class QueryAvailableData(Request[AvailableData | None]):
    candidate: CandidateHash


@dataclass(eq=False, slots=True)
class QueryChunk(Request[ErasureChunk | None]):
    candidate: CandidateHash
    index: ChunkIndex


@dataclass(eq=False, slots=True)
class WaitChunks(Request[tuple[CandidateHash, ...]]):
    """Which of these candidates' chunks of that index are kept: answered as soon as all are, and
    ``wait_s`` seconds from now at the latest."""

    candidates: tuple[CandidateHash, ...]
    index: ChunkIndex
    wait_s: float


@dataclass(eq=False, slots=True)
class QueryChunks(Request[tuple[ErasureChunk, ...]]):
    """All chunks of a candidate that this node keeps."""

    candidate: CandidateHash


@dataclass(eq=False, slots=True)
class StoreChunk(Request[bool]):
    """Keep a chunk whose proof has been checked. ``False``: the disk refused it."""

    candidate: CandidateHash
    chunk: ErasureChunk


class Stored(Enum):
    """Whether available data are kept, and if not, why."""

    KEPT = "kept"
    WRONG_ROOT = "the data do not give the erasure root"
    REFUSED = "the disk refused it"


@dataclass(eq=False, slots=True)
class StoreAvailableData(Request[Stored]):
    """Keep a PoV that we validated, with its validation data and, when we are validator ``own``
    of the session, our chunk (A75). Answered once it is on disk."""

    candidate: CandidateHash
    data: AvailableData
    erasure_root: bytes
    validators: int
    own: ValidatorIndex | None


@dataclass(eq=False, slots=True)
class TakeChunks(Request[Encoding | None]):
    """All chunks of a candidate whose data this node keeps, for so many validators. They are
    handed on: what was made when the data were stored is given once."""

    candidate: CandidateHash
    validators: int


# To Availability Distribution


@dataclass(slots=True)
class AvailabilityNetwork(Message):
    """An event of the protocol ``avad``."""

    event: NetworkBridgeEvent


@dataclass(slots=True)
class ChunkRequested(Message):
    """A peer asks us for a chunk that we keep."""

    peer: PeerId
    payload: bytes
    reply: Reply[bytes | None]


# To Availability Recovery


class RecoveryFailure(Enum):
    UNAVAILABLE = "fewer chunks than needed could be had"
    INVALID = "the chunks do not give the erasure root: the data was wrong from the start"


@dataclass(eq=False, slots=True)
class RecoverAvailableData(Request[AvailableData | RecoveryFailure]):
    """Get a candidate's data, as a whole from those of the ``validators`` who are its ``backers``,
    or rebuilt from chunks. The validators are those of the session in which it was backed."""

    receipt: CandidateReceipt
    validators: tuple[ValidatorId, ...]
    backers: tuple[ValidatorIndex, ...]


@dataclass(eq=False, slots=True)
class ObtainChunk(Request[bool]):
    """Keep our chunk, that of index ``own``, of a candidate: recover its data if need be, as
    :class:`RecoverAvailableData` does, and encode them anew. Whether it is on disk."""

    receipt: CandidateReceipt
    validators: tuple[ValidatorId, ...]
    backers: tuple[ValidatorIndex, ...]
    own: ValidatorIndex


@dataclass(slots=True)
class DataRequested(Message):
    """A peer asks us for all data of a candidate."""

    peer: PeerId
    payload: bytes
    reply: Reply[bytes | None]


# To Bitfield Distribution


@dataclass(slots=True)
class DistributeBitfield(Message):
    """Gossip a bitfield that this node signed."""

    relay_parent: Hash
    bitfield: SignedAvailabilityBitfield


@dataclass(slots=True)
class BitfieldNetwork(Message):
    """An event of the protocol ``bitd``."""

    event: NetworkBridgeEvent
