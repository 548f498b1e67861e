"""A session's own bounds: what waits for a peer, and what a peer may open."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest
import trio
import trio.testing

from parahost.network import multistream
from parahost.network.errors import PeerError
from parahost.network.framing import frame
from parahost.network.handshake import VERSION, Hello, encode_told
from parahost.network.holdings import Holdings
from parahost.network.incidents import Incidents
from parahost.network.limits import NetworkLimits, YamuxLimits
from parahost.network.reputation import OVER_RATE, SLOW_READER, VIOLATION
from parahost.network.session import PeerSession, PeerTalk, Protocols
from parahost.network.yamux import Yamux
from parahost.ports.network import (
    NetworkEvent,
    Notification,
    NotificationProtocol,
    ObservedRole,
    RequestProtocol,
)
from parahost.primitives.basic import H256, PeerId
from tests.network.test_yamux import muxed
from tests.node.harness import TrioClock

HELLO = Hello(VERSION, H256(bytes(32)), ObservedRole.FULL, bytes(16), ())
TOLD = NotificationProtocol("told", 300)
FULL = "its outgoing queue is full"


@asynccontextmanager
async def session(
    limits: NetworkLimits, burst: float = 1.0
) -> AsyncIterator[tuple[PeerSession, Yamux, list[Any]]]:
    """A session, its peer's end of the connection, and what was reported of the peer. It runs once
    what the caller starts has run."""
    ours, theirs = trio.testing.memory_stream_pair()
    mux = muxed(ours, initiator=True, limits=YamuxLimits(), holdings=Holdings(limits))
    peer = muxed(theirs, initiator=False, limits=YamuxLimits())
    protocols, reports = Protocols("/x"), list[Any]()
    protocols.notifications[TOLD.name] = (TOLD, lambda _: None)
    made = PeerSession(
        mux,
        mux.open_stream(),
        HELLO,
        network="192.0.2.1",
        burst=burst,
        protocols=protocols,
        limits=limits,
        clock=TrioClock(),
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


async def test_so_many_lists_of_peers_may_come_at_once() -> None:
    async with session(NetworkLimits()) as (ours, peer, reports), trio.open_nursery() as nursery:
        nursery.start_soon(ours.run)
        control = await peer.accepted.receive()
        await control.send(4 * frame(encode_told([])))
        await trio.testing.wait_all_tasks_blocked()
        assert reports == []
        await control.send(frame(encode_told([])))
        await trio.testing.wait_all_tasks_blocked()
        assert reports == [(ours.peer, OVER_RATE, "tells of peers more often than it may")]
        assert ours.ended is None
        nursery.cancel_scope.cancel()


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


ASKED = RequestProtocol("asked", 10, 4 << 20, 6.0)


@pytest.mark.parametrize(("protected", "ends_after_s"), [(False, 4.2), (True, 8.0)])
async def test_a_stranger_reads_its_answer_steadily(
    autojump_clock: trio.testing.MockClock, protected: bool, ends_after_s: float
) -> None:
    """Or it goes within seconds, for its answer keeps room from others; who is protected has the
    whole time."""
    limits = NetworkLimits(answer_grace_s=2.0)
    async with session(limits) as (ours, peer, reports), trio.open_nursery() as nursery:

        async def answer(_: PeerId, __: bytes) -> bytes:
            return bytes(4 << 20)

        ours._protocols.requests[ASKED.name] = (ASKED, answer)
        ours._talk = replace(ours._talk, is_protected=lambda _: protected)
        nursery.start_soon(ours.run)
        await peer.accepted.receive()
        stream = peer.open_stream()
        await multistream.propose(stream, "/x/asked/1")
        await stream.send(frame(b""))
        began = trio.current_time()
        for _ in range(5):
            await stream.receive_exactly(600_000)
            await trio.sleep(0.5)
        assert ours.ended is None, "slow, and steady"
        while ours.ended is None:
            await trio.sleep(0.1)
        assert ours.ended == "it does not read what it asked for"
        assert trio.current_time() - began == pytest.approx(ends_after_s, abs=0.8)
        assert reports == [(ours.peer, SLOW_READER, "asked: an unread answer")]


async def test_small_answers_that_do_not_leave_this_node_are_not_taken(
    autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is small enough to wait in the muxer; they count until they have left."""
    limits = NetworkLimits(answer_grace_s=2.0, yamux=YamuxLimits(write_stall_s=1000))
    async with session(limits) as (ours, peer, reports), trio.open_nursery() as nursery:

        async def answer(_: PeerId, __: bytes) -> bytes:
            monkeypatch.setattr(ours._mux._channel, "send", lambda _: trio.sleep_forever())
            return bytes(1000)

        ours._protocols.requests[ASKED.name] = (ASKED, answer)
        nursery.start_soon(ours.run)
        await peer.accepted.receive()
        streams = [peer.open_stream() for _ in range(3)]
        for stream in streams:
            await multistream.propose(stream, "/x/asked/1")
        for stream in streams:
            await stream.send(frame(b""))
        await trio.sleep(1)
        assert ours._account.reserved == 3 * 1005
        await trio.sleep(2)
        assert ours.ended == "it does not read what it asked for"
        assert set(reports) == {(ours.peer, SLOW_READER, "asked: an unread answer")}


async def test_a_session_begins_with_its_part_of_a_burst(
    autojump_clock: trio.testing.MockClock,
) -> None:
    limits = NetworkLimits(messages_per_s=10, messages_burst=100)
    for burst, waits_s in ((1.0, 0.0), (0.5, 5.0)):
        async with session(limits, burst) as (ours, _, reports):
            began = trio.current_time()
            for _ in range(100):
                await ours._throttle(1)
            assert trio.current_time() - began == pytest.approx(waits_s, abs=0.2)
            assert bool(reports) == (waits_s > 0)


async def test_what_waited_while_its_session_ended_is_not_heard(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A notification and a request that came beyond the rate, and were held up."""
    limits = NetworkLimits(messages_per_s=0.5, messages_burst=1)
    heard: list[object] = []

    async def answer(_: PeerId, payload: bytes) -> bytes:
        heard.append(payload)
        return b""

    async with session(limits) as (ours, peer, _), trio.open_nursery() as nursery:
        ours._protocols.notifications[TOLD.name] = (TOLD, heard.append)
        ours._protocols.requests[ASKED.name] = (ASKED, answer)
        nursery.start_soon(ours.run)
        telling, asking = peer.open_stream(), peer.open_stream()
        await multistream.propose(telling, "/x/told/1")
        await multistream.propose(asking, "/x/asked/1")
        await telling.send(frame(b"in time"))
        await trio.testing.wait_all_tasks_blocked()
        await telling.send(frame(b"held up"))
        await asking.send(frame(b"held up"))
        await trio.testing.wait_all_tasks_blocked()
        ours.abort("enough")
    told = [each.payload for each in heard if isinstance(each, Notification)]
    assert told == [b"in time"]
    assert b"held up" not in heard


async def test_notifications_that_come_in_one_go_leave_turns_to_others() -> None:
    in_a_row = [0]

    def hear(event: NetworkEvent) -> None:
        in_a_row[-1] += isinstance(event, Notification)

    async def others() -> None:
        while True:
            in_a_row.append(0)
            await trio.lowlevel.checkpoint()

    async with session(NetworkLimits()) as (ours, peer, _), trio.open_nursery() as nursery:
        ours._protocols.notifications[TOLD.name] = (TOLD, hear)
        nursery.start_soon(ours.run)
        nursery.start_soon(others)
        telling = peer.open_stream()
        await multistream.propose(telling, "/x/told/1")
        await telling.send(1000 * frame(b"small"))
        while sum(in_a_row) < 1000:
            await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    assert max(in_a_row) <= 2
