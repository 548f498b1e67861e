"""Messages that come before their topic is opened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field

from parahost.primitives.basic import Hash, PeerId
from parahost.primitives.limits import KIB, MIB
from parahost.primitives.values import dataclass

MAX_EARLY_BYTES = 16 * MIB
"""What waits in all. When it is more, the peer that has most waiting loses all that it said of the
block that it named first: so nobody crowds out others."""
OVERHEAD_BYTES = KIB
"""A message counts for so much more than its bytes."""
MAX_EARLY_BLOCKS = 64
"""Of how many blocks one peer's messages wait."""


@dataclass(slots=True)
class _Share:
    """What one peer has waiting: by block, with the how many-th of all each message was."""

    blocks: dict[Hash, list[tuple[int, bytes]]] = field(default_factory=dict)
    size: int = 0


class Early:
    """Keeps what peers say too early, in bounded room."""

    def __init__(self) -> None:
        self._shares: dict[PeerId, _Share] = {}
        self._size = 0
        self._arrivals = 0

    def __len__(self) -> int:
        """How many messages wait."""
        return sum(len(m) for share in self._shares.values() for m in share.blocks.values())

    def keep(self, peer: PeerId, block: Hash, payload: bytes) -> None:
        """Let a message wait until its block's topic is opened."""
        self._arrivals += 1
        share = self._shares.setdefault(peer, _Share())
        share.blocks.setdefault(block, []).append((self._arrivals, payload))
        share.size += len(payload) + OVERHEAD_BYTES
        self._size += len(payload) + OVERHEAD_BYTES
        if len(share.blocks) > MAX_EARLY_BLOCKS:
            self._part(peer, next(iter(share.blocks)))
        while self._size > MAX_EARLY_BYTES:
            greediest = max(self._shares, key=lambda peer: self._shares[peer].size)
            self._part(greediest, next(iter(self._shares[greediest].blocks)))

    def take(self, block: Hash) -> list[tuple[PeerId, bytes]]:
        """The block's topic is open: who said what about it, in the order in which it came."""
        peers = [peer for peer, share in self._shares.items() if block in share.blocks]
        taken = [(one, peer) for peer in peers for one in self._part(peer, block)]
        taken.sort(key=lambda entry: entry[0][0])
        return [(peer, payload) for (_, payload), peer in taken]

    def drop(self, peer: PeerId, over: Callable[[Hash], bool] = lambda block: True) -> None:
        """Let go what a peer said about blocks that are ``over``."""
        if peer in self._shares:
            for block in [each for each in self._shares[peer].blocks if over(each)]:
                self._part(peer, block)

    def _part(self, peer: PeerId, block: Hash) -> list[tuple[int, bytes]]:
        """Part with a peer's messages about a block."""
        share = self._shares[peer]
        gone = share.blocks.pop(block)
        freed = sum(len(payload) + OVERHEAD_BYTES for _, payload in gone)
        share.size -= freed
        self._size -= freed
        if not share.blocks:
            del self._shares[peer]
        return gone
