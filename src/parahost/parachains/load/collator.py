"""The load's collator: blocks of a set size that take a set time to validate."""

from __future__ import annotations

from hashlib import shake_128

from parahost.parachains.collator import Collator
from parahost.parachains.heads import ChainHead
from parahost.ports.collator import BuildContext, ParachainBlock
from parahost.primitives.basic import HeadData, ParaId
from parahost.primitives.hashing import blake2_256
from parahost.primitives.limits import MAX_POV_BYTES
from parahost.primitives.scale import encode

ITERATIONS_PER_MS = 300_000
"""Rounds of the function's arithmetic that a core of 2020 does in a millisecond, about."""
MAX_EXECUTE_MS = 10_000
_OVERHEAD = 4 + 8 + 32 + 4
"""What of a PoV is not payload: two lengths, the iterations, the digest."""


class LoadCollator(Collator):
    """``pov_bytes`` is the length of each PoV, ``execute_ms`` how long validating it takes on a
    common core, besides hashing it."""

    def __init__(self, pov_bytes: int = 1_000_000, execute_ms: int = 0) -> None:
        if not isinstance(pov_bytes, int) or not _OVERHEAD <= pov_bytes <= MAX_POV_BYTES:
            raise ValueError(f"pov_bytes: {pov_bytes!r} is not {_OVERHEAD} to {MAX_POV_BYTES}")
        if not isinstance(execute_ms, int) or not 0 <= execute_ms <= MAX_EXECUTE_MS:
            raise ValueError(f"execute_ms: {execute_ms!r} is not 0 to {MAX_EXECUTE_MS}")
        self._payload_bytes = pov_bytes - _OVERHEAD
        self._iterations = execute_ms * ITERATIONS_PER_MS

    def genesis_head(self, para_id: ParaId) -> HeadData:
        return ChainHead.genesis(bytes(32)).encode()

    async def build(self, parent_head: HeadData, context: BuildContext) -> ParachainBlock:
        """Needs to remember nothing: the payload is a stream that the parent's head seeds."""
        payload = shake_128(parent_head).digest(self._payload_bytes)
        digest = blake2_256(payload)
        block_data = self._iterations.to_bytes(8, "little") + digest + encode(payload)
        head = ChainHead.decode(parent_head).child(digest)
        return ParachainBlock(block_data, head.encode())
