"""Ports for nodes, so that networks beside one another on a machine do not take each other's.

A port that is free now may be another devnet's a second later, or while a node is started again. So
each is claimed by a lock on a file of its own in a folder that all devnets of the user share; the
lock goes with the process.
"""

from __future__ import annotations

import fcntl
import os
import random
import socket
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Self

from parahost.devnet.errors import BadPlan
from parahost.rpc.listening import METRICS_PORT, RPC_PORT

LOCALHOST = "127.0.0.1"
CLAIMS: Final = Path(f"/tmp/parahost-ports-{os.getuid()}")
"""Not where ``TMPDIR`` says: ports are the machine's, whatever each program takes for temporary."""
P2P_PORTS = range(20000, 32000)
"""Below those from which the system takes one for each outgoing connection, so that none goes
before its node starts, or starts again."""
RPC_PORTS = range(RPC_PORT.usual, P2P_PORTS.start)
METRICS_PORTS = (*range(METRICS_PORT.usual, RPC_PORT.usual), *reversed(RPC_PORTS))
"""From the usual one on; those of JSON-RPC are left to it as long as there are others."""


class PortClaims:
    """The ports of one devnet. Used as a context manager, it lets them go with the block."""

    def __init__(self, folder: Path | None = None) -> None:
        """:param folder: where the claims lie; if none is given, in :data:`CLAIMS`.

        :raises OSError: when it cannot be written.
        """
        self._folder = folder or CLAIMS
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._held = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def take_p2p(self) -> int:
        """A free port for peers, anywhere in their range.

        :raises BadPlan: when none is free.
        """
        start = random.randrange(P2P_PORTS.start, P2P_PORTS.stop)
        return self.take((*range(start, P2P_PORTS.stop), *range(P2P_PORTS.start, start)))

    def take_rpc(self) -> int:
        """The first free port for JSON-RPC, from the usual one on.

        :raises BadPlan: when none is free.
        """
        return self.take(RPC_PORTS)

    def take_metrics(self) -> int:
        """The first free port for metrics, from the usual one on.

        :raises BadPlan: when none is free.
        """
        return self.take(METRICS_PORTS)

    def take(self, ports: Sequence[int]) -> int:
        """The first of these on which nobody listens, and which nobody else has claimed.

        :raises BadPlan: when there is none.
        """
        for port in ports:
            if self._claim(port):
                return port
        raise BadPlan(f"no port of {min(ports)} to {max(ports)} is free")

    def _claim(self, port: int) -> bool:
        file = os.open(
            self._folder / str(port), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
        )
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return False
        if not _is_free(port):
            os.close(file)
            return False
        self._held.callback(os.close, file)
        return True


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOCALHOST, port))
        except OSError:
            return False
    return True
