"""JSON-RPC over a WebSocket: calls one after the other, and what subscriptions tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

import trio
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    CloseConnection,
    Event,
    Message,
    Ping,
    Request,
    TextMessage,
)
from wsproto.frame_protocol import CloseReason
from wsproto.utilities import ProtocolError

from parahost.rpc.errors import Busy, RequestTooLarge
from parahost.rpc.feed import FellBehind
from parahost.rpc.limits import BODY_S, MAX_UNSENT_MESSAGES, PING_S, RECEIVE_BYTES, send_patience_s
from parahost.rpc.reading import Incoming
from parahost.rpc.service import failure
from parahost.rpc.session import ClientSession, RpcCaller
from parahost.rpc.shared import Shared

Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class _Outgoing:
    """``counted``: what to give back once it is sent. ``is_last``: nothing is sent after it."""

    data: bytes
    counted: int = 0
    is_last: bool = False


class _Ended(Exception):
    """The connection is at its end."""


class WebSocket:
    """One client's connection from its upgrade to its end."""

    def __init__(self, stream: trio.abc.Stream, shared: Shared) -> None:
        self._stream = stream
        self._shared = shared
        self._protocol = WSConnection(ConnectionType.SERVER)
        self._bucket = shared.calls_of_one()
        self._outgoing, self._unsent = trio.open_memory_channel[_Outgoing](MAX_UNSENT_MESSAGES)
        self._counted = 0
        """What is counted of the messages that wait."""
        self._all_sent = trio.Event()

    async def run(self, target: bytes, headers: Headers, trailing: bytes) -> None:
        """Serve until one side ends it. ``trailing``: what came after the upgrade's head."""
        self._protocol.initiate_upgrade_connection(headers, target)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._send_all, nursery.cancel_scope)
                session = ClientSession(nursery, self._notify, self._shared.subscriptions)
                try:
                    with Incoming(self._shared.requests) as incoming:
                        await self._serve(RpcCaller(session), incoming, trailing)
                except (_Ended, ProtocolError, trio.BrokenResourceError, trio.ClosedResourceError):
                    pass
                finally:
                    session.close()
                    nursery.cancel_scope.cancel()
        finally:
            self._shared.answers.give_back(self._counted)

    # What comes

    async def _serve(self, caller: RpcCaller, incoming: Incoming, trailing: bytes) -> None:
        data = trailing
        while True:
            if data:
                self._protocol.receive_data(data)
            for event in self._protocol.events():
                await self._take(event, caller, incoming)
            data = await self._receive(BODY_S if incoming.begun else PING_S)

    async def _receive(self, patience_s: float) -> bytes:
        """What comes next; who says nothing is pinged once."""
        with trio.move_on_after(patience_s):
            return await self._some()
        await self._send(Ping())
        with trio.move_on_after(patience_s):
            return await self._some()
        raise _Ended

    async def _some(self) -> bytes:
        data = await self._stream.receive_some(RECEIVE_BYTES)
        if not data:
            raise _Ended
        return bytes(data)

    async def _take(self, event: Event, caller: RpcCaller, incoming: Incoming) -> None:
        match event:
            case Request():
                await self._send(AcceptConnection())
            case Message(data=data, message_finished=is_whole):
                try:
                    incoming.add(data.encode() if isinstance(data, str) else data)
                except RequestTooLarge as error:
                    await self._refuse(error, CloseReason.MESSAGE_TOO_BIG)
                except Busy as error:
                    await self._refuse(error, CloseReason.TRY_AGAIN_LATER)
                if is_whole:
                    await self._answer(incoming.take(), caller)
            case Ping():
                await self._send(event.response())
            case CloseConnection():
                await self._end(event.response())

    async def _answer(self, message: bytes, caller: RpcCaller) -> None:
        answer = await self._shared.service.answer(message, caller)
        if answer is not None:
            try:
                await self._say(answer)
            except Busy as error:
                await self._say(failure(None, error))
        if caller.session is not None:
            caller.session.begin()
        await trio.sleep(self._bucket.take(caller.toll()))

    # What goes

    async def _notify(self, text: str) -> None:
        try:
            await self._say(text)
        except Busy:
            raise FellBehind from None

    async def _say(self, text: str) -> None:
        """:raises Busy: when it is large, and large ones have taken all the room that there is."""
        counted = self._shared.answers.take(len(text))
        self._counted += counted
        await self._send(TextMessage(text), counted)

    async def _send(self, event: Event, counted: int = 0, *, is_last: bool = False) -> None:
        await self._outgoing.send(_Outgoing(self._protocol.send(event), counted, is_last))

    async def _send_all(self, connection: trio.CancelScope) -> None:
        """Send what is to be sent. A task of its own, so that what begins to be sent is sent whole
        when who has said it is cancelled."""
        async for one in self._unsent:
            try:
                with trio.fail_after(send_patience_s(len(one.data))):
                    await self._stream.send_all(one.data)
            except (trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError):
                connection.cancel()
            self._counted -= one.counted
            self._shared.answers.give_back(one.counted)
            if one.is_last:
                self._all_sent.set()

    # The end

    async def _refuse(self, error: RequestTooLarge | Busy, reason: CloseReason) -> NoReturn:
        await self._say(failure(None, error))
        await self._end(CloseConnection(reason, error.message))

    async def _end(self, goodbye: Event) -> NoReturn:
        await self._send(goodbye, is_last=True)
        await self._all_sent.wait()
        raise _Ended
