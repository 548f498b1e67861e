"""Asking one peer for one chunk: the request protocol ``req_chunk``, both ends' form."""

from __future__ import annotations

from dataclasses import dataclass

from parahost import erasure
from parahost.node.gossip import COST_MALFORMED
from parahost.node.messages.network import ReportPeer, ReputationChange, SendRequest
from parahost.node.overseer import Context
from parahost.node.protocols import CHUNK_REQUEST
from parahost.ports import RequestFailed
from parahost.primitives.availability import ErasureChunk
from parahost.primitives.basic import CandidateHash, ChunkIndex, PeerId
from parahost.primitives.scale import ScaleDecodeError, decode, encode

COST_BAD_PROOF = ReputationChange(-100, "a chunk that its proof does not tie to the candidate")


@dataclass(frozen=True, slots=True)
class ChunkRequest:
    """On the wire; the answer is an ``ErasureChunk``."""

    candidate: CandidateHash
    index: ChunkIndex


async def fetch_chunk(
    ctx: Context, peer: PeerId, request: ChunkRequest, erasure_root: bytes, validators: int
) -> ErasureChunk | None:
    """The chunk, proven; ``None`` when the peer did not give it. What is wrong is reported.

    The caller's subsystem declares ``SendRequest`` and ``ReportPeer``.
    """
    answer = await ctx.ask(SendRequest(peer, CHUNK_REQUEST, encode(request)))
    if isinstance(answer, RequestFailed):
        return None
    try:
        chunk: ErasureChunk = decode(ErasureChunk, answer)
    except ScaleDecodeError:
        ctx.send(ReportPeer(peer, COST_MALFORMED))
        return None
    if chunk.index != request.index or not erasure.verify_chunk(
        erasure_root, chunk.index, chunk.chunk, chunk.proof, validators
    ):
        ctx.send(ReportPeer(peer, COST_BAD_PROOF))
        return None
    return chunk
