"""Streams over one connection: bounded, in order, and indifferent to each other's troubles."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import cast

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from parahost.network.errors import PeerError
from parahost.network.holdings import Holdings
from parahost.network.limits import NetworkLimits, YamuxLimits
from parahost.network.secure import SecureChannel
from parahost.network.yamux import INITIAL_WINDOW, WINDOW, Stream, Yamux
from parahost.primitives.basic import PeerId

QUICK = YamuxLimits(ping_interval_s=0.02, max_silent_pings=3, write_stall_s=0.2)


class PlainChannel:
    """A channel without encryption, over a pair of streams in memory."""

    def __init__(self, stream: trio.abc.Stream, initiator: bool) -> None:
        self._stream = stream
        self.peer = PeerId("responder" if initiator else "initiator")
        self.initiator = initiator

    async def receive(self) -> bytes:
        try:
            data = await self._stream.receive_some(7_919)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise PeerError("broken") from error
        if not data:
            raise PeerError("closed")
        return bytes(data)

    async def send(self, data: bytes) -> None:
        try:
            await self._stream.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise PeerError("broken") from error

    async def aclose(self) -> None:
        await self._stream.aclose()


def muxed(
    stream: trio.abc.Stream,
    *,
    initiator: bool,
    limits: YamuxLimits,
    holdings: Holdings | None = None,
) -> Yamux:
    holdings = holdings or Holdings(NetworkLimits())
    return Yamux(cast(SecureChannel, PlainChannel(stream, initiator)), limits, holdings)


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[Yamux, Yamux]]:
    ours, theirs = trio.testing.memory_stream_pair()
    left = muxed(ours, initiator=True, limits=YamuxLimits())
    right = muxed(theirs, initiator=False, limits=YamuxLimits())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(left.run)
        nursery.start_soon(right.run)
        with trio.fail_after(20):
            yield left, right
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def against_bytes(
    limits: YamuxLimits,
) -> AsyncIterator[tuple[Yamux, trio.StapledStream]]:
    """A connection whose other end is in the test's hands, byte by byte."""
    ours, theirs = trio.testing.memory_stream_pair()
    mux = muxed(ours, initiator=False, limits=limits)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(mux.run)
        with trio.fail_after(20):
            yield mux, theirs
        nursery.cancel_scope.cancel()


def header(kind: int, flags: int, stream: int, length: int) -> bytes:
    return struct.pack(">BBHII", 0, kind, flags, stream, length)


async def ended(mux: Yamux) -> str:
    while mux.ended is None:
        await trio.sleep(0.005)
    return mux.ended


@given(st.lists(st.integers(0, 2 * WINDOW), max_size=4))
@settings(max_examples=15, deadline=None)
def test_what_is_sent_arrives(sizes: list[int]) -> None:
    async def main() -> None:
        async with connected() as (left, right):

            async def send(stream: Stream, size: int) -> None:
                await stream.send(size.to_bytes(4, "little") + bytes((size % 251,)) * size)
                stream.finish()

            async def receive(stream: Stream) -> None:
                size = int.from_bytes(await stream.receive_exactly(4), "little")
                arrived.append(size)
                assert await stream.receive_exactly(size) == bytes((size % 251,)) * size
                with pytest.raises(PeerError, match="finished"):
                    await stream.receive_exactly(1)

            arrived: list[int] = []
            async with trio.open_nursery() as nursery:
                for size in sizes:
                    nursery.start_soon(send, left.open_stream(), size)
                for _ in sizes:
                    nursery.start_soon(receive, await right.accepted.receive())
            assert sorted(arrived) == sorted(sizes)

    trio.run(main)


async def test_a_stream_that_is_not_read_stalls_only_itself(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with connected() as (left, right):
        stalled, lively = left.open_stream(), left.open_stream()
        with trio.move_on_after(0.1) as scope:
            await stalled.send(bytes(2 * INITIAL_WINDOW))
        assert scope.cancelled_caught
        await lively.send(b"hello")
        unread = await right.accepted.receive()
        read = await right.accepted.receive()
        assert await read.receive_exactly(5) == b"hello"
        assert await unread.receive_exactly(INITIAL_WINDOW) == bytes(INITIAL_WINDOW)


async def test_a_cancelled_send_harms_only_its_stream() -> None:
    async with connected() as (left, right):
        stream = left.open_stream()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stream.send, bytes(3 * INITIAL_WINDOW))
            await trio.testing.wait_all_tasks_blocked(0.01)
            nursery.cancel_scope.cancel()
        stream.reset()
        other = left.open_stream()
        await other.send(b"still here")
        first, second = await right.accepted.receive(), await right.accepted.receive()
        assert await second.receive_exactly(10) == b"still here"
        with pytest.raises(PeerError, match="reset by the peer"):
            await first.receive_exactly(3 * INITIAL_WINDOW)


async def test_streams_beyond_the_limit_are_reset() -> None:
    async with against_bytes(YamuxLimits(max_incoming_streams=2)) as (mux, wire):
        for number in (1, 3, 5):
            await wire.send_all(header(1, 1, number, 0))
        answers = b""
        while len(answers) < 36:
            answers += await wire.receive_some(100)
        assert answers[24:36] == header(1, 8, 5, 0)
        assert mux.ended is None


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\x01" + bytes(11), "version"),
        (header(9, 0, 0, 0), "type 9"),
        (header(0, 1, 1, 0xFFFF_FFFF), "any window"),
        (header(0, 0, 77, WINDOW + 1), "any window"),
        (header(1, 1, 1, 0) + header(0, 0, 1, INITIAL_WINDOW + 1), "than the window"),
        (header(1, 1, 1, 0) + header(1, 1, 1, 0), "new stream"),
        (header(1, 1, 2, 0), "new stream"),
        (header(1, 1, 0, 0), "new stream"),
        (header(1, 5, 1, 0) + header(0, 0, 1, 1) + b"x", "after the end"),
    ],
)
async def test_violations_end_the_connection(data: bytes, why: str) -> None:
    async with against_bytes(YamuxLimits()) as (mux, wire):
        await wire.send_all(data)
        assert why in await ended(mux)
        assert mux.violated


@given(
    st.lists(
        st.binary(max_size=64)
        | st.builds(
            header, st.integers(0, 4), st.integers(0, 15), st.integers(0, 6), st.integers(0, 40)
        ),
        max_size=12,
    )
)
@settings(max_examples=150, deadline=None)
def test_garbage_ends_in_order(parts: list[bytes]) -> None:
    async def main() -> None:
        async with against_bytes(YamuxLimits()) as (mux, wire):
            with trio.move_on_after(5):
                async with trio.open_nursery() as nursery:

                    async def drain() -> None:
                        while await wire.receive_some(4096):
                            pass

                    nursery.start_soon(drain)
                    try:
                        await wire.send_all(b"".join(parts))
                        await wire.send_stream.aclose()
                    except (trio.BrokenResourceError, trio.ClosedResourceError):
                        pass
                    await ended(mux)
            assert mux.ended is not None

    trio.run(main)


async def test_a_silent_peer_is_given_up(autojump_clock: trio.testing.MockClock) -> None:
    async with against_bytes(QUICK) as (mux, _wire):
        assert await ended(mux) == "the peer is silent"


async def test_a_peer_that_answers_pings_is_kept(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with against_bytes(QUICK) as (mux, wire):
        for _ in range(20):
            ping = b""
            while len(ping) < 12:
                ping += await wire.receive_some(12 - len(ping))
            await wire.send_all(header(2, 2, 0, int.from_bytes(ping[8:], "big")))
        assert mux.ended is None


async def test_a_peer_that_does_not_read_is_given_up(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """It pings, so it is not silent. One that reads on at the last moment stays."""
    for pause_s, why in ((14.0, None), (16.0, "the peer does not read")):
        left, right = trio.testing.lockstep_stream_pair()  # its writer waits for its reader
        mux = muxed(left, initiator=False, limits=YamuxLimits(ping_interval_s=1000))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(mux.run)
            await right.send_all(header(2, 1, 0, 7))
            await trio.sleep(pause_s)
            if mux.ended is None:
                await right.receive_some(100)
            assert mux.ended == why
            nursery.cancel_scope.cancel()


async def test_one_stream_queues_so_much_that_others_wait_little() -> None:
    """A stream that sends all that its window allows leaves the connection to another one after
    64,000 bytes."""
    left, right = trio.testing.lockstep_stream_pair()
    mux = muxed(left, initiator=True, limits=YamuxLimits())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(mux.run)
        nursery.start_soon(mux.open_stream().send, bytes(INITIAL_WINDOW))
        await trio.testing.wait_all_tasks_blocked()
        await mux.open_stream().send(b"hello")
        before = b""
        with trio.fail_after(20):
            while b"hello" not in before:
                before += await right.receive_some(1000)
        assert 64_000 < before.index(b"hello") < 64_100
        nursery.cancel_scope.cancel()


async def test_a_flood_of_pings_without_reading_is_bounded(
    autojump_clock: trio.testing.MockClock,
) -> None:
    left, right = trio.testing.lockstep_stream_pair()  # its writer waits for its reader
    mux = muxed(left, initiator=False, limits=YamuxLimits(write_stall_s=60))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(mux.run)
        with trio.fail_after(20):
            with suppress(trio.BrokenResourceError):
                while mux.ended is None:
                    with trio.move_on_after(0.5):
                        await right.send_all(header(2, 1, 0, 0) * 1000)
            await ended(mux)
        assert mux.ended == "the peer does not read"
        nursery.cancel_scope.cancel()


async def test_so_many_frames_wait_for_a_peer() -> None:
    left, right = trio.testing.lockstep_stream_pair()  # its writer waits for its reader
    limits = YamuxLimits(frames_burst=1_000_000, ping_interval_s=1000, write_stall_s=1000)
    mux = muxed(left, initiator=False, limits=limits)
    ping = header(2, 1, 0, 7)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(mux.run)
        await right.send_all(ping)  # its answer is on its way, and waits no more
        await trio.testing.wait_all_tasks_blocked()
        await right.send_all(ping * 10_000)
        await trio.testing.wait_all_tasks_blocked()
        assert mux.ended is None
        with suppress(trio.BrokenResourceError):
            await right.send_all(ping)
        assert mux.ended == "the peer does not read"
        nursery.cancel_scope.cancel()


async def test_nothing_is_looked_at_after_the_end() -> None:
    """Pings whose answers are not read end the connection amidst a message; what else is in it,
    such as a stream's opening, meets a muxer that is over."""
    left, right = trio.testing.lockstep_stream_pair()
    limits = YamuxLimits(
        write_stall_s=60, frames_burst_of_stranger=1_000_000, max_incoming_streams=100_000
    )
    mux = muxed(left, initiator=False, limits=limits)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(mux.run)
        with trio.fail_after(20), suppress(trio.BrokenResourceError):
            for number in range(1, 50_000, 2):
                await right.send_all(header(2, 1, 0, 7) * 50 + header(1, 1, number, 0))
                if mux.ended is not None:
                    break
        nursery.cancel_scope.cancel()
    assert mux.ended == "the peer does not read"
    assert mux.failure is None


@pytest.mark.parametrize(
    "frames",
    [
        header(1, 1, 1, 0),
        header(0, 1, 1, 5) + b"hello",
        header(9, 0, 0, 0),
        header(3, 0, 0, 0),
        header(0, 0, 2, 5) + b"hello",
    ],
    ids=["opening", "opening-with-data", "violation", "goodbye", "data"],
)
async def test_what_comes_in_the_turn_of_the_end_is_not_looked_at(frames: bytes) -> None:
    """Another task ends the connection in the turn in which bytes have come."""

    class LastWords(PlainChannel):
        async def receive(self) -> bytes:
            mux.abort("banned")
            return frames

    channel = LastWords(trio.testing.memory_stream_pair()[0], initiator=False)
    mux = Yamux(cast(SecureChannel, channel), YamuxLimits(), Holdings(NetworkLimits()))
    stream = mux.open_stream()
    with trio.fail_after(20):
        await mux.run()
    assert (mux.ended, mux.failure, mux.violated) == ("banned", None, False)
    with pytest.raises(PeerError, match="banned"):
        await stream.receive_exactly(1)


@pytest.mark.parametrize("part", ["receive", "send"])
async def test_what_fails_in_the_muxer_ends_its_connection_only(
    monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    async def fail(*_: object) -> None:
        await trio.sleep(0.01)
        raise ZeroDivisionError("planted")

    monkeypatch.setattr(PlainChannel, part, fail)
    async with against_bytes(QUICK) as (mux, _wire):
        assert await ended(mux) == "this node failed"
        assert isinstance(mux.failure, ZeroDivisionError)


@pytest.mark.parametrize(
    "frame",
    [
        header(0, 0, 9, 0),
        header(1, 0, 9, 1),
        header(1, 8, 9, 0),
        header(2, 2, 0, 7),
        header(0, 0, 9, 1) + b"x",
    ],
    ids=["empty", "window", "reset", "ping", "tiny"],
)
async def test_frames_beyond_the_rate_are_read_later(
    autojump_clock: trio.testing.MockClock, frame: bytes
) -> None:
    limits = YamuxLimits(frames_per_s=100, frames_burst_of_stranger=100, ping_interval_s=1000)
    async with against_bytes(limits) as (mux, wire):
        await wire.send_all(frame * 600 + header(2, 1, 0, 7))
        assert await wire.receive_some(100) == header(2, 2, 0, 7)
        assert 4.5 <= trio.current_time() <= 6
        assert mux.ended is None


@pytest.mark.parametrize(("burst", "beyond"), [(1.0, 0), (0.5, 100), (0.0, 200)])
async def test_a_session_may_send_more_at_once_than_a_stranger(
    autojump_clock: trio.testing.MockClock, burst: float, beyond: int
) -> None:
    limits = YamuxLimits(
        frames_per_s=100, frames_burst=200, frames_burst_of_stranger=50, ping_interval_s=1000
    )
    ping = header(2, 1, 0, 7)
    async with against_bytes(limits) as (mux, wire):
        await wire.send_all(header(1, 0, 9, 1) * 149 + ping)
        assert await wire.receive_some(100) == header(2, 2, 0, 7)
        assert 0.9 <= trio.current_time() <= 1.1, "150 frames, 50 at once"
        mux.becomes_session(burst)
        await wire.send_all(header(1, 0, 9, 1) * 199 + ping)
        assert await wire.receive_some(100) == header(2, 2, 0, 7)
        assert trio.current_time() == pytest.approx(1 + beyond / 100, abs=0.1)


async def test_opening_a_stream_counts_for_many_frames(
    autojump_clock: trio.testing.MockClock,
) -> None:
    limits = YamuxLimits(frames_per_s=100, frames_burst_of_stranger=100, ping_interval_s=1000)
    async with against_bytes(limits) as (mux, wire):
        await wire.send_all(b"".join(header(1, 1 | 8, n, 0) for n in range(1, 60, 2)))
        await wire.send_all(header(2, 1, 0, 7))
        answers = b""
        while header(2, 2, 0, 7) not in answers:
            answers += await wire.receive_some(10_000)
        assert trio.current_time() >= (30 * limits.frames_of_a_stream - 100) / 100 - 1
        assert mux.ended is None


async def test_a_flood_of_frames_leaves_turns_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """However much has come in one go, other tasks run after every few hundred frames."""
    in_a_row: list[int] = [0]
    taken = Yamux._on_stream_frame

    def count(mux: Yamux, *frame: int) -> None:
        in_a_row[-1] += 1
        taken(mux, *frame)

    async def others() -> None:
        while True:
            in_a_row.append(0)
            await trio.lowlevel.checkpoint()

    class Flood(PlainChannel):
        async def receive(self) -> bytes:
            await trio.lowlevel.checkpoint()
            return header(1, 0, 9, 1) * 5000

    monkeypatch.setattr(Yamux, "_on_stream_frame", count)
    channel = Flood(trio.testing.memory_stream_pair()[0], initiator=False)
    limits = YamuxLimits(frames_burst_of_stranger=20_000)
    mux = Yamux(cast(SecureChannel, channel), limits, Holdings(NetworkLimits()))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(mux.run)
        nursery.start_soon(others)
        while sum(in_a_row) < 20_000:
            await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    assert max(in_a_row) <= 1000  # of 5,000 that come in one go


# What is held.


async def filled(mux: Yamux, wire: trio.StapledStream, number: int, size: int) -> None:
    """A stream with so many bytes that nobody reads."""
    await wire.send_all(header(0, 1, number, size) + bytes(size))


async def test_a_stranger_may_make_us_hold_little_and_a_peer_more() -> None:
    holdings = Holdings(NetworkLimits(held_bytes_of_stranger=1000, held_bytes_of_peer=3000))
    for accepted, size, survives in (
        (False, 1000, True),
        (False, 1001, False),
        (True, 3000, True),
        (True, 3001, False),
    ):
        ours, theirs = trio.testing.memory_stream_pair()
        mux = muxed(ours, initiator=False, limits=YamuxLimits(), holdings=holdings)
        if accepted:
            mux.account.accepted("192.0.2.1", lambda: False)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(mux.run)
            await filled(mux, theirs, 1, size - 600)
            await filled(mux, theirs, 3, 600)
            await trio.testing.wait_all_tasks_blocked(0.01)
            assert (mux.ended is None) is survives
            assert holdings.held == (size if survives else 0)
            nursery.cancel_scope.cancel()
        assert holdings.held == 0


async def test_who_holds_most_goes_when_all_hold_too_much() -> None:
    holdings = Holdings(NetworkLimits(held_bytes=5000))
    ends = [trio.testing.memory_stream_pair() for _ in range(3)]
    light, heavy, last = (
        muxed(ours, initiator=False, limits=YamuxLimits(), holdings=holdings) for ours, _ in ends
    )
    async with trio.open_nursery() as nursery:
        for mux in (light, heavy, last):
            nursery.start_soon(mux.run)
        for mux, (_, theirs), size in zip(
            (light, heavy, last), ends, (500, 4000, 501), strict=True
        ):
            await filled(mux, theirs, 1, size)
            await trio.testing.wait_all_tasks_blocked(0.01)
        assert (light.ended, last.ended) == (None, None)
        assert heavy.ended is not None
        assert "most" in heavy.ended
        assert holdings.held == 1001
        nursery.cancel_scope.cancel()


async def test_what_strangers_send_unasked_is_bounded_in_all() -> None:
    """Who sent most of it goes. Answers that we asked for do not count, nor do the protected."""
    holdings = Holdings(NetworkLimits(unasked_bytes=1000))
    ends = [trio.testing.memory_stream_pair() for _ in range(3)]
    validator, light, heavy = (
        muxed(ours, initiator=False, limits=YamuxLimits(), holdings=holdings) for ours, _ in ends
    )
    validator.account.accepted("192.0.2.2", lambda: True)
    async with trio.open_nursery() as nursery:
        for mux, (_, theirs), size in zip(
            (validator, light, heavy), ends, (5000, 300, 700), strict=True
        ):
            nursery.start_soon(mux.run)
            await filled(mux, theirs, 1, size)
            await trio.testing.wait_all_tasks_blocked(0.01)
        answer = light.open_stream()
        await ends[1][1].send_all(header(0, 0, 2, 3000) + bytes(3000))
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert (validator.ended, light.ended, heavy.ended) == (None, None, None)
        assert holdings.unasked == 1000
        await filled(light, ends[1][1], 3, 1)
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert (validator.ended, light.ended) == (None, None)
        assert heavy.ended is not None
        assert "unasked" in heavy.ended
        assert holdings.unasked == 301
        answer.reset()
        nursery.cancel_scope.cancel()
    assert (holdings.held, holdings.unasked) == (0, 0)


async def test_what_is_read_is_held_no_more_and_half_a_message_is() -> None:
    holdings = Holdings(NetworkLimits())
    ours, theirs = trio.testing.memory_stream_pair()
    mux = muxed(ours, initiator=False, limits=YamuxLimits(), holdings=holdings)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(mux.run)
        await filled(mux, theirs, 1, 700)
        stream = await mux.accepted.receive()
        nursery.start_soon(stream.receive_exactly, 1000)
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert holdings.held == 700
        await theirs.send_all(header(0, 0, 1, 400) + bytes(400))
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert holdings.held == 100
        stream.ignore_input()
        assert holdings.held == 0
        await theirs.send_all(header(0, 0, 1, 400) + bytes(400))
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert holdings.held == 0
        nursery.cancel_scope.cancel()
