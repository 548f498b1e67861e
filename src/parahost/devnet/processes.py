"""The processes of a devnet: started, watched, started again, ended."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from parahost.devnet.launcher import Launcher, NodeStarted
from parahost.devnet.usage import ProcessUsage, children_of, usage_of
from parahost.devnet.zygote import GRACE_S

if TYPE_CHECKING:
    from trio_typing import TaskStatus

RESTART_AFTER_S = 0.5
SAMPLE_S = 1.0
STABLE_S = 30.0
MAX_RESTARTS = 3
"""A node that fails so often, each time within ``STABLE_S`` of its start, is broken."""
BAD_INPUT = 2
"""The exit status with which a node says that no new start will help."""

PREFIX = "parahost: "
"""How a command begins the line that tells what is wrong."""

_ASKED_TO_END = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
"""Who ends with one of these did not fail by itself."""


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
    ``workers`` are the processes in which it executes validation functions. ``pid`` is ``None``
    while the node does not run."""

    pid: int | None = None
    peak_rss_mb: float = 0.0
    cpu_s: float = 0.0
    workers_peak_rss_mb: float = 0.0
    workers_cpu_s: float = 0.0
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class Broken:
    """A node that cannot be kept running, and why. ``bad_input``: the user can mend it."""

    name: str
    why: str
    bad_input: bool


class NodeState(StrEnum):
    """What a node's process does."""

    STARTING = "starting"
    RUNNING = "running"
    PAUSED = "paused"
    DOWN = "down"
    """It was killed, and waits to be started."""


@dataclass(slots=True)
class _Managed:
    """``asked``: the launcher was asked to start it, and has not answered. ``wanted``: it is
    started again when it ends. ``lives``: how many processes it has had. ``by_order``: somebody
    looks after it, so that the devnet goes on when it cannot run; ``why`` not."""

    command: NodeCommand
    pid: int | None = None
    asked: bool = False
    wanted: bool = True
    lives: int = 0
    last_pid: int = 0
    paused: bool = False
    by_order: bool = False
    why: str = ""
    changed: trio.Event = field(default_factory=trio.Event)
    since: float = 0.0
    restarts: int = 0
    failures: int = 0
    earlier: ProcessUsage = field(default_factory=ProcessUsage)
    now: ProcessUsage = field(default_factory=ProcessUsage)
    workers: dict[int, ProcessUsage] = field(default_factory=dict)

    @property
    def used(self) -> ProcessUsage:
        return self.earlier + self.now

    @property
    def state(self) -> NodeState:
        if self.pid is not None:
            return NodeState.PAUSED if self.paused else NodeState.RUNNING
        return NodeState.STARTING if self.wanted else NodeState.DOWN

    def runs_as(self, pid: int | None) -> None:
        """It has another process now, or none."""
        self.pid, self.asked, self.paused = pid, False, False
        if pid is not None:
            self.lives, self.last_pid = self.lives + 1, pid
        self.changed.set()
        self.changed = trio.Event()

    async def until_gone(self, pid: int) -> None:
        """Wait until that is not its process any more."""
        while self.pid == pid:
            await self.changed.wait()

    async def until_lived(self, lives: int) -> int:
        """Wait until it has had one more process than those, be it gone already; gives it."""
        while self.lives <= lives:
            await self.changed.wait()
        return self.last_pid

    def sample(self) -> None:
        """Look at what its processes use now."""
        if self.pid is None:
            return
        self.now = usage_of(self.pid) or self.now
        for worker in children_of(self.pid):
            self.workers[worker] = usage_of(worker) or self.workers.get(worker, ProcessUsage())


class NodeProcesses:
    """The nodes of a devnet, as forks of one zygote. What ends by itself is started again; the
    zygote too.

    ``launcher`` is the first zygote, this ends it. ``tell`` is given a line for people about each
    end.
    """

    def __init__(
        self, commands: Sequence[NodeCommand], launcher: Launcher, tell: Callable[[str], None]
    ) -> None:
        self.broken: Broken | None = None
        """The first node that cannot be kept running: the devnet is to end."""
        self._nodes = {command.name: _Managed(command) for command in commands}
        self._launcher = launcher
        self._tell = tell
        self._ending = False
        self._all_gone = trio.Event()
        self._watching = trio.CancelScope(shield=True)

    async def run(self, *, task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Start all nodes and watch them until cancelled; then end them all."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch)
            task_status.started()
            try:
                while True:
                    self.sample()
                    await trio.sleep(SAMPLE_S)
            finally:
                with trio.CancelScope(shield=True):
                    await self._end()

    def sample(self) -> None:
        """Look at what the processes use now."""
        for node in self._nodes.values():
            node.sample()

    def usage(self) -> dict[str, Usage]:
        """What each node has used until now."""
        return {
            name: Usage(
                node.pid,
                node.used.peak_rss_mb,
                node.used.cpu_s,
                max((used.peak_rss_mb for used in node.workers.values()), default=0.0),
                sum(used.cpu_s for used in node.workers.values()),
                node.restarts,
            )
            for name, node in self._nodes.items()
        }

    # By order

    def state(self, name: str) -> NodeState:
        """What the node's process does now."""
        return self._nodes[name].state

    def why_down(self, name: str) -> str:
        """Why the node cannot run; empty when it was killed, or runs."""
        return self._nodes[name].why

    async def add(self, command: NodeCommand) -> None:
        """Start one more node; returns when it has its process."""
        node = self._nodes[command.name] = _Managed(command, by_order=True)
        await self._start(node)
        await node.until_lived(0)

    def pause(self, name: str) -> None:
        """Let a running node stand still."""
        node = self._nodes[name]
        if node.pid is not None:
            node.paused = True
            _signal(node.pid, signal.SIGSTOP)

    def resume(self, name: str) -> None:
        """Let a paused node go on."""
        node = self._nodes[name]
        if node.pid is not None:
            node.paused = False
            _signal(node.pid, signal.SIGCONT)

    async def kill(self, name: str) -> None:
        """End a node as a crash does; it stays down until it is started again."""
        node = self._nodes[name]
        node.wanted = False
        if (pid := node.pid) is not None:
            _signal(pid, signal.SIGKILL)
            await node.until_gone(pid)

    async def restart(self, name: str) -> int:
        """End a node if it runs, and start it; returns its new process."""
        node = self._nodes[name]
        node.wanted = node.by_order = True
        node.failures, node.why = 0, ""
        lives = node.lives
        if (pid := node.pid) is not None:
            _signal(pid, signal.SIGTERM)
            _signal(pid, signal.SIGCONT)
            with trio.move_on_after(GRACE_S):
                await node.until_gone(pid)
            if node.pid == pid:
                _signal(pid, signal.SIGKILL)
                await node.until_gone(pid)
        await self._start(node)
        return await node.until_lived(lives)

    # Starting and watching

    async def _watch(self) -> None:
        """Not ended by cancelling: the ends of the nodes are still to be heard."""
        with self._watching:
            while not self._ending:
                async with trio.open_nursery() as starts:
                    for node in [*self._nodes.values()]:
                        await self._start(node)
                    async for event in self._launcher.events():
                        if isinstance(event, NodeStarted):
                            self._on_started(self._nodes[event.name], event.pid)
                        else:
                            self._on_exited(starts, event.pid, event.status)
                    starts.cancel_scope.cancel()
                self._on_zygote_gone()

    async def _start(self, node: _Managed) -> None:
        """Unless it has its process, or is to have none."""
        if not node.wanted or node.asked or node.pid is not None:
            return
        node.asked = True
        await self._launcher.start(node.command.name, node.command.argv, node.command.output)

    def _on_started(self, node: _Managed, pid: int) -> None:
        node.since = time.monotonic()
        node.runs_as(pid)
        if not node.wanted:
            _signal(pid, signal.SIGKILL)
        elif self._ending:
            _signal(pid, signal.SIGTERM)

    def _on_exited(self, starts: trio.Nursery, pid: int, status: int) -> None:
        node = next(node for node in self._nodes.values() if node.pid == pid)
        self._is_gone(node)
        if self._ending:
            return
        name, how = node.command.name, _how(status)
        if not node.wanted:
            self._tell(f"{name} ended with {how}, as it was told, and stays down")
            return
        if (broken := self._count_failure(node, status)) is not None:
            node.wanted, node.why = False, broken.why
            if node.by_order:
                self._tell(f"{name} stays down: {broken.why}")
            else:
                self._tell(f"{name} ended with {how}")
                self.broken = self.broken or broken
            return
        self._tell(f"{name} ended with {how}; it is started again")
        node.restarts += 1

        async def restart() -> None:
            await trio.sleep(RESTART_AFTER_S)
            await self._start(node)

        starts.start_soon(restart)

    def _count_failure(self, node: _Managed, status: int) -> Broken | None:
        """Why the node is broken, if it is."""
        command = node.command
        if status == BAD_INPUT:
            return Broken(command.name, _last_words(command.output), bad_input=True)
        if status == 0 or -status in _ASKED_TO_END:
            return None
        lasted = time.monotonic() - node.since
        node.failures = node.failures + 1 if lasted < STABLE_S else 1
        if node.failures < MAX_RESTARTS:
            return None
        why = f"it failed {node.failures} times in a row; {command.output} says why"
        return Broken(command.name, why, bad_input=False)

    def _on_zygote_gone(self) -> None:
        """Its nodes were killed with it."""
        for node in self._nodes.values():
            node.asked = False
            if node.pid is not None:
                self._is_gone(node)
                node.restarts += 1
        if not self._ending:
            self._tell("the process that starts the nodes ended; all are started again")
            self._launcher.close()
            self._launcher = Launcher()

    def _is_gone(self, node: _Managed) -> None:
        node.runs_as(None)
        node.earlier, node.now = node.used, ProcessUsage()
        if all(other.pid is None for other in self._nodes.values()):
            self._all_gone.set()

    # Ending

    async def _end(self) -> None:
        """Ask all to end; kill those that do not."""
        self._ending = True
        self.sample()
        self._all_gone = trio.Event()
        self._signal_all(signal.SIGTERM)
        self._signal_all(signal.SIGCONT)
        with trio.move_on_after(GRACE_S):
            if any(node.pid is not None for node in self._nodes.values()):
                await self._all_gone.wait()
        self._signal_all(signal.SIGKILL)
        self._watching.cancel()
        self._launcher.close()

    def _signal_all(self, number: signal.Signals) -> None:
        for node in self._nodes.values():
            if node.pid is not None:
                _signal(node.pid, number)


def _how(status: int) -> str:
    return f"signal {signal.Signals(-status).name}" if status < 0 else f"status {status}"


def _last_words(output: Path) -> str:
    """What the node said of its input, in one line."""
    lines = output.read_text(errors="replace").splitlines()
    said = [line for line in lines if line.startswith(PREFIX)]
    return said[-1].removeprefix(PREFIX) if said else f"see {output}"


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
