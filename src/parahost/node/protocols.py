"""The names and limits of what the subsystems speak over the network."""

from __future__ import annotations

from parahost.node.messages.network import PeerSet, ProtocolId
from parahost.ports.network import NotificationProtocol, RequestProtocol
from parahost.runtime.parachains.configuration import MAX_POV_SIZE

STATEMENT_DISTRIBUTION = ProtocolId(b"stmd")
AVAILABILITY_DISTRIBUTION = ProtocolId(b"avad")
BITFIELD_DISTRIBUTION = ProtocolId(b"bitd")
COLLATION = ProtocolId(b"coll")
VALIDATOR_DISCOVERY = ProtocolId(b"disc")

MAX_POV_BYTES = MAX_POV_SIZE
"""The largest proof of validity, in bytes: what the chain puts into ``max_pov_size``."""
_ENVELOPE = 64 * 1024
"""Room for what travels around a PoV or a chunk, in bytes: heads, proofs, lengths."""

NOTIFICATIONS: dict[PeerSet, NotificationProtocol] = {
    PeerSet.VALIDATION: NotificationProtocol("validation", MAX_POV_BYTES + _ENVELOPE),
    PeerSet.COLLATION: NotificationProtocol("collation", 64 * 1024),
}
"""Gossip. The largest message is a chunk; with one to three validators it holds a whole PoV."""

POV_REQUEST = RequestProtocol("req_pov", 128, MAX_POV_BYTES + _ENVELOPE, timeout_s=3.0)
CHUNK_REQUEST = RequestProtocol("req_chunk", 128, MAX_POV_BYTES + _ENVELOPE, timeout_s=3.0)
COLLATION_REQUEST = RequestProtocol(
    "req_collation", 128, MAX_POV_BYTES + 16 * 1024 * 1024, timeout_s=3.0
)
"""A collation carries its commitments too, and they may carry new code."""

REQUESTS = (POV_REQUEST, CHUNK_REQUEST, COLLATION_REQUEST)
