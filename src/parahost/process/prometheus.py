"""A node's metrics on a port of their own: ``GET /metrics``, as Prometheus asks for them.

One request a connection. The text is made at most every :data:`KEPT_S`, however many ask; who asks
slowly or reads slowly is left, and nobody waits for them.
"""

from __future__ import annotations

import logging
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import h11
import trio

from parahost.metrics.meter import NodeMeter
from parahost.metrics.text import CONTENT_TYPE, exposition
from parahost.rpc.access import Access
from parahost.rpc.listening import METRICS_PORT, listen, port_of

if TYPE_CHECKING:
    from trio_typing import TaskStatus

MAX_SCRAPERS: Final = 16
"""Connections at a time; who comes beyond is told so."""
MAX_ASKING_BYTES: Final = 16 * 1024
"""Of a request's line and headers."""
ASKING_S: Final = 5.0
"""So long may a client take to ask."""
TELLING_S: Final = 10.0
"""So long may it take to read the answer."""
KEPT_S: Final = 0.25
"""For so long an answer is given again."""
_RECEIVED_AT_ONCE = 4096

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PrometheusOptions:
    """``port`` 0 is any free one; without one it is 9615, or any when that is taken. ``external``:
    listen to other machines too."""

    port: int | None = None
    external: bool = False


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: bytes
    kind: str = "text/plain; charset=utf-8"


class MetricsServer:
    """Tells one meter's numbers."""

    def __init__(self, meter: NodeMeter, options: PrometheusOptions) -> None:
        self._meter = meter
        self._options = options
        self._access = Access(options.external)
        self._scrapers = 0
        self._text = b""
        self._made_at = -KEPT_S

    async def run(self, *, task_status: TaskStatus[int] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled; starts with the port.

        :raises PortTaken: when it cannot listen.
        """
        options = self._options
        listeners = await listen(METRICS_PORT, options.port, external=options.external)
        async with trio.open_nursery() as nursery:
            task_status.started(port_of(listeners))
            await trio.serve_listeners(self.serve, listeners, handler_nursery=nursery)

    async def serve(self, stream: trio.abc.Stream) -> None:
        """Answer one request. Whatever goes wrong ends the connection, and nothing else."""
        self._scrapers += 1
        try:
            async with aclosing(stream):
                with suppress(trio.BrokenResourceError, trio.TooSlowError):
                    await self._serve(stream)
        except Exception:
            _log.exception("a scrape failed")
        finally:
            self._scrapers -= 1

    async def _serve(self, stream: trio.abc.Stream) -> None:
        protocol = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_ASKING_BYTES)
        if self._scrapers > MAX_SCRAPERS:
            answer: _Answer | None = _Answer(503, b"Too many connections\n")
        else:
            answer = await self._heard(protocol, stream)
        if answer is None:
            return
        headers = [
            ("content-type", answer.kind),
            ("content-length", str(len(answer.body))),
            ("connection", "close"),
        ]
        data = protocol.send(h11.Response(status_code=answer.status, headers=headers)) or b""
        data += protocol.send(h11.Data(data=answer.body)) or b""
        with trio.fail_after(TELLING_S):
            await stream.send_all(data)

    async def _heard(self, protocol: h11.Connection, stream: trio.abc.Stream) -> _Answer | None:
        """What to answer, when somebody asks something."""
        try:
            with trio.fail_after(ASKING_S):
                while (event := protocol.next_event()) is h11.NEED_DATA:
                    protocol.receive_data(await stream.receive_some(_RECEIVED_AT_ONCE))
        except h11.RemoteProtocolError as error:
            return _Answer(error.error_status_hint, b"Bad request\n")
        return self._answer(event) if isinstance(event, h11.Request) else None

    def _answer(self, request: h11.Request) -> _Answer:
        host = dict(request.headers).get(b"host")
        if not self._access.host_is_known(None if host is None else host.decode("latin-1")):
            return _Answer(403, b"This host name is not served: connect to localhost\n")
        if request.target.split(b"?")[0] != b"/metrics":
            return _Answer(404, b"The metrics are at /metrics\n")
        if request.method != b"GET":
            return _Answer(405, b"GET them\n")
        return _Answer(200, self._told(), CONTENT_TYPE)

    def _told(self) -> bytes:
        now = trio.current_time()
        if now - self._made_at >= KEPT_S:
            self._text, self._made_at = exposition(self._meter).encode(), now
        return self._text
