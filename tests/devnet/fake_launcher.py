"""A launcher whose nodes are numbers, which live and end as a test says."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Sequence
from itertools import count
from pathlib import Path

import trio

from parahost.devnet.launcher import NodeExited, NodeStarted

FIRST_PID = 1 << 30
"""No process of a machine has such a number."""


class FakeLauncher:
    """Starts what it is asked to, at once."""

    def __init__(self) -> None:
        self._send, self._receive = trio.open_memory_channel[NodeStarted | NodeExited](100)
        self._pids = count(FIRST_PID)
        self.running: dict[int, str] = {}
        self.signals: list[tuple[str, signal.Signals]] = []
        self.obstinate: set[str] = set()
        """Who does not end when it is asked to."""
        self.stillborn: set[str] = set()
        """Who ends as soon as it is started, with status 2."""

    async def start(self, name: str, argv: Sequence[str], output: Path) -> None:
        pid = next(self._pids)
        self.running[pid] = name
        self._send.send_nowait(NodeStarted(name, pid))
        if name in self.stillborn:
            self.end(name, 2)

    async def events(self) -> AsyncIterator[NodeStarted | NodeExited]:
        async for event in self._receive:
            yield event

    def close(self) -> None:
        self._send.close()

    def end(self, name: str, status: int) -> None:
        """A node ends."""
        pid = next(pid for pid, other in self.running.items() if other == name)
        del self.running[pid]
        self._send.send_nowait(NodeExited(pid, status))

    def signal(self, pid: int, number: signal.Signals) -> None:
        """In place of the system's."""
        name = self.running.get(pid)
        if name is None:
            return
        self.signals.append((name, number))
        if number is signal.SIGKILL or (number is signal.SIGTERM and name not in self.obstinate):
            self.end(name, -number)
