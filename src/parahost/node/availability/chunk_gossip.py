"""Gossip of chunks: its form, what is remembered of a live candidate, and the verdict (A90)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from parahost import erasure
from parahost.consensus.fanout import RELAY_FANOUT
from parahost.node.availability.chunk_request import COST_BAD_PROOF
from parahost.node.availability.pending import PendingCandidate
from parahost.node.gossip import (
    BENEFIT_NEW,
    COST_DUPLICATE,
    COST_NO_VALIDATOR,
    Acceptance,
    Verdict,
)
from parahost.primitives.availability import ErasureChunk
from parahost.primitives.basic import (
    U8,
    U32,
    CandidateHash,
    ChunkIndex,
    PeerId,
    ValidatorId,
    ValidatorIndex,
)
from parahost.primitives.memoize import memoize
from parahost.primitives.values import dataclass

RELAY_HOPS = 2
"""Over how many peers a chunk may travel to a validator that its holders are not connected to.
In a network of 1,000 with 64 peers each, five backers and a fan-out of 4 so reach 100 nodes, one
of whom is connected to it but for one case in 700. More hops would reach everybody, which is
the cost that chunks are not gossiped for; beyond that, the validator asks."""


@dataclass(frozen=True, slots=True)
class ChunkGossip:
    """A chunk on the wire, for its validator (``hops`` 0) or to be passed on."""

    candidate: CandidateHash
    chunk: ErasureChunk
    hops: U8


@dataclass(slots=True)
class LiveCandidate:
    """What we hold of a live candidate, and what we know of others' chunks."""

    pending: PendingCandidate
    own: ChunkIndex | None
    index_of: Mapping[ValidatorId, ChunkIndex]
    place: int | None = None
    """Ours among the backers, from 0; ``None`` when we are none."""
    chunks: dict[ChunkIndex, ErasureChunk] = field(default_factory=dict)
    hops: dict[ChunkIndex, int] = field(default_factory=dict)
    """How far each chunk that we hold may still be relayed."""
    _known: dict[PeerId, dict[ChunkIndex, bool]] = field(default_factory=dict)
    """The chunks that a peer has; true for those that it sent to us."""
    _relayed: dict[ChunkIndex, int] = field(default_factory=dict)

    @classmethod
    def of(cls, pending: PendingCandidate, own: ChunkIndex | None) -> LiveCandidate:
        places = {ChunkIndex(member): place for place, member in enumerate(pending.backers)}
        place = None if own is None else places.get(own)
        return cls(pending, own, _chunk_of(pending.validators), place)

    @property
    def is_complete(self) -> bool:
        """Whether we hold all chunks."""
        return len(self.chunks) == len(self.pending.validators)

    @property
    def has_more_than_own(self) -> bool:
        """Whether we hold anything that somebody else wants."""
        return len(self.chunks) > (self.own in self.chunks)

    def hold(self, chunk: ErasureChunk, hops: int) -> None:
        self.chunks[chunk.index] = chunk
        self.hops[chunk.index] = min(hops, RELAY_HOPS)

    # What peers have

    def has(self, peer: PeerId, index: ChunkIndex) -> bool:
        return index in self._known.get(peer, ())

    def peer_has(self, peer: PeerId, index: ChunkIndex) -> None:
        """Because it said so, or because we send it."""
        if index < len(self.pending.validators):
            self._known.setdefault(peer, {}).setdefault(index, False)

    def peer_sent(self, peer: PeerId, index: ChunkIndex) -> None:
        self._known.setdefault(peer, {})[index] = True

    def has_sent(self, peer: PeerId, index: ChunkIndex) -> bool:
        return self._known.get(peer, {}).get(index, False)

    def forget(self, peer: PeerId) -> None:
        self._known.pop(peer, None)

    # What to send

    def may_send(self, index: ChunkIndex) -> bool:
        """Whether we hold the chunk, and it is ours to send: of g backers the k-th sends the
        chunks i = k (mod g), but none to other backers, who make theirs; and whoever else has a
        chunk may give it on."""
        if index not in self.chunks:
            return False
        if self.place is None:
            return True
        backers = self.pending.backers
        return index % len(backers) == self.place and ValidatorIndex(index) not in backers

    def relays_left(self, index: ChunkIndex) -> int:
        """To how many more peers we may give a chunk to pass on."""
        if not self.hops.get(index, 0):
            return 0
        return max(RELAY_FANOUT - self._relayed.get(index, 0), 0)

    def note_relay(self, index: ChunkIndex) -> None:
        self._relayed[index] = self._relayed.get(index, 0) + 1


@memoize(8)
def _chunk_of(validators: tuple[ValidatorId, ...]) -> Mapping[ValidatorId, ChunkIndex]:
    """Whose chunk is which."""
    return {validator: ChunkIndex(U32(index)) for index, validator in enumerate(validators)}


def judge(live: LiveCandidate, peer: PeerId, chunk: ErasureChunk) -> Verdict[None]:
    """Whether a peer's chunk of a live candidate is new and right (A90)."""
    pending = live.pending
    if chunk.index >= len(pending.validators):
        return Verdict(Acceptance.REJECT, COST_NO_VALIDATOR)
    if live.has_sent(peer, chunk.index):
        return Verdict(Acceptance.IGNORE, COST_DUPLICATE)
    if chunk.index in live.chunks:
        return Verdict(Acceptance.IGNORE)
    if not erasure.verify_chunk(
        pending.erasure_root, chunk.index, chunk.chunk, chunk.proof, len(pending.validators)
    ):
        return Verdict(Acceptance.REJECT, COST_BAD_PROOF)
    return Verdict(Acceptance.ACCEPT, BENEFIT_NEW)
