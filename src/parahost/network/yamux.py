"""yamux 1.0: many streams on one connection, each with its own flow control.

Our own: py-libp2p's muxer accepts more than the window it granted (so a peer decides how much
memory we use), polls for window updates, and loses the connection when a write is cancelled. Here
each connection has one task that reads and one that writes; what a stream has queued or buffered is
bounded; cancelling a stream's operation harms that stream only.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Awaitable, Callable

import trio

from parahost.network.errors import PeerError, ProtocolViolation
from parahost.network.holdings import Holdings
from parahost.network.limits import YamuxLimits
from parahost.network.secure import MAX_PLAINTEXT, SecureChannel
from parahost.token_bucket import TokenBucket

PROTOCOL = "/yamux/1.0.0"
_HEADER = struct.Struct(">BBHII")
_DATA, _WINDOW_UPDATE, _PING, _GO_AWAY = range(4)
_SYN, _ACK, _FIN, _RST = 1, 2, 4, 8

INITIAL_WINDOW = 256 * 1024
"""What the specification grants each new stream, in bytes."""
WINDOW = 1024 * 1024
"""What we grant the other side of a stream that we opened, in bytes."""
MAX_FRAME = 16_000
"""Data per frame that we send, so that streams take turns and four frames fill a message."""
MAX_UNSENT = 64_000
"""What one stream may have queued for the connection, in bytes."""
MAX_QUEUED_FRAMES = 10_000
"""A peer that makes us answer this often without reading the answers is dropped."""
_FRAMES_PER_TURN = 256
"""So many frames are looked at before other tasks have a turn: about a millisecond."""
_LEAST_WAIT_S = 0.02
"""Shorter waits are put off until they add up."""


class Stream:
    """One stream: ordered bytes both ways. One task sends and one receives at a time."""

    def __init__(self, connection: Yamux, stream_id: int, receive_window: int) -> None:
        self._connection = connection
        self._account = connection.account
        self._is_unasked = not connection.is_ours(stream_id)
        self._id = stream_id
        self._receive_window = receive_window
        self._ungranted = 0
        self._grant_at = receive_window // 2
        self._buffer = bytearray()
        self._ignores_input = False
        self._send_window = INITIAL_WINDOW
        self._unsent = 0
        self._changed = trio.Event()
        self._finished = False
        self._peer_finished = False
        self._failure: str | None = None

    async def receive_exactly(self, count: int) -> bytes:
        """Exactly so many bytes. What arrived before the stream ended can still be read.

        :raises PeerError: when the stream ends before.
        """
        parts: list[bytes] = []
        missing = count
        try:
            while missing:
                while not self._buffer:
                    if self._failure is not None:
                        raise PeerError(self._failure)
                    if self._peer_finished:
                        raise PeerError("the peer finished the stream")
                    await self._wait()
                part = self._take(min(missing, len(self._buffer)))
                parts.append(part)
                missing -= len(part)
        finally:
            self._account.release(count - missing, unasked=self._is_unasked)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def send(self, data: bytes) -> None:
        """Send all of it, as fast as the peer and the connection take it. When it is cancelled,
        a part may have been sent: then the stream is good only for ``reset``.

        :raises PeerError: when the stream is over.
        """
        view = memoryview(data)
        while view:
            if self._failure is not None:
                raise PeerError(self._failure)
            room = min(self._send_window, MAX_UNSENT - self._unsent, MAX_FRAME)
            if room <= 0:
                await self._wait()
                continue
            part = bytes(view[:room])
            view = view[room:]
            self._send_window -= len(part)
            self._unsent += len(part)
            self._connection.queue_data(self, self._id, part)

    async def flush(self) -> None:
        """Wait until all that was sent has left this node.

        :raises PeerError: when the stream is over.
        """
        while self._unsent:
            if self._failure is not None:
                raise PeerError(self._failure)
            await self._wait()

    def finish(self) -> None:
        """Say that nothing more will be sent."""
        if not self._finished and self._failure is None:
            self._finished = True
            self._connection.queue(_WINDOW_UPDATE, _FIN, self._id, 0)
            self._forget_if_done()

    def reset(self) -> None:
        """End both directions at once; a stream that is done stays done."""
        if self._failure is None and not (self._finished and self._peer_finished):
            self._connection.queue(_WINDOW_UPDATE, _RST, self._id, 0)
            self._connection.forget(self._id)
        self.fail("the stream was reset by us", discard=True)

    def ignore_input(self) -> None:
        """Whatever else the peer sends is dropped."""
        self._ignores_input = True
        self._drop_buffer()

    # What the connection tells its stream.

    def fail(self, why: str, *, discard: bool = False) -> None:
        if self._failure is None:
            self._failure = why
        if discard:
            self._drop_buffer()
        self._notice()

    def deliver(self, data: bytes) -> None:
        if self._peer_finished:
            raise ProtocolViolation("data after the end of a stream")
        self._receive_window -= len(data)
        if self._ignores_input:
            return
        self._buffer += data
        self._notice()
        self._account.hold(len(data), unasked=self._is_unasked)

    def check_window(self, length: int) -> None:
        if length > self._receive_window:
            raise ProtocolViolation("more data than the window allows")

    def widen(self, increment: int) -> None:
        self._send_window = min(self._send_window + increment, 0xFFFF_FFFF)
        self._notice()

    def peer_finished(self) -> None:
        self._peer_finished = True
        self._forget_if_done()
        self._notice()

    def written(self, size: int) -> None:
        self._unsent -= size
        self._notice()

    def _take(self, count: int) -> bytes:
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        self._ungranted += count
        if self._ungranted >= self._grant_at and self._failure is None and not self._peer_finished:
            self._connection.queue(_WINDOW_UPDATE, 0, self._id, self._ungranted)
            self._receive_window += self._ungranted
            self._ungranted = 0
        return data

    def _drop_buffer(self) -> None:
        self._account.release(len(self._buffer), unasked=self._is_unasked)
        self._buffer.clear()

    def _forget_if_done(self) -> None:
        if self._finished and self._peer_finished:
            self._connection.forget(self._id)

    def _notice(self) -> None:
        self._changed.set()

    async def _wait(self) -> None:
        # Sender and receiver may both wait: each looks again at whatever changed.
        if self._changed.is_set():
            self._changed = trio.Event()
        await self._changed.wait()


class _Inbox:
    """What has come over a channel and is not looked at yet.

    :param receive: the channel's next bytes; raises when there are none to act on.
    """

    def __init__(self, receive: Callable[[], Awaitable[bytes]]) -> None:
        self._receive = receive
        self._buffer = bytearray()

    async def exactly(self, count: int) -> bytes:
        while len(self._buffer) < count:
            self._buffer += await self._receive()
        return self._take(count)

    async def some(self, at_most: int) -> bytes:
        if not self._buffer:
            self._buffer += await self._receive()
        return self._take(at_most)

    def _take(self, count: int) -> bytes:
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        return data


class _SteadyClock:
    """Time that nobody sets."""

    def now(self) -> float:
        return trio.current_time()

    async def sleep(self, seconds: float) -> None:
        await trio.sleep(seconds)


class Yamux:
    """The streams of one connection. ``run`` carries them until the connection ends.

    :param holdings: where what the peer makes us hold is counted.
    """

    def __init__(self, channel: SecureChannel, limits: YamuxLimits, holdings: Holdings) -> None:
        self._channel = channel
        self._limits = limits
        self.account = holdings.open(self.abort)
        self._clock = _SteadyClock()
        self._pace = TokenBucket(self._clock, limits.frames_per_s, limits.frames_burst_of_stranger)
        self._frames_in_turn = 0
        self._streams: dict[int, Stream] = {}
        self._next_id = 1 if channel.initiator else 2
        self._incoming_count = 0
        self._queue: deque[tuple[bytes, Stream | None]] = deque()
        self._queued = trio.Event()
        self._received_any = False
        self._scope = trio.CancelScope()
        self._send_accepted, self.accepted = trio.open_memory_channel[Stream](
            limits.max_incoming_streams
        )
        """``accepted`` yields the streams that the peer opens, until the connection ends."""
        self.peer = channel.peer
        self.initiator = channel.initiator
        self.ended: str | None = None
        """Why the connection ended, once it has."""
        self.violated = False
        """Whether it ended because the peer broke the protocol."""
        self.failure: Exception | None = None
        """What this node failed at, if that ended it."""

    async def run(self) -> None:
        """Carry the streams. Returns when the connection is over, for whatever reason."""
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    for part in (self._read, self._write, self._ping):
                        nursery.start_soon(self._until_over, part)
        finally:
            self._end("the connection was closed", discard=False)
            with trio.CancelScope(shield=True):
                await self._channel.aclose()

    def becomes_session(self, burst: float) -> None:
        """The handshake is done; ``burst`` of a full one may come at once, from 0 to 1."""
        limits = self._limits
        self._pace = TokenBucket(
            self._clock, limits.frames_per_s, limits.frames_burst, filled=burst
        )

    def open_stream(self) -> Stream:
        """Open a stream; the peer learns of it with what is sent first.

        :raises PeerError: when the connection is over.
        """
        if self.ended is not None:
            raise PeerError(self.ended)
        stream = Stream(self, self._next_id, WINDOW)
        self._streams[self._next_id] = stream
        self.queue(_WINDOW_UPDATE, _SYN, self._next_id, WINDOW - INITIAL_WINDOW)
        self._next_id += 2
        return stream

    def abort(self, why: str) -> None:
        """End the connection now; what was received and not yet read is dropped."""
        self._end(why, discard=True)

    def queue(self, kind: int, flags: int, stream_id: int, value: int) -> None:
        """Queue a frame without data."""
        self._put(_HEADER.pack(0, kind, flags, stream_id, value), None)

    def queue_data(self, sender: Stream, stream_id: int, data: bytes) -> None:
        """Queue a frame of data; its sender hears when it is written."""
        self._put(_HEADER.pack(0, _DATA, 0, stream_id, len(data)) + data, sender)

    def _put(self, frame: bytes, sender: Stream | None) -> None:
        if self.ended is not None:
            return
        if len(self._queue) >= MAX_QUEUED_FRAMES:
            self._end("the peer does not read", discard=True)
            return
        self._queue.append((frame, sender))
        self._queued.set()

    def forget(self, stream_id: int) -> None:
        if self._streams.pop(stream_id, None) is not None and not self.is_ours(stream_id):
            self._incoming_count -= 1

    def is_ours(self, stream_id: int) -> bool:
        return (stream_id % 2 == 1) == self.initiator

    def _end(self, why: str, *, discard: bool) -> None:
        if self.ended is None:
            self.ended = why
        self._send_accepted.close()
        streams, self._streams = list(self._streams.values()), {}
        for stream in streams:
            stream.fail(self.ended, discard=discard)
        self._scope.cancel()
        self.account.close()

    async def _until_over(self, part: Callable[[], Awaitable[None]]) -> None:
        try:
            await part()
        except ProtocolViolation as error:
            self.violated = True
            self._end(str(error), discard=True)
        except PeerError as error:
            self._end(str(error), discard=False)
        except Exception as error:
            self.failure = error
            self._end("this node failed", discard=True)

    async def _write(self) -> None:
        while True:
            if not self._queue:
                self._queued = trio.Event()
                await self._queued.wait()
            batch = bytearray()
            writers: list[tuple[Stream, int]] = []
            while self._queue and len(batch) + len(self._queue[0][0]) <= MAX_PLAINTEXT:
                data, stream = self._queue.popleft()
                batch += data
                if stream is not None:
                    writers.append((stream, len(data) - _HEADER.size))
            with trio.move_on_after(self._limits.write_stall_s) as scope:
                await self._channel.send(bytes(batch))
            if scope.cancelled_caught:
                raise PeerError("the peer does not read")
            for stream, size in writers:
                stream.written(size)

    async def _ping(self) -> None:
        silent = 0
        nonce = 0
        while True:
            await trio.sleep(self._limits.ping_interval_s)
            silent = 0 if self._received_any else silent + 1
            self._received_any = False
            if silent >= self._limits.max_silent_pings:
                raise PeerError("the peer is silent")
            nonce += 1
            self.queue(_PING, _SYN, 0, nonce & 0xFFFF_FFFF)

    async def _read(self) -> None:
        inbox = _Inbox(self._receive)
        while self.ended is None:
            header = await inbox.exactly(_HEADER.size)
            self._received_any = True
            version, kind, flags, stream_id, length = _HEADER.unpack(header)
            if version != 0:
                raise ProtocolViolation(f"yamux version {version}")
            if kind == _DATA:
                await self._on_data(inbox, flags, stream_id, length)
            elif kind == _WINDOW_UPDATE:
                self._on_stream_frame(flags, stream_id, length)
            elif kind == _PING:
                if flags & _SYN:
                    self.queue(_PING, _ACK, 0, length)
            elif kind == _GO_AWAY:
                raise PeerError("the peer went away")
            else:
                raise ProtocolViolation(f"yamux frame of type {kind}")
            await self._slow_down(opens_stream=kind in (_DATA, _WINDOW_UPDATE) and flags & _SYN)

    async def _receive(self) -> bytes:
        """:raises PeerError: when the connection is over, be it that it ended just now, in the same
        turn in which these bytes came: nothing is acted on after the end."""
        data = await self._channel.receive()
        if self.ended is not None:
            raise PeerError(self.ended)
        return data

    async def _on_data(self, inbox: _Inbox, flags: int, stream_id: int, length: int) -> None:
        missing = self._checked_length(flags, stream_id, length)
        if flags & _SYN:
            self._accept(stream_id)
        while missing and self.ended is None:
            data = await inbox.some(missing)
            self._received_any = True
            missing -= len(data)
            stream = self._streams.get(stream_id)
            if stream is not None:  # else it is the rest of a stream that we reset
                stream.deliver(data)
        self._on_stream_frame(flags & ~_SYN, stream_id, 0)

    async def _slow_down(self, *, opens_stream: int) -> None:
        """A frame without data costs its sender as much as one with data; nobody else waits."""
        wait_s = self._pace.take(self._limits.frames_of_a_stream if opens_stream else 1)
        self._frames_in_turn += 1
        if wait_s >= _LEAST_WAIT_S:
            await self._clock.sleep(wait_s)
        elif self._frames_in_turn >= _FRAMES_PER_TURN:
            await trio.lowlevel.checkpoint()
        else:
            return
        self._frames_in_turn = 0

    def _checked_length(self, flags: int, stream_id: int, length: int) -> int:
        stream = self._streams.get(stream_id)
        if stream is not None:
            stream.check_window(length)
        elif length > (INITIAL_WINDOW if flags & _SYN else WINDOW):
            raise ProtocolViolation("more data than any window allows")
        return length

    def _on_stream_frame(self, flags: int, stream_id: int, increment: int) -> None:
        if flags & _SYN:
            self._accept(stream_id)
        stream = self._streams.get(stream_id)
        if stream is None:
            return  # the rest of a stream that we reset
        if increment:
            stream.widen(increment)
        if flags & _RST:
            self.forget(stream_id)
            stream.fail("the stream was reset by the peer")
        elif flags & _FIN:
            stream.peer_finished()

    def _accept(self, stream_id: int) -> None:
        if stream_id == 0 or self.is_ours(stream_id) or stream_id in self._streams:
            raise ProtocolViolation(f"a new stream with the number {stream_id}")
        stream = Stream(self, stream_id, INITIAL_WINDOW)
        if self._incoming_count < self._limits.max_incoming_streams:
            try:
                self._send_accepted.send_nowait(stream)
            except (trio.WouldBlock, trio.BrokenResourceError):
                pass
            else:
                self._incoming_count += 1
                self._streams[stream_id] = stream
                self.queue(_WINDOW_UPDATE, _ACK, stream_id, 0)
                return
        self.queue(_WINDOW_UPDATE, _RST, stream_id, 0)
