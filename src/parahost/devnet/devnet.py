"""Running a devnet: processes, observer, view, and the end."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import trio
from rich.console import Console, RenderableType
from rich.live import Live

from parahost.devnet.condition import UntilCondition
from parahost.devnet.control import DevnetControl
from parahost.devnet.control_socket import ControlSocket
from parahost.devnet.following import Follower
from parahost.devnet.launcher import Launcher
from parahost.devnet.layout import PlannedNode
from parahost.devnet.observer import Observer
from parahost.devnet.opening import opening_lines
from parahost.devnet.plan import Plan
from parahost.devnet.processes import BAD_INPUT, NodeProcesses
from parahost.devnet.report import write_report
from parahost.devnet.stakes import StakeReader
from parahost.devnet.tail import JournalTail
from parahost.devnet.view import PlainLines, render
from parahost.process.journal import JournalLine

if TYPE_CHECKING:
    from trio_typing import TaskStatus

TICK_S = 0.2
MET, NOT_MET = 0, 1
"""Exit statuses, with ``BAD_INPUT``."""


HISTORY_BYTES = 256 * 1024
"""So much of each log is read to know how things stood when an earlier run ended."""
ALL_LINES = 10_000
"""A screen high enough for everything."""


class Devnet:
    """One run of a devnet.

    :param launcher: what starts its nodes; ended with the run.
    :param started_at: when the command was given, in seconds since the Unix epoch.
    :param follows_files: upgrade paras whose code changes, start collators again that change.
    """

    def __init__(
        self,
        plan: Plan,
        launcher: Launcher,
        *,
        started_at: float,
        plain: bool,
        follows_files: bool = False,
    ) -> None:
        self._console = Console()
        self._plain = plain or not self._console.is_terminal
        self._started_at = started_at
        self._logs = plan.logs
        self._tails = {name: JournalTail(path) for name, path in plan.logs.items()}
        self._lines = PlainLines()
        self._stopped = trio.Event()
        self.observer = Observer(plan.paras, list(plan.logs), started_at)
        self._stakes = StakeReader({node.name: node.metrics for node in plan.nodes}, self.observer)
        self.processes = NodeProcesses(plan.commands, launcher, self._tell)
        self._live = False
        self._told: list[str] = []
        self._control = DevnetControl(plan, self.processes, self.observer, self._follow)
        self._socket = ControlSocket(plan.root, self._control.handle)
        self._follower = Follower(plan, self._control, self._tell, upgrades=follows_files)
        if plan.continued:
            self.observer.recall(self._earlier(plan))
        for line in opening_lines(plan):
            self._tell(line)

    async def run(
        self, *, until: UntilCondition | None, timeout_s: float | None, report: Path | None
    ) -> int:
        """Run until the condition is met, the time is over, a node cannot be kept running, or a
        signal comes; then end all processes and write the report.

        :returns: the exit status. Without a condition, to be ended by a signal is good.
        :raises OSError: when the report cannot be written.
        """
        async with trio.open_nursery() as nursery:
            await nursery.start(self._stop_on_signal)
            await nursery.start(self.processes.run)
            await nursery.start(self._socket.run)
            nursery.start_soon(self._follower.run)
            nursery.start_soon(self._stakes.run)
            status, why = await self._watch(until, timeout_s)
            nursery.cancel_scope.cancel()
        self._hear()
        if report is not None:
            write_report(report, self.observer, self.processes.usage())
        if why is not None:
            print(f"parahost: {why}", file=sys.stderr)
        return status

    async def _watch(
        self, until: UntilCondition | None, timeout_s: float | None
    ) -> tuple[int, str | None]:
        """Show what happens until the end; the exit status, and why it is not 0."""
        with self._view() as show:
            while True:
                self._hear()
                show()
                passed_s = self._passed_s()
                if until is not None and self.observer.met(until, time.time()):
                    return MET, None
                if (broken := self.processes.broken) is not None:
                    status = BAD_INPUT if broken.bad_input else NOT_MET
                    return status, f"{broken.name} cannot run: {broken.why}"
                if self._stopped.is_set():
                    if until is None:
                        return MET, None
                    return NOT_MET, f"stopped before {until} was reached"
                if timeout_s is not None and passed_s >= timeout_s:
                    if until is None:
                        return NOT_MET, f"ended after --timeout {timeout_s:g} seconds"
                    return NOT_MET, (
                        f"{until} was not reached in {timeout_s:g} s; the nodes' logs: "
                        + ", ".join(map(str, self._logs.values()))
                    )
                with trio.move_on_after(TICK_S):
                    await self._stopped.wait()

    # What people see

    @contextmanager
    def _view(self) -> Iterator[Callable[[], None]]:
        """What to call for showing the present picture."""
        if self._plain:
            yield self._print_news
            return
        self._live = True
        try:
            with Live(console=self._console, auto_refresh=False, screen=True) as live:
                yield lambda: live.update(self._picture(self._console.height), refresh=True)
        finally:
            self._live = False
            for line in self._told:
                self._console.print(line, highlight=False, soft_wrap=True)
            self._console.print(self._picture(ALL_LINES))

    def _picture(self, height: int) -> RenderableType:
        return render(
            self.observer,
            self.processes.usage(),
            self._passed_s(),
            width=self._console.width,
            height=height,
            told=self._told if self._live else (),
        )

    def _print_news(self) -> None:
        for line in self._lines.news(self.observer, self._passed_s()):
            print(line, flush=True)

    def _tell(self, line: str) -> None:
        """At once, or below the live view, and after it."""
        line = f"{self._passed_s():8.1f} s  {line}"
        if self._live:
            self._told.append(line)
        else:
            self._console.print(line, highlight=False, soft_wrap=True)

    def _follow(self, node: PlannedNode) -> None:
        """A node comes later."""
        para = node.seat.para
        self.observer.add(node.name, None if para is None else (int(para.id), para.name))
        self._logs[node.name] = node.log
        self._tails[node.name] = JournalTail(node.log)
        self._stakes.addresses[node.name] = node.metrics

    def _hear(self) -> None:
        _hear(self._tails, self.observer.hear, self._stakes.hear)

    def _earlier(self, plan: Plan) -> Observer:
        """How things stood when the logs ended."""
        earlier = Observer(plan.paras, list(plan.logs), self._started_at)
        tails = {name: JournalTail(path) for name, path in plan.logs.items()}
        for tail in tails.values():
            tail.go_back(HISTORY_BYTES)
        _hear(tails, earlier.hear)
        return earlier

    # Time and signals

    def _passed_s(self) -> float:
        return time.time() - self._started_at

    async def _stop_on_signal(
        self, *, task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            task_status.started()
            async for _ in signals:
                self._stopped.set()


def _hear(tails: Mapping[str, JournalTail], *hearers: Callable[[str, JournalLine], None]) -> None:
    """Tell what the logs have that is new, in order of time."""
    heard = [(line.at, name, line) for name, tail in tails.items() for line in tail.lines()]
    for _, name, line in sorted(heard, key=lambda item: item[:2]):
        for hear in hearers:
            hear(name, line)
