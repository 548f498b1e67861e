"""Opening a port to clients: the one that is asked for; else the usual one, or another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import trio

from parahost.primitives.errors import OperationalError

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class ClientPort:
    """What is served there, by which option another port is chosen, and the usual one."""

    what: str
    option: str
    usual: int


RPC_PORT = ClientPort("JSON-RPC", "--rpc-port", 9944)
METRICS_PORT = ClientPort("Prometheus", "--prometheus-port", 9615)


class PortTaken(OperationalError):
    """Something else listens there."""

    def __init__(self, asked: ClientPort, port: int, why: OSError) -> None:
        super().__init__(
            f"cannot listen for {asked.what} on port {port}: {why.strerror}; choose another"
            f" {asked.option}"
        )
        self.port = port


async def listen(
    served: ClientPort, port: int | None, *, external: bool
) -> Sequence[trio.SocketListener]:
    """Listen to this machine, or to others too. ``port`` 0 is any free one; without one it is the
    usual one, or any when that is taken.

    :raises PortTaken: when the port that was asked for cannot be had.
    """
    host = None if external else LOOPBACK
    try:
        return await trio.open_tcp_listeners(served.usual if port is None else port, host=host)
    except OSError as error:
        if port is not None:
            raise PortTaken(served, port, error) from error
        return await trio.open_tcp_listeners(0, host=host)


def port_of(listeners: Sequence[trio.SocketListener]) -> int:
    """Where one reaches them."""
    port: int = listeners[0].socket.getsockname()[1]
    return port
