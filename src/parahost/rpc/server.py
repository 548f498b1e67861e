"""The server: listens on one port, and serves so many connections at a time."""

from __future__ import annotations

import logging
from contextlib import aclosing
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

import trio

from parahost.ports import Clock
from parahost.rpc.access import HOSTED_TOOLS, Access
from parahost.rpc.http import HttpConnection
from parahost.rpc.limits import MAX_CONNECTIONS
from parahost.rpc.listening import RPC_PORT, listen, port_of
from parahost.rpc.methods import all_methods
from parahost.rpc.served import ServedNode
from parahost.rpc.service import Service
from parahost.rpc.shared import Shared

if TYPE_CHECKING:
    from trio_typing import TaskStatus

_log = logging.getLogger(__name__)


class AllowedMethods(Enum):
    """Which methods may be called. ``AUTO``: all, unless the server listens to other machines."""

    AUTO = "auto"
    SAFE = "safe"
    UNSAFE = "unsafe"


@dataclass(frozen=True, slots=True)
class RpcOptions:
    """``port`` 0 is any free one; without one it is 9944, or any when that is taken. ``external``:
    listen to other machines too. ``origins``: pages in browsers that may call, beside those of this
    machine."""

    port: int | None = None
    external: bool = False
    methods: AllowedMethods = AllowedMethods.AUTO
    origins: tuple[str, ...] = HOSTED_TOOLS

    @property
    def allow_unsafe(self) -> bool:
        if self.methods is AllowedMethods.AUTO:
            return not self.external
        return self.methods is AllowedMethods.UNSAFE


class RpcServer:
    """Serves one node's clients."""

    def __init__(self, served: ServedNode, options: RpcOptions, clock: Clock) -> None:
        self._options = options
        service = Service(all_methods(), served, allow_unsafe=options.allow_unsafe)
        self.shared = Shared(service, Access(options.external, options.origins), clock)
        self._connections = 0

    async def run(self, *, task_status: TaskStatus[int] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled; starts with the port.

        :raises PortTaken: when it cannot listen.
        """
        options = self._options
        listeners = await listen(RPC_PORT, options.port, external=options.external)
        async with trio.open_nursery() as nursery:
            task_status.started(port_of(listeners))
            await trio.serve_listeners(self.serve, listeners, handler_nursery=nursery)

    async def serve(self, stream: trio.abc.Stream) -> None:
        """Serve one connection. Whatever goes wrong in it ends it, and nothing else."""
        async with aclosing(stream):
            try:
                await self._serve(HttpConnection(stream, self.shared))
            except Exception:
                _log.exception("a connection failed")

    async def _serve(self, connection: HttpConnection) -> None:
        if self._connections >= MAX_CONNECTIONS:
            await connection.refuse()
            return
        self._connections += 1
        try:
            await connection.run()
        finally:
            self._connections -= 1
