"""A session's own bounds: what waits for a peer, and what a peer may open."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import trio
import trio.testing

from parahost.network import multistream
from parahost.network.errors import PeerError
from parahost.network.handshake import VERSION, Hello
from parahost.network.holdings import Holdings
from parahost.network.incidents import Incidents
from parahost.network.limits import NetworkLimits, YamuxLimits
from parahost.network.reputation import VIOLATION
from parahost.network.session import PeerTalk, Protocols, Session
from parahost.network.yamux import Yamux
from parahost.ports.network import NotificationProtocol, ObservedRole
from parahost.primitives.basic import H256
from tests.network.local import SystemClock
from tests.network.test_yamux import muxed

HELLO = Hello(VERSION, H256(bytes(32)), ObservedRole.FULL, bytes(16), ())
TOLD = NotificationProtocol("told", 300)
FULL = "its outgoing queue is full"


@asynccontextmanager
async def session(limits: NetworkLimits) -> AsyncIterator[tuple[Session, Yamux, list[Any]]]:
    """A session, its peer's end of the connection, and what was reported of the peer. It runs once
    what the caller starts has run."""
    ours, theirs = trio.testing.memory_stream_pair()
    mux = muxed(ours, initiator=True, limits=YamuxLimits(), holdings=Holdings(limits))
    peer = muxed(theirs, initiator=False, limits=YamuxLimits())
    protocols, reports = Protocols("/x"), list[Any]()
    protocols.notifications[TOLD.name] = (TOLD, lambda _: None)
    made = Session(
        mux,
        mux.open_stream(),
        HELLO,
        protocols=protocols,
        limits=limits,
        clock=SystemClock(),
        talk=PeerTalk(
            lambda *report: reports.append(report), lambda _: [], lambda _: None, lambda _: False
        ),
        incidents=Incidents(),
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(mux.run)
        nursery.start_soon(peer.run)
        with trio.fail_after(20):
            yield made, peer, reports
        nursery.cancel_scope.cancel()


async def test_so_many_notifications_wait_for_a_peer() -> None:
    async with session(NetworkLimits(queue_messages=3)) as (ours, _, _):
        for _ in range(3):
            ours.notify(TOLD.name, b"")
        assert ours.ended is None
        ours.notify(TOLD.name, b"")
        assert ours.ended == FULL


async def test_so_many_bytes_wait_for_a_peer() -> None:
    async with session(NetworkLimits(queue_bytes=500)) as (ours, _, _):
        ours.notify(TOLD.name, bytes(300))
        ours.notify(TOLD.name, bytes(200))
        assert ours.ended is None
        ours.notify(TOLD.name, bytes(1))
        assert ours.ended == FULL


async def test_what_was_sent_waits_no_more() -> None:
    limits = NetworkLimits(queue_messages=3, queue_bytes=500)
    async with session(limits) as (ours, peer, _), trio.open_nursery() as nursery:
        nursery.start_soon(ours.run)
        await peer.accepted.receive()
        for round_ in range(5):
            for _ in range(3):
                ours.notify(TOLD.name, bytes(160))
            if round_ == 0:
                heard = await peer.accepted.receive()
                await multistream.answer(heard, {"/x/told/1"})
            assert await heard.receive_exactly(3 * 164) == 3 * (b"\xa0\0\0\0" + bytes(160))
            await trio.testing.wait_all_tasks_blocked()
        assert ours.ended is None
        ours.abort("enough")


async def test_a_protocol_has_one_stream_of_notifications() -> None:
    """A second one would double what a peer may have under way."""
    async with session(NetworkLimits()) as (ours, peer, reports), trio.open_nursery() as nursery:
        nursery.start_soon(ours.run)
        await multistream.propose(peer.open_stream(), "/x/told/1")
        await trio.testing.wait_all_tasks_blocked()
        assert ours.ended is None
        with suppress(PeerError):  # the connection may end before it hears the agreement
            await multistream.propose(peer.open_stream(), "/x/told/1")
        await trio.testing.wait_all_tasks_blocked()
        assert ours.ended == "a second stream of told"
        assert reports == [(ours.peer, VIOLATION, "a second stream of told")]
