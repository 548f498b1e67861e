"""The zygote, seen from the devnet that has it start the nodes."""

from __future__ import annotations

import json
import select
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import trio

ZYGOTE = "parahost.cli.zygote"

_PIPE_BUF = select.PIPE_BUF
"""So many bytes go into a pipe that is writable without waiting."""


@dataclass(frozen=True, slots=True)
class NodeStarted:
    """The node of that name has this process now."""

    name: str
    pid: int


@dataclass(frozen=True, slots=True)
class NodeExited:
    """That process has ended. ``status`` is its exit code, or minus the signal that ended it."""

    pid: int
    status: int


class Launcher:
    """A zygote. It begins with its imports as soon as this is constructed, so construct it before
    anything else that takes time. Used as a context manager it ends with the block, and all its
    nodes with it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", ZYGOTE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            bufsize=0,
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._requests, self._events = self._process.stdin, self._process.stdout
        self._sending = trio.Lock()
        self._asked = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _value: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.close()

    async def start(self, name: str, argv: Sequence[str], output: Path) -> None:
        """Ask for a node; nothing happens when the zygote has ended."""
        if self._requests.closed:
            return
        request = {"start": name, "argv": list(argv), "output": str(output)}
        self._asked = True
        async with self._sending:
            left = memoryview(json.dumps(request).encode() + b"\n")
            try:
                while left:
                    await trio.lowlevel.wait_writable(self._requests.fileno())
                    left = left[self._requests.write(left[:_PIPE_BUF]) :]
            except BrokenPipeError:
                return

    async def events(self) -> AsyncIterator[NodeStarted | NodeExited]:
        """What becomes of the nodes, until the zygote ends."""
        pending = b""
        while True:
            await trio.lowlevel.wait_readable(self._events.fileno())
            data = self._events.read(65536)
            if not data:
                return
            *lines, pending = (pending + data).split(b"\n")
            for line in lines:
                event = json.loads(line)
                if "started" in event:
                    yield NodeStarted(event["started"], event["pid"])
                else:
                    yield NodeExited(event["exited"], event["status"])

    def close(self) -> None:
        """End the zygote; it ends what nodes there are."""
        if not self._requests.closed:
            if not self._asked:
                self._process.kill()  # it may be at its imports still
            self._requests.close()
            self._process.wait()
            self._events.close()
