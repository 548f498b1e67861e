"""Whom to connect to, and when to try again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import trio

from parahost.primitives.basic import PeerId
from parahost.simulation.random import SeededRandom


class Caller(Protocol):
    """Whom a dialler works for."""

    @property
    def local_peer(self) -> PeerId: ...

    def is_connected(self, peer: PeerId) -> bool: ...

    def wants(self, peer: PeerId) -> bool:
        """Whether it is worth dialling now."""
        ...

    def dial(self, peer: PeerId) -> None:
        """Try to connect; the dialler is told what came of it."""
        ...


class Dialler:
    """Keeps a node connected with the peers it knows."""

    FIRST_RETRY_S = 0.5
    LAST_RETRY_S = 15.0
    TICK_S = 0.25

    def __init__(self, caller: Caller, known: Sequence[PeerId], random: SeededRandom) -> None:
        self._caller = caller
        self._random = random
        self._permanent = {peer: None for peer in known if peer != caller.local_peer}
        self._known: dict[PeerId, None] = dict(self._permanent)
        self._priority: dict[PeerId, int] = {}
        self._reserved: dict[PeerId, None] = {}
        self._failures: dict[PeerId, int] = {}
        self._due: dict[PeerId, float] = dict.fromkeys(self._permanent, 0.0)
        """Peers that are neither connected nor being dialled, and when to dial them."""
        self._changed = trio.Event()

    def learn(self, peer: PeerId) -> None:
        if peer not in self._known and peer != self._caller.local_peer:
            self._known[peer] = None
            if not self._caller.is_connected(peer):
                self._plan(peer, 0.0)

    @property
    def reserved(self) -> Sequence[PeerId]:
        return tuple(self._reserved)

    def reserve(self, peer: PeerId) -> None:
        self._reserved[peer] = None
        self.learn(peer)

    def release(self, peer: PeerId) -> None:
        self._reserved.pop(peer, None)

    def prioritise(self, peers: Sequence[PeerId]) -> None:
        self._priority = {peer: rank for rank, peer in enumerate(peers)}

    def is_protected(self, peer: PeerId) -> bool:
        return any(peer in some for some in (self._priority, self._permanent, self._reserved))

    def dialled(self, peer: PeerId, connected: bool) -> None:
        """What came of dialling a peer."""
        if connected:
            self.succeeded(peer)
        else:
            self._failed(peer)

    def succeeded(self, peer: PeerId) -> None:
        """The peer is connected, whoever has dialled."""
        self._failures.pop(peer, None)
        self._due.pop(peer, None)

    def _failed(self, peer: PeerId) -> None:
        self._failures[peer] = failures = self._failures.get(peer, 0) + 1
        delay_s = min(self.FIRST_RETRY_S * 2.0 ** min(failures, 16), self.LAST_RETRY_S)
        self._plan(peer, delay_s * (0.5 + self._random.unit()))

    def lost(self, peer: PeerId) -> None:
        """The connection ended."""
        if peer in self._known:
            self._failed(peer)

    def _plan(self, peer: PeerId, delay_s: float) -> None:
        if not self._caller.is_connected(peer):
            self._due[peer] = trio.current_time() + delay_s
            self._changed.set()

    async def run(self) -> None:
        while True:
            self._dial_due()
            self._changed = trio.Event()
            wait_s = min(self._due.values(), default=float("inf")) - trio.current_time()
            with trio.move_on_after(max(wait_s, self.TICK_S)):
                await self._changed.wait()

    def _dial_due(self) -> None:
        now, last = trio.current_time(), len(self._priority)
        due = [peer for peer, at in self._due.items() if at <= now]
        due.sort(key=lambda peer: (not self.is_protected(peer), self._priority.get(peer, last)))
        for peer in due:
            del self._due[peer]
            if self._caller.wants(peer):
                self._caller.dial(peer)
            else:
                self._due[peer] = now + self.LAST_RETRY_S
