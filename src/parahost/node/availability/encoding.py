"""Available data as its chunks, made once: who stores them hands them on (A75, A92)."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from parahost import erasure
from parahost.primitives.availability import ErasureChunk
from parahost.primitives.basic import H256, U32, CandidateHash, ChunkIndex
from parahost.primitives.candidates import AvailableData
from parahost.primitives.limits import MIB
from parahost.primitives.scale import encode

MAX_MADE_BYTES = 64 * MIB
"""Chunks that wait to be handed on: those of two of the largest PoVs. What came before is made anew
if it is asked for after all."""
MAX_MADE = 64
"""Candidates whose chunks wait: a backer hands its own on within a few blocks, and nobody ever
takes those of what was only checked."""
_HASH = 72
"""Bytes of memory of a hash in a proof."""
_CHUNK = 256
"""Bytes of memory of a chunk, beside its own bytes and its proof."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """The chunks of all validators, each with its proof against the root."""

    erasure_root: H256
    chunks: tuple[ErasureChunk, ...]

    @classmethod
    def of(cls, data: AvailableData, validators: int) -> Encoding:
        """Takes a tenth of a second for the largest data and 1,000 validators."""
        chunks = erasure.encode(encode(data), validators)
        root, proofs = erasure.root_and_proofs(chunks)
        proven = zip(chunks, proofs, strict=True)
        return cls(
            root,
            tuple(
                ErasureChunk(chunk, ChunkIndex(U32(index)), proof)
                for index, (chunk, proof) in enumerate(proven)
            ),
        )

    @property
    def size(self) -> int:
        """Bytes of memory that the chunks take, with their proofs: most of it where data is
        small."""
        one = self.chunks[0]
        return len(self.chunks) * (len(one.chunk) + len(one.proof) * _HASH + _CHUNK)


class Made:
    """Encodings of what was stored lately, until they are taken."""

    def __init__(self) -> None:
        self._of: OrderedDict[CandidateHash, Encoding] = OrderedDict()
        self._size = 0

    def put(self, candidate: CandidateHash, encoding: Encoding) -> None:
        self.take(candidate)
        self._of[candidate] = encoding
        self._size += encoding.size
        while self._size > MAX_MADE_BYTES or len(self._of) > MAX_MADE:
            self.take(next(iter(self._of)))

    def take(self, candidate: CandidateHash) -> Encoding | None:
        encoding = self._of.pop(candidate, None)
        if encoding is not None:
            self._size -= encoding.size
        return encoding
