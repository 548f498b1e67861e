"""Asking one peer for all of a candidate's data: the request protocol ``req_available_data``."""

from __future__ import annotations

from dataclasses import dataclass

from parahost import erasure
from parahost.node.gossip import COST_MALFORMED
from parahost.node.messages.network import ReportPeer, ReputationChange, SendRequest
from parahost.node.overseer import Context
from parahost.node.protocols import AVAILABLE_DATA_REQUEST
from parahost.ports import RequestFailed
from parahost.primitives.basic import CandidateHash, PeerId
from parahost.primitives.candidates import AvailableData
from parahost.primitives.scale import ScaleDecodeError, decode, encode

COST_WRONG_DATA = ReputationChange(-100, "data that are not those of the candidate's erasure root")


@dataclass(frozen=True, slots=True)
class AvailableDataRequest:
    """On the wire; the answer is ``AvailableData``."""

    candidate: CandidateHash


async def fetch_data(
    ctx: Context, peer: PeerId, request: AvailableDataRequest, erasure_root: bytes, validators: int
) -> AvailableData | None:
    """The data, held against the erasure root; ``None`` when the peer did not give them. What is
    wrong is reported.

    The caller's subsystem declares ``SendRequest`` and ``ReportPeer``.
    """
    answer = await ctx.ask(SendRequest(peer, AVAILABLE_DATA_REQUEST, encode(request)))
    if isinstance(answer, RequestFailed):
        return None
    try:
        data: AvailableData = decode(AvailableData, answer)
    except ScaleDecodeError:
        ctx.send(ReportPeer(peer, COST_MALFORMED))
        return None
    if await ctx.executor.run(lambda: root_of(answer, validators)) != erasure_root:
        ctx.send(ReportPeer(peer, COST_WRONG_DATA))
        return None
    return data


def root_of(encoded: bytes, validators: int) -> bytes:
    """The erasure root of encoded data, for so many validators."""
    return erasure.erasure_root(erasure.encode(encoded, validators))
