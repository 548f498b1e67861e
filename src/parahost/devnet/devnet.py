"""Running a devnet: processes, observer, view, and the end."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import trio
from rich.console import Console
from rich.live import Live

from parahost.devnet.condition import Condition
from parahost.devnet.observer import Observer
from parahost.devnet.plan import Plan
from parahost.devnet.processes import Processes
from parahost.devnet.report import write_report
from parahost.devnet.view import PlainLines, render
from parahost.process.journal import JournalLine, parse_line

TICK_S = 0.2
REFRESH_PER_S = 4


class JournalTail:
    """Reads what is appended to a log file."""

    def __init__(self, path: Path) -> None:
        """Begins at the present end of the file: what is older was another run's."""
        self._path = path
        self._position = path.stat().st_size if path.exists() else 0
        self._rest = ""

    def lines(self) -> Iterator[JournalLine]:
        """The events since the last call."""
        try:
            with self._path.open(encoding="utf-8", errors="replace") as file:
                file.seek(self._position)
                text = file.read()
                self._position = file.tell()
        except FileNotFoundError:
            return
        *whole, self._rest = (self._rest + text).split("\n")
        for line in whole:
            event = parse_line(line)
            if event is not None:
                yield event


async def run_devnet(
    plan: Plan,
    *,
    started_at: float,
    until: Condition | None,
    timeout_s: float | None,
    report: Path | None,
    plain: bool,
) -> bool:
    """Run until the condition is met, the time is over, or a signal comes; then end all processes
    and write the report.

    :param started_at: when the command was given, in seconds since the Unix epoch.
    :returns: whether the condition was met; without one, whether a person ended it in time.
    """
    console = Console()
    plain = plain or not console.is_terminal
    observer = Observer(plan.paras, list(plan.logs), started_at)
    tails = {name: JournalTail(path) for name, path in plan.logs.items()}
    processes = Processes(plan.commands, lambda line: console.print(line, highlight=False))
    met = timed_out = False
    async with trio.open_nursery() as nursery:
        stop = trio.Event()
        nursery.start_soon(_stop_on_signal, stop)
        await nursery.start(processes.run)
        lines = PlainLines()
        live = None if plain else Live(console=console, refresh_per_second=REFRESH_PER_S)
        if live is not None:
            live.start()
        try:
            while not stop.is_set():
                _hear(observer, tails)
                now = time.time()
                if live is not None:
                    live.update(render(observer, processes.usage(), now - started_at))
                else:
                    for line in lines.news(observer, now - started_at):
                        print(line, flush=True)
                if until is not None and observer.met(until, now):
                    met = True
                    break
                if timeout_s is not None and now - started_at >= timeout_s:
                    timed_out = True
                    break
                with trio.move_on_after(TICK_S):
                    await stop.wait()
        finally:
            if live is not None:
                live.stop()
        processes.sample()
        nursery.cancel_scope.cancel()
    _hear(observer, tails)
    if report is not None:
        write_report(report, observer, processes.usage())
    if until is not None and timed_out:
        print(
            f"parahost devnet: {until.kind.value}={until.amount:g} was not reached in "
            f"{timeout_s:g} s; the nodes' logs: {', '.join(map(str, plan.logs.values()))}",
            file=sys.stderr,
        )
    return met or (until is None and not timed_out)


def _hear(observer: Observer, tails: dict[str, JournalTail]) -> None:
    heard = [(line.at, name, line) for name, tail in tails.items() for line in tail.lines()]
    for _, name, line in sorted(heard, key=lambda item: item[:2]):
        observer.hear(name, line)


async def _stop_on_signal(stop: trio.Event) -> None:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            stop.set()
