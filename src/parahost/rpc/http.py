"""HTTP: requests by POST, the upgrade to a WebSocket, and what browsers and monitors ask."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress

import h11
import trio

from parahost.rpc.errors import Busy, RequestTooLarge
from parahost.rpc.limits import (
    BODY_S,
    HEAD_BYTES,
    HEAD_S,
    RECEIVE_BYTES,
    send_patience_s,
)
from parahost.rpc.reading import Incoming
from parahost.rpc.service import failure
from parahost.rpc.session import RpcCaller
from parahost.rpc.shared import Shared
from parahost.rpc.websocket import WebSocket

_JSON = "application/json"
_ENDED = (trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError)


class _Refused(Exception):
    """Answered with this status and no more; the connection ends, as what follows is not read."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class HttpConnection:
    """One client's connection, request after request."""

    def __init__(self, stream: trio.abc.Stream, shared: Shared) -> None:
        self._stream = stream
        self._shared = shared
        self._protocol = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_BYTES)
        self._bucket = shared.calls_of_one()

    async def run(self) -> None:
        """Serve until one side ends it."""
        with suppress(*_ENDED):
            while await self._serve_one():
                self._protocol.start_next_cycle()

    async def refuse(self) -> None:
        """Tell a client for whom there is no room."""
        with suppress(*_ENDED):
            await self._respond(503, b"Too many connections", keep=False)

    async def _serve_one(self) -> bool:
        """Answer one request; whether another may follow."""
        try:
            with trio.fail_after(HEAD_S):
                request = await self._next_event()
            if not isinstance(request, h11.Request):
                return False
            return await self._route(request)
        except _Refused as refused:
            await self._respond(refused.status, str(refused).encode(), keep=False)
        except h11.RemoteProtocolError as error:
            if self._protocol.our_state in (h11.IDLE, h11.SEND_RESPONSE):
                await self._respond(error.error_status_hint, b"Bad request", keep=False)
        return False

    async def _route(self, request: h11.Request) -> bool:
        headers = dict(request.headers)
        host, origin = (headers.get(name) for name in (b"host", b"origin"))
        if not self._shared.access.host_is_known(_text(host)):
            raise _Refused(403, "This host name is not served: connect to localhost")
        if not self._shared.access.origin_may_call(_text(origin)):
            raise _Refused(403, "This origin may not call: see --rpc-cors")
        if headers.get(b"upgrade", b"").lower() == b"websocket":
            trailing, _ = self._protocol.trailing_data
            websocket = WebSocket(self._stream, self._shared)
            await websocket.run(request.target, list(request.headers.raw_items()), trailing)
            return False
        path = request.target.split(b"?")[0]
        match request.method, path:
            case b"POST", b"/":
                return await self._call(headers, origin)
            case b"OPTIONS", b"/":
                return await self._preflight(origin)
            case b"GET", b"/health":
                return await self._health()
            case _:
                raise _Refused(405, "POST JSON-RPC requests to /, or open a WebSocket")

    async def _call(self, headers: dict[bytes, bytes], origin: bytes | None) -> bool:
        # A page can post plain text to anywhere without asking; JSON it must ask for first.
        if headers.get(b"content-type", b"").split(b";")[0].strip().lower() != _JSON.encode():
            raise _Refused(415, f"Content-Type is to be {_JSON}")
        caller = RpcCaller()
        with Incoming(self._shared.requests) as incoming:
            try:
                answer = await self._shared.service.answer(await self._body(incoming), caller)
            except RequestTooLarge as error:
                raise _Refused(413, failure(None, error)) from None
            except Busy as error:
                raise _Refused(503, failure(None, error)) from None
        text = "" if answer is None else answer
        try:
            counted = self._shared.answers.take(len(text))
        except Busy as error:
            text, counted = failure(None, error), 0
        try:
            await self._respond(200, text.encode(), _allowing(origin))
        finally:
            self._shared.answers.give_back(counted)
        await trio.sleep(self._bucket.take(caller.toll()))
        return self._may_go_on()

    async def _body(self, incoming: Incoming) -> bytes:
        with trio.fail_after(BODY_S):
            while True:
                event = await self._next_event()
                if isinstance(event, h11.Data):
                    incoming.add(event.data)
                elif isinstance(event, h11.EndOfMessage):
                    return incoming.take()
                else:
                    raise trio.BrokenResourceError

    async def _preflight(self, origin: bytes | None) -> bool:
        """A browser asks whether a page may post JSON."""
        await self._drained()
        headers = [
            *_allowing(origin),
            ("access-control-allow-methods", "POST"),
            ("access-control-allow-headers", "content-type"),
        ]
        await self._respond(204, b"", headers)
        return self._may_go_on()

    async def _health(self) -> bool:
        """What monitors ask of a Substrate node."""
        await self._drained()
        request = b'{"jsonrpc":"2.0","id":1,"method":"system_health"}'
        answer = json.loads(await self._shared.service.answer(request, RpcCaller()) or "{}")
        await self._respond(200, json.dumps(answer["result"]).encode())
        return self._may_go_on()

    # h11, over the stream

    async def _drained(self) -> None:
        """The request's end: what has no use for a body takes none."""
        with trio.fail_after(BODY_S):
            if not isinstance(await self._next_event(), h11.EndOfMessage):
                raise _Refused(400, "No body is expected")

    async def _next_event(self) -> object:
        while (event := self._protocol.next_event()) is h11.NEED_DATA:
            if self._protocol.they_are_waiting_for_100_continue:
                go_on = h11.InformationalResponse(status_code=100, headers=[])
                await self._send(self._protocol.send(go_on))
            self._protocol.receive_data(await self._stream.receive_some(RECEIVE_BYTES))
        return event

    def _may_go_on(self) -> bool:
        return self._protocol.our_state is self._protocol.their_state is h11.DONE

    async def _respond(
        self,
        status: int,
        body: bytes,
        headers: Iterable[tuple[str, str]] = (),
        *,
        keep: bool = True,
    ) -> None:
        kind = _JSON if body[:1] in (b"{", b"[") else "text/plain"
        all_headers = [
            ("content-type", kind),
            ("content-length", str(len(body))),
            *headers,
            *([] if keep else [("connection", "close")]),
        ]
        protocol = self._protocol
        data = protocol.send(h11.Response(status_code=status, headers=all_headers)) or b""
        data += (protocol.send(h11.Data(data=body)) or b"") if body else b""
        data += protocol.send(h11.EndOfMessage()) or b""
        await self._send(data)

    async def _send(self, data: bytes | None) -> None:
        with trio.fail_after(send_patience_s(len(data or b""))):
            await self._stream.send_all(data or b"")


def _allowing(origin: bytes | None) -> list[tuple[str, str]]:
    """What tells a browser that its page may read the answer."""
    if origin is None:
        return []
    return [("access-control-allow-origin", origin.decode("latin-1")), ("vary", "origin")]


def _text(header: bytes | None) -> str | None:
    return None if header is None else header.decode("latin-1")
