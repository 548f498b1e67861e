"""The processes of a devnet: started, watched, started again, ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from parahost.devnet.usage import ProcessUsage, children_of, usage_of

if TYPE_CHECKING:
    from trio_typing import TaskStatus

RESTART_AFTER_S = 1.0
MAX_RESTARTS = 5
"""A node that ends so often by itself is broken: it stays down."""
GRACE_S = 5.0
"""How long a node may take to end when it is asked to."""


@dataclass(frozen=True, slots=True)
class NodeCommand:
    """What one node is started with, and where what it prints goes."""

    name: str
    argv: tuple[str, ...]
    output: Path

    def shell(self) -> str:
        """The command as a person would type it."""
        return " ".join(["parahost", *self.argv])


@dataclass(slots=True)
class Usage:
    """What a node used over all its lives; memory as the peak, in MB, CPU time in seconds.
    ``workers`` are the processes in which it executes validation functions."""

    pid: int = 0
    peak_rss_mb: float = 0.0
    cpu_s: float = 0.0
    workers_peak_rss_mb: float = 0.0
    workers_cpu_s: float = 0.0
    restarts: int = 0


@dataclass(slots=True)
class _Managed:
    command: NodeCommand
    pid: int | None = None
    restarts: int = 0
    earlier: ProcessUsage = field(default_factory=ProcessUsage)
    now: ProcessUsage = field(default_factory=ProcessUsage)
    workers: dict[int, ProcessUsage] = field(default_factory=dict)


class Processes:
    """The nodes of a devnet as forks of one zygote. Restarts what ends by itself.

    ``tell`` is given a line for people about each start that failed and each end.
    """

    def __init__(self, commands: Sequence[NodeCommand], tell: Callable[[str], None]) -> None:
        self._nodes = {command.name: _Managed(command) for command in commands}
        self._tell = tell
        self._zygote: trio.Process | None = None
        self._ending = False
        self._gone = trio.Event()

    async def run(self, *, task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Start all nodes and watch them until cancelled; then end them all."""
        async with trio.open_nursery() as nursery:
            self._zygote = await nursery.start(
                lambda task_status: trio.run_process(
                    [sys.executable, "-m", "parahost.cli.zygote"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    start_new_session=True,
                    check=False,
                    deliver_cancel=_leave_alone,
                    task_status=task_status,
                )
            )
            try:
                nursery.start_soon(self._listen, nursery)
                for name in self._nodes:
                    await self._start(name)
                task_status.started()
                await self._sample()
            finally:
                with trio.CancelScope(shield=True):
                    await self._end()
                nursery.cancel_scope.cancel()

    def usage(self) -> dict[str, Usage]:
        """What each node has used until now."""
        return {
            name: Usage(
                node.pid or 0,
                max(node.earlier.peak_rss_mb, node.now.peak_rss_mb),
                node.earlier.cpu_s + node.now.cpu_s,
                max((used.peak_rss_mb for used in node.workers.values()), default=0.0),
                sum(used.cpu_s for used in node.workers.values()),
                node.restarts,
            )
            for name, node in self._nodes.items()
        }

    def pid(self, name: str) -> int | None:
        """The process of a node, while it runs."""
        return self._nodes[name].pid

    async def _start(self, name: str) -> None:
        assert self._zygote is not None and self._zygote.stdin is not None
        command = self._nodes[name].command
        request = {"start": name, "argv": command.argv, "log": str(command.output)}
        await self._zygote.stdin.send_all(json.dumps(request).encode() + b"\n")

    async def _listen(self, nursery: trio.Nursery) -> None:
        assert self._zygote is not None and self._zygote.stdout is not None
        pending = b""
        async for data in self._zygote.stdout:
            *lines, pending = (pending + data).split(b"\n")
            for line in lines:
                event = json.loads(line)
                if "started" in event:
                    self._nodes[event["started"]].pid = event["pid"]
                elif "exited" in event:
                    self._on_exit(nursery, event["exited"], event["status"])

    def _on_exit(self, nursery: trio.Nursery, pid: int, status: int) -> None:
        node = next(node for node in self._nodes.values() if node.pid == pid)
        node.pid = None
        node.earlier = ProcessUsage(
            max(node.earlier.peak_rss_mb, node.now.peak_rss_mb),
            node.earlier.cpu_s + node.now.cpu_s,
        )
        node.now = ProcessUsage()
        if self._ending:
            if all(other.pid is None for other in self._nodes.values()):
                self._gone.set()
            return
        name = node.command.name
        how = f"signal {signal.Signals(-status).name}" if status < 0 else f"status {status}"
        if node.restarts >= MAX_RESTARTS:
            self._tell(f"{name} ended with {how} for the last time; see {node.command.output}")
            return
        node.restarts += 1
        self._tell(f"{name} ended with {how}; it is started again")

        async def restart() -> None:
            await trio.sleep(RESTART_AFTER_S)
            await self._start(name)

        nursery.start_soon(restart)

    async def _sample(self) -> None:
        while True:
            self.sample()
            await trio.sleep(1.0)

    def sample(self) -> None:
        """Look at what the processes use now."""
        for node in self._nodes.values():
            if node.pid is None:
                continue
            node.now = usage_of(node.pid) or node.now
            for worker in children_of(node.pid):
                node.workers[worker] = usage_of(worker) or node.workers.get(worker, ProcessUsage())

    async def _end(self) -> None:
        """Ask all to end; end those that do not."""
        self._ending = True
        self.sample()
        for node in self._nodes.values():
            if node.pid is not None:
                _signal(node.pid, signal.SIGTERM)
        if any(node.pid is not None for node in self._nodes.values()):
            with trio.move_on_after(GRACE_S):
                await self._gone.wait()
        for node in self._nodes.values():
            if node.pid is not None:
                _signal(node.pid, signal.SIGKILL)
        assert self._zygote is not None and self._zygote.stdin is not None
        await self._zygote.stdin.aclose()


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


async def _leave_alone(process: trio.Process) -> None:
    """The zygote ends when its input does."""
    await trio.sleep(GRACE_S)
    process.kill()
