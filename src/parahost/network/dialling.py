"""Dialling: who is due in the book of peers is reached, and handed on as a connection."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass

import trio

from parahost.network.errors import PeerError
from parahost.network.incidents import Incidents
from parahost.network.limits import NetworkLimits
from parahost.network.peers import PeerBook
from parahost.network.yamux import Yamux
from parahost.ports.clock import Clock
from parahost.primitives.addresses import PeerAddress
from parahost.primitives.basic import PeerId

log = logging.getLogger(__name__)

MAX_DIALS = 8
"""Connections that are dialled at a time."""
_DIAL_TICK_S = 0.25


@dataclass(frozen=True, slots=True)
class DialledFor:
    """The network whose connections these are to be."""

    engaged: Callable[[], Collection[PeerId]]
    """Whom not to dial: who has a session, or is about to."""
    is_wanted: Callable[[PeerId], bool]
    upgrade: Callable[[trio.SocketStream, PeerId | None], Awaitable[Yamux]]
    """Makes a connection of a stream, if that peer is there."""
    carry: Callable[[Yamux, str, Callable[[], None]], Awaitable[None]]
    """Serves a connection with a host to its end; tells when it has become a session."""


class PeerDialler:
    """Reaches the peers of a book, one address of each at a time."""

    def __init__(
        self,
        book: PeerBook,
        clock: Clock,
        limits: NetworkLimits,
        incidents: Incidents,
        network: DialledFor,
    ) -> None:
        self._book = book
        self._clock = clock
        self._limits = limits
        self._incidents = incidents
        self._network = network
        self._dials = 0
        self._told_why: dict[PeerId, str] = {}
        """Why a bootnode was not reached last, as the operator was told."""

    async def run(self, nursery: trio.Nursery) -> None:
        """Dial whoever is due, in tasks of the nursery, until cancelled."""
        while True:
            try:
                self._dial_who_is_due(nursery)
            except Exception as error:
                self._incidents.skipped("choosing whom to dial", error)
            await self._clock.sleep(_DIAL_TICK_S)

    def note_unreached(self, peer: PeerId, error: Exception) -> None:
        """No session with a peer came about. Whom our operator told us to reach gets a line for it,
        once for each reason until it is reached."""
        why = str(error) or "nobody answered in time"
        if not self._book.is_permanent(peer) or peer in self._network.engaged():
            return
        if self._told_why.get(peer) != why:
            self._told_why[peer] = why
            log.warning("bootnode or reserved peer %s is not reached: %s", peer, why)

    def note_reached(self, peer: PeerId) -> None:
        """It has a session now."""
        self._told_why.pop(peer, None)

    def _dial_who_is_due(self, nursery: trio.Nursery) -> None:
        for peer in self._book.due(self._network.engaged()):
            if self._dials >= MAX_DIALS:
                break
            if not self._network.is_wanted(peer):
                continue
            address = self._book.begin(peer)
            self._dials += 1
            nursery.start_soon(self._dial, peer, address)

    async def _dial(self, peer: PeerId, address: PeerAddress) -> None:
        try:
            await self._reach(peer, address)
        except Exception as error:
            self._incidents.failed("dialling", peer, error)

    async def _reach(self, peer: PeerId, address: PeerAddress) -> None:
        """Dial a peer and serve it. The book is told once how it ended: here, unless it became a
        session."""
        begun = self._clock.now()
        connected = became_session = False

        def settled() -> None:
            nonlocal became_session
            became_session = True

        try:
            try:
                with trio.fail_after(self._limits.dial_timeout_s):
                    stream = await trio.open_tcp_stream(address.host, address.port)
                    mux = await self._network.upgrade(stream, peer)
                connected = True
                self._book.reached(peer)
            finally:
                self._dials -= 1
            await self._network.carry(mux, str(stream.socket.getpeername()[0]), settled)
        except (OSError, PeerError, trio.TooSlowError) as error:
            log.debug("dialling %s: %s", address, error)
            self.note_unreached(peer, error)
        finally:
            if not became_session:
                self._book.ended(peer, self._clock.now() - begun if connected else 0.0)
