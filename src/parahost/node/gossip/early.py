"""Messages that come before their topic is opened."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import field

from parahost.primitives.basic import Hash, PeerId
from parahost.primitives.limits import KIB, MIB
from parahost.primitives.values import dataclass

MAX_EARLY_BYTES = 16 * MIB
"""What waits in all. When it is more, the peer that has most waiting loses what came first: so
nobody crowds out others."""
OVERHEAD_BYTES = KIB
"""A message counts for so much more than its bytes."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    arrival: int
    """The how many-th of all it was."""
    block: Hash
    payload: bytes

    @property
    def size(self) -> int:
        return len(self.payload) + OVERHEAD_BYTES


@dataclass(slots=True)
class _Share:
    """What one peer has waiting."""

    messages: deque[_Waiting] = field(default_factory=deque)
    size: int = 0


class Early:
    """Keeps what peers say too early, in bounded room."""

    def __init__(self) -> None:
        self._shares: dict[PeerId, _Share] = {}
        self._size = 0
        self._arrivals = 0

    def __len__(self) -> int:
        return sum(len(share.messages) for share in self._shares.values())

    def keep(self, peer: PeerId, block: Hash, payload: bytes) -> None:
        """Let a message wait until its block's topic is opened."""
        self._arrivals += 1
        one = _Waiting(self._arrivals, block, payload)
        share = self._shares.setdefault(peer, _Share())
        share.messages.append(one)
        share.size += one.size
        self._size += one.size
        while self._size > MAX_EARLY_BYTES:
            greediest = max(self._shares.values(), key=lambda share: share.size)
            gone = greediest.messages.popleft()
            greediest.size -= gone.size
            self._size -= gone.size

    def take(self, block: Hash) -> list[tuple[PeerId, bytes]]:
        """The block's topic is open: who said what about it, in the order in which it came."""
        taken = [
            (one.arrival, peer, one.payload)
            for peer in tuple(self._shares)
            for one in self._part(peer, lambda other: other == block)
        ]
        taken.sort(key=lambda entry: entry[0])
        return [(peer, payload) for _, peer, payload in taken]

    def drop(self, peer: PeerId, over: Callable[[Hash], bool] = lambda block: True) -> None:
        """Let go what a peer said about blocks that are ``over``."""
        self._part(peer, over)

    def _part(self, peer: PeerId, goes: Callable[[Hash], bool]) -> list[_Waiting]:
        """Part with a peer's messages about such blocks."""
        share = self._shares.pop(peer, None)
        if share is None:
            return []
        gone, stays = list[_Waiting](), _Share()
        for one in share.messages:
            if goes(one.block):
                gone.append(one)
                self._size -= one.size
            else:
                stays.messages.append(one)
                stays.size += one.size
        if stays.messages:
            self._shares[peer] = stays
        return gone
