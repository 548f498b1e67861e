"""One live connection with a peer: its notifications, requests and lists of peers.

Each notification protocol has a stream per direction, opened by the sender: order is kept within
a protocol, and a large message of one protocol does not hold up another. Each request has a
stream of its own: length and payload one way, a status byte, length and payload back.
"""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import IntEnum

import trio

from parahost.network import multistream
from parahost.network.errors import PeerError, ProtocolViolation, Unsupported
from parahost.network.framing import frame, receive_frame, receive_length
from parahost.network.handshake import MAX_TOLD, Hello, decode_told, encode_told
from parahost.network.holdings import Answer
from parahost.network.incidents import Incidents
from parahost.network.limits import NetworkLimits
from parahost.network.reputation import OVER_RATE, SLOW_READER, VIOLATION
from parahost.network.yamux import Stream, Yamux
from parahost.ports.clock import Clock
from parahost.ports.network import (
    EventHandler,
    NetworkEvent,
    Notification,
    NotificationProtocol,
    PeerConnected,
    PeerDisconnected,
    RequestFailed,
    RequestHandler,
    RequestProtocol,
)
from parahost.primitives.addresses import PeerAddress
from parahost.primitives.basic import PeerId
from parahost.token_bucket import TokenBucket

log = logging.getLogger(__name__)

MAX_LISTS_AT_ONCE = 4
"""Lists of peers that may come one upon the other: they may have been held up on their way."""
_PART = 60_000
"""An answer is sent in parts of so many bytes."""
_BATCH = 60_000
"""Small notifications are sent together up to about this many bytes."""


class AnswerStatus(IntEnum):
    """How a request was answered; a payload follows only ``ANSWERED``."""

    ANSWERED = 0
    REFUSED = 1
    TOO_LARGE = 2


@dataclass(slots=True)
class Protocols:
    """What this node speaks, by short name."""

    prefix: str
    notifications: dict[str, tuple[NotificationProtocol, EventHandler]] = field(
        default_factory=dict
    )
    requests: dict[str, tuple[RequestProtocol, RequestHandler]] = field(default_factory=dict)

    def full_name(self, name: str) -> str:
        return f"{self.prefix}/{name}/1"

    def handlers(self) -> list[EventHandler]:
        """Whoever hears notifications, each once, in order of declaration."""
        distinct: list[EventHandler] = []
        for _, handler in self.notifications.values():
            if handler not in distinct:
                distinct.append(handler)
        return distinct

    def inbound(self) -> dict[str, str]:
        """Short names by full names, of all that a peer may open a stream for."""
        return {self.full_name(name): name for name in (*self.notifications, *self.requests)}


@dataclass(frozen=True, slots=True)
class PeerTalk:
    """How a session reaches the rest of the network."""

    report: Callable[[PeerId, int, str], None]
    known_addresses: Callable[[PeerId], list[PeerAddress]]
    learn: Callable[[list[PeerAddress]], None]
    is_protected: Callable[[PeerId], bool]


class Outbox:
    """Notifications of one protocol that wait to be sent."""

    def __init__(self) -> None:
        self._payloads: deque[bytes] = deque()
        self._filled = trio.Event()

    def put(self, payload: bytes) -> None:
        """Without a copy: the same payload may wait for many peers."""
        self._payloads.append(payload)
        self._filled.set()

    async def take(self) -> list[bytes]:
        """The next payloads: one, or several small ones."""
        if not self._payloads:
            self._filled = trio.Event()
            await self._filled.wait()
        payloads = [self._payloads.popleft()]
        size = len(payloads[0])
        while self._payloads and size + len(self._payloads[0]) <= _BATCH:
            size += len(self._payloads[0])
            payloads.append(self._payloads.popleft())
        return payloads


class PeerSession:
    """A peer that both sides accepted. ``run`` serves it to its end.

    :param network: where the peer is: see :func:`parahost.primitives.addresses.network_of`.
    :param burst: how much of a full burst it may send at once now, from 0 to 1.
    """

    def __init__(
        self,
        mux: Yamux,
        control: Stream,
        hello: Hello,
        *,
        network: str,
        burst: float,
        protocols: Protocols,
        limits: NetworkLimits,
        clock: Clock,
        talk: PeerTalk,
        incidents: Incidents,
    ) -> None:
        self.peer = mux.peer
        self.role = hello.role
        self.incarnation = hello.incarnation
        self.done = trio.Event()
        """Set once ``PeerDisconnected`` has been heard."""
        self._mux = mux
        self._account = mux.account
        self._control = control
        self._protocols = protocols
        self._limits = limits
        self._clock = clock
        self._talk = talk
        self._incidents = incidents
        self._outboxes = {name: Outbox() for name in protocols.notifications}
        self._unsent_bytes = 0
        self._unsent_messages = 0
        self._requests_out = trio.Semaphore(limits.max_requests_out)
        self._requests_in = 0
        self._hearing: set[str] = set()
        self._network = network
        self._burst = burst
        self._messages = TokenBucket(
            clock, limits.messages_per_s, limits.messages_burst, filled=burst
        )
        self._bytes = TokenBucket(clock, limits.bytes_per_s, limits.bytes_burst, filled=burst)
        self._over_rate_at = float("-inf")

    @property
    def is_live(self) -> bool:
        return self._mux.ended is None

    @property
    def ended(self) -> str | None:
        """Why it ended, once it has."""
        return self._mux.ended

    def abort(self, why: str) -> None:
        self._mux.abort(why)

    async def run(self) -> None:
        """Announce the peer, serve it until the connection ends, and take leave of it. Handlers
        of notifications that are at work then are awaited, not cancelled. Nothing that they or
        this session's parts raise leaves it."""
        self._account.accepted(self._network, lambda: self._talk.is_protected(self.peer))
        self._mux.becomes_session(self._burst)
        await self._tell(PeerConnected(self.peer, self.role))
        async with trio.open_nursery() as hearing, trio.open_nursery() as working:
            for name in self._outboxes:
                working.start_soon(self._guarded, name, self._send_notifications, name)
            working.start_soon(self._guarded, "telling of peers", self._tell_peers)
            working.start_soon(self._guarded, "hearing of peers", self._hear_peers)
            async for stream in self._mux.accepted:
                working.start_soon(self._guarded, "a stream", self._serve, stream, hearing)
            working.cancel_scope.cancel()
        if self._mux.violated:
            self._talk.report(self.peer, VIOLATION, self._mux.ended or "")
        await self._tell(PeerDisconnected(self.peer))

    def notify(self, protocol: str, payload: bytes) -> None:
        """Queue a notification; a full queue ends the session."""
        outbox = self._outboxes.get(protocol)
        if outbox is None:
            return
        size = len(payload)
        if (
            self._unsent_messages >= self._limits.queue_messages
            or self._unsent_bytes + size > self._limits.queue_bytes
        ):
            self.abort("its outgoing queue is full")
            return
        self._unsent_messages += 1
        self._unsent_bytes += size
        self._account.hold(size)
        outbox.put(payload)

    async def request(self, protocol: RequestProtocol, payload: bytes) -> bytes:
        """:raises RequestFailed: see there."""
        try:
            with trio.fail_after(protocol.timeout_s):
                async with self._requests_out:
                    return await self._ask(protocol, payload)
        except trio.TooSlowError:
            raise RequestFailed(self.peer, protocol.name, "timeout") from None

    async def _ask(self, protocol: RequestProtocol, payload: bytes) -> bytes:
        def failed(why: str) -> RequestFailed:
            return RequestFailed(self.peer, protocol.name, why)

        try:
            stream = self._mux.open_stream()
        except PeerError:
            raise failed("disconnected") from None
        try:
            await multistream.propose(stream, self._protocols.full_name(protocol.name))
            await stream.send(frame(payload))
            stream.finish()
            (status,) = await stream.receive_exactly(1)
            if status != AnswerStatus.ANSWERED:
                raise failed("too_large" if status == AnswerStatus.TOO_LARGE else "refused")
            return await receive_frame(stream, protocol.max_response)
        except Unsupported:
            raise failed("unsupported") from None
        except ProtocolViolation as error:
            self._talk.report(self.peer, VIOLATION, f"{protocol.name}: {error}")
            raise failed("too_large") from None
        except PeerError:
            raise failed("refused" if self.is_live else "disconnected") from None
        except RequestFailed:
            raise
        except Exception as error:
            self._failed(protocol.name, error)
            raise failed("disconnected") from error
        finally:
            stream.reset()

    async def _tell(self, event: NetworkEvent) -> None:
        for handler in self._protocols.handlers():
            try:
                if (taking := handler(event)) is not None:
                    await taking
            except Exception as error:  # the others must hear of the peer nevertheless
                self._failed(f"taking {type(event).__name__}", error)

    async def _guarded(
        self, where: str, part: Callable[..., Awaitable[None]], *args: object
    ) -> None:
        """Run a part of the session: whatever leaves it ends the session, and no more."""
        try:
            await part(*args)
        except ProtocolViolation as error:
            self._violated(str(error))
        except PeerError as error:
            self.abort(str(error))
        except Exception as error:
            self._failed(where, error)

    def _failed(self, where: str, error: Exception) -> None:
        self.abort(f"this node failed: {type(error).__name__}")
        self._incidents.failed(where, self.peer, error)

    def _violated(self, what: str) -> None:
        self.abort(what)
        self._talk.report(self.peer, VIOLATION, what)

    # Notifications.

    async def _send_notifications(self, name: str) -> None:
        outbox = self._outboxes[name]
        payloads = await outbox.take()
        stream = self._mux.open_stream()
        spoken = True
        try:
            await multistream.propose(stream, self._protocols.full_name(name))
        except Unsupported:
            stream.reset()
            spoken = False  # nobody there to hear it: what is queued is dropped
        while True:
            if spoken:
                await self._send_in_time(stream, b"".join(map(frame, payloads)))
            size = sum(map(len, payloads))
            self._unsent_messages -= len(payloads)
            self._unsent_bytes -= size
            self._account.release(size)
            payloads = await outbox.take()

    async def _hear(self, stream: Stream, name: str) -> None:
        protocol, handler = self._protocols.notifications[name]
        while True:
            payload = await self._receive_whole(stream, protocol.max_size)
            await self._throttle(len(payload))
            if (taking := handler(Notification(self.peer, name, payload))) is not None:
                await taking
            await trio.lowlevel.checkpoint()  # many small ones may have come in one go

    async def _send_in_time(self, stream: Stream, data: bytes) -> None:
        limits = self._limits
        with trio.move_on_after(
            limits.notification_stall_s + len(data) / limits.message_bytes_per_s
        ):
            await stream.send(data)
            return
        raise PeerError("it does not read its notifications")

    async def _receive_whole(self, stream: Stream, max_size: int) -> bytes:
        size = await receive_length(stream, max_size)
        patience_s = self._limits.message_stall_s + size / self._limits.message_bytes_per_s
        with trio.move_on_after(patience_s):
            return await stream.receive_exactly(size)
        raise PeerError("a message stopped half-way")

    # What the peer asks for.

    async def _serve(self, stream: Stream, hearing: trio.Nursery) -> None:
        inbound = self._protocols.inbound()
        try:
            with trio.fail_after(self._limits.handshake_timeout_s):
                name = inbound[await multistream.answer(stream, inbound)]
            if name in self._protocols.notifications:
                if name in self._hearing:
                    raise ProtocolViolation(f"a second stream of {name}")
                self._hearing.add(name)
                hearing.start_soon(self._guarded, name, self._hear, stream, name)
                return
            await self._answer(stream, *self._protocols.requests[name])
        except ProtocolViolation:
            raise
        except (PeerError, trio.TooSlowError):
            stream.reset()

    async def _answer(
        self, stream: Stream, protocol: RequestProtocol, handler: RequestHandler
    ) -> None:
        if self._requests_in >= self._limits.max_requests_in:
            stream.ignore_input()
            await stream.send(bytes((AnswerStatus.REFUSED,)))
            stream.finish()
            return
        self._requests_in += 1
        try:
            with self._account.answer() as room:
                with trio.fail_after(protocol.timeout_s):
                    payload = await receive_frame(stream, protocol.max_request)
                    stream.ignore_input()
                    await self._throttle(len(payload))
                    await room.wait_for(protocol.max_response)
                    try:
                        reply = self._framed_answer(protocol, await handler(self.peer, payload))
                    except Exception as error:
                        self._failed(protocol.name, error)
                        return
                room.made(len(reply))
                with trio.move_on_after(protocol.timeout_s + self._limits.answer_grace_s):
                    if await self._reply(stream, reply, room):
                        return
                self.abort("it does not read what it asked for")
                self._talk.report(self.peer, SLOW_READER, f"{protocol.name}: an unread answer")
        finally:
            self._requests_in -= 1

    async def _reply(self, stream: Stream, reply: bytes, room: Answer) -> bool:
        """Whether the peer takes it without stopping, if it is not protected; to the end."""
        for start in range(0, len(reply), _PART):
            protected = self._talk.is_protected(self.peer)
            with trio.move_on_after(math.inf if protected else self._limits.answer_grace_s):
                await stream.send(reply[start : start + _PART])
                await stream.flush()
                room.taken()
                continue
            return False
        stream.finish()
        return True

    def _framed_answer(self, protocol: RequestProtocol, answer: bytes | None) -> bytes:
        if answer is None:
            return bytes((AnswerStatus.REFUSED,))
        if len(answer) > protocol.max_response:
            self._incidents.dropped(protocol.name, len(answer), protocol.max_response)
            return bytes((AnswerStatus.TOO_LARGE,))
        return bytes((AnswerStatus.ANSWERED,)) + frame(answer)

    async def _throttle(self, size: int) -> None:
        """Wait until the peer is within its rate again; being beyond it costs reputation.

        :raises PeerError: when the session ended meanwhile: nothing is acted on after its end.
        """
        wait_s = max(self._messages.take(1), self._bytes.take(size))
        if wait_s == 0:
            return
        now = self._clock.now()
        if not 0 <= now - self._over_rate_at < 1:
            self._over_rate_at = now
            self._talk.report(self.peer, OVER_RATE, "sends more than its rate")
        await self._clock.sleep(wait_s)
        if self.ended is not None:
            raise PeerError(self.ended)

    # Lists of peers.

    async def _tell_peers(self) -> None:
        while True:
            await self._control.send(frame(encode_told(self._talk.known_addresses(self.peer))))
            await self._clock.sleep(self._limits.peer_exchange_interval_s)

    async def _hear_peers(self) -> None:
        """Twice as often as we tell them ourselves is a peer's right; more costs it."""
        rate = TokenBucket(
            self._clock, 2 / self._limits.peer_exchange_interval_s, MAX_LISTS_AT_ONCE
        )
        while True:
            self._talk.learn(decode_told(await receive_frame(self._control, MAX_TOLD)))
            if wait_s := rate.take(1):
                self._talk.report(self.peer, OVER_RATE, "tells of peers more often than it may")
                await self._clock.sleep(wait_s)
