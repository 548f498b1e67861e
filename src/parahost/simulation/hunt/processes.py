"""Trials on this machine's cores: a process for each, so that none can harm another."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Generator, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from time import monotonic

from parahost.simulation.hunt.trial import PROGRAM, Trial, TrialResult, attempt

LIMIT_S = 300.0
"""A trial that works longer, in seconds of processor time, hangs. Trials take seconds of that,
however busy the machine is."""
WITHIN_S = 3600.0
"""One that has not ended then, in seconds of real time, hangs too: it waits for something."""


class LocalProcesses:
    """A :class:`.Runner` with so many processes at a time, as many as there are cores for us by
    default."""

    def __init__(
        self,
        jobs: int | None = None,
        *,
        limit_s: float = LIMIT_S,
        within_s: float = WITHIN_S,
        attempt: Callable[[Trial], TrialResult] = attempt,
    ) -> None:
        self.jobs = jobs or len(os.sched_getaffinity(0))
        self._limit_s = limit_s
        self._within_s = within_s
        self._attempt = attempt
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([Trial.__module__])

    def run(self, trials: Iterable[Trial]) -> Generator[TrialResult, None, None]:
        """See :class:`.Runner`. Who stops listening ends them."""
        waiting = iter(trials)
        running: dict[Connection, _Running] = {}
        try:
            while True:
                while len(running) < self.jobs and (trial := next(waiting, None)) is not None:
                    connection, started = self._start(trial)
                    running[connection] = started
                if not running:
                    return
                first_due = min(each.due for each in running.values())
                wait(list(running), max(first_due - monotonic(), 0))
                for connection, each in list(running.items()):
                    result = self._result(connection, each)
                    if result is not None:
                        del running[connection]
                        _end(connection, each.process)
                        yield result
        finally:
            for connection, each in running.items():
                _end(connection, each.process)

    def _start(self, trial: Trial) -> tuple[Connection, _Running]:
        receiver, sender = self._context.Pipe(duplex=False)
        process = self._context.Process(
            target=_work, args=(self._attempt, trial, sender, self._limit_s), daemon=True
        )
        process.start()
        sender.close()
        return receiver, _Running(trial, process, monotonic() + self._within_s)

    def _result(self, connection: Connection, running: _Running) -> TrialResult | None:
        """``None`` while it runs."""
        if connection.poll():
            try:
                result: TrialResult = connection.recv()
                return replace(result, trial=running.trial)
            except EOFError:
                running.process.join()
                status = running.process.exitcode
                if status == -signal.SIGPROF:
                    return hung(running.trial, f"after {self._limit_s:g} s of processor time")
                return TrialResult(
                    running.trial, {PROGRAM: f"its process died with status {status}"}
                )
        if monotonic() >= running.due:
            return hung(running.trial, f"in {self._within_s:g} s")
        return None


def hung(trial: Trial, when: str) -> TrialResult:
    """What is said of a trial that did not end in time."""
    return TrialResult(trial, {PROGRAM: f"hangs: no end {when}"})


@dataclass(frozen=True, slots=True)
class _Running:
    trial: Trial
    process: BaseProcess
    due: float


def _work(
    attempt: Callable[[Trial], TrialResult], trial: Trial, sender: Connection, limit_s: float
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who started us ends us
    signal.setitimer(signal.ITIMER_PROF, limit_s)  # SIGPROF ends us
    result = attempt(trial)
    with suppress(BrokenPipeError):  # nobody listens any more
        sender.send(result)


def _end(connection: Connection, process: BaseProcess) -> None:
    process.kill()
    process.join()
    connection.close()
