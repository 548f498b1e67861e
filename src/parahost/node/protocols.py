"""The names and limits of what the subsystems speak over the network."""

from __future__ import annotations

from parahost.node.messages.network import PeerSet, ProtocolId
from parahost.ports.network import NotificationProtocol, RequestProtocol
from parahost.primitives.limits import (
    KIB,
    MAX_AVAILABLE_DATA_BYTES,
    MAX_COMMITMENTS_BYTES,
    MAX_POV_BYTES,
)

STATEMENT_DISTRIBUTION = ProtocolId(b"stmd")
AVAILABILITY_DISTRIBUTION = ProtocolId(b"avad")
BITFIELD_DISTRIBUTION = ProtocolId(b"bitd")
APPROVAL_DISTRIBUTION = ProtocolId(b"appr")
COLLATION = ProtocolId(b"coll")
VALIDATOR_DISCOVERY = ProtocolId(b"disc")

ENVELOPE_BYTES = 64 * KIB
"""Room for what travels around a PoV, a chunk or commitments: receipts, proofs, lengths."""
SMALL_BYTES = 64 * KIB
"""A message without bulk."""
BATCH_BYTES = 64 * KIB
"""A batch of statements ends with the one that takes it over this size."""

GOSSIP_LIMITS: dict[ProtocolId, int] = {
    STATEMENT_DISTRIBUTION: BATCH_BYTES + MAX_COMMITMENTS_BYTES + ENVELOPE_BYTES,
    AVAILABILITY_DISTRIBUTION: MAX_AVAILABLE_DATA_BYTES + ENVELOPE_BYTES,
    BITFIELD_DISTRIBUTION: SMALL_BYTES,
    APPROVAL_DISTRIBUTION: SMALL_BYTES,
    COLLATION: SMALL_BYTES,
    VALIDATOR_DISCOVERY: SMALL_BYTES,
}
"""The largest message of each gossip protocol, in bytes. A chunk of one to three validators holds
the whole of a candidate's data: the PoV, the parent head and what is beside them."""

NOTIFICATIONS: dict[PeerSet, NotificationProtocol] = {
    PeerSet.VALIDATION: NotificationProtocol("validation", max(GOSSIP_LIMITS.values()) + KIB),
    PeerSet.COLLATION: NotificationProtocol("collation", SMALL_BYTES + KIB),
}
"""Gossip: what carries these protocols between two peers."""

POV_REQUEST = RequestProtocol("req_pov", 128, MAX_POV_BYTES + ENVELOPE_BYTES, timeout_s=3.0)
CHUNK_REQUEST = RequestProtocol(
    "req_chunk", 128, GOSSIP_LIMITS[AVAILABILITY_DISTRIBUTION], timeout_s=3.0
)
AVAILABLE_DATA_REQUEST = RequestProtocol(
    "req_available_data", 128, MAX_AVAILABLE_DATA_BYTES + ENVELOPE_BYTES, timeout_s=3.0
)
COLLATION_REQUEST = RequestProtocol(
    "req_collation", 128, MAX_POV_BYTES + MAX_COMMITMENTS_BYTES + ENVELOPE_BYTES, timeout_s=3.0
)
"""A collation carries its commitments too, and they may carry new code."""

DISPUTE_REQUEST = RequestProtocol("req_dispute", SMALL_BYTES, 16, timeout_s=9.0)
"""The answer is one byte, and says that the votes are on disk."""

REQUESTS = (POV_REQUEST, CHUNK_REQUEST, AVAILABLE_DATA_REQUEST, COLLATION_REQUEST, DISPUTE_REQUEST)
