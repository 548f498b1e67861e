"""Trials on a dask.distributed cluster, for those whom one machine does not hold.

Its workers need parahost, of the same version, in their environments. A worker runs one trial at a
time whatever its number of threads, so ``dask worker --nworkers N --nthreads 1`` fits best.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from time import monotonic
from typing import Any

from parahost.primitives.errors import InputError
from parahost.simulation.hunt.processes import WITHIN_S, hung
from parahost.simulation.hunt.trial import PROGRAM, Trial, TrialResult, attempt

CONNECT_WITHIN_S = 10.0
"""How long a scheduler may take to answer."""

_one_at_a_time = threading.Lock()


class NoCluster(InputError):
    """There is no cluster to run on; says why."""


@contextmanager
def connected(address: str) -> Iterator[Cluster]:
    """The cluster whose scheduler is at this address, as in ``tcp://10.0.0.1:8786``.

    :raises NoCluster: when dask is not installed, nobody answers, or there are no workers.
    """
    try:
        dask: Any = import_module("distributed")
    except ImportError as why:
        raise NoCluster("--dask needs dask: pip install 'parahost[dask]'") from why
    try:
        client = dask.Client(address, timeout=CONNECT_WITHIN_S)
    except (OSError, ValueError) as why:
        raise NoCluster(f"--dask {address}: no scheduler answers: {why}") from why
    with client:
        if not client.nthreads():
            raise NoCluster(f"--dask {address}: the cluster has no workers")
        yield Cluster(client)


class Cluster:
    """A :class:`.Runner` with the workers that a client finds."""

    def __init__(
        self,
        client: Any,
        *,
        within_s: float = WITHIN_S,
        attempt: Callable[[Trial], TrialResult] = attempt,
    ) -> None:
        self.jobs = len(client.nthreads())
        self._client = client
        self._within_s = within_s
        self._attempt = attempt

    def run(self, trials: Iterable[Trial]) -> Iterator[TrialResult]:
        """See :class:`.Runner`. Who stops listening calls off what is left."""
        dask: Any = import_module("distributed")
        waiting = iter(trials)
        running: list[_Running] = []
        try:
            while True:
                while len(running) < self.jobs and (trial := next(waiting, None)) is not None:
                    future = self._client.submit(_alone, self._attempt, trial, pure=False)
                    running.append(_Running(trial, future, monotonic() + self._within_s))
                if not running:
                    return
                first_due = min(each.due for each in running)
                try:
                    futures = [each.future for each in running]
                    dask.wait(futures, max(first_due - monotonic(), 0.001), "FIRST_COMPLETED")
                except TimeoutError:
                    pass  # some are due
                for each in list(running):
                    result = self._result(each)
                    if result is not None:
                        running.remove(each)
                        yield result
        finally:
            self._client.cancel([each.future for each in running])

    def _result(self, running: _Running) -> TrialResult | None:
        """``None`` while it runs."""
        if running.future.done():
            if running.future.status == "finished":
                result: TrialResult = running.future.result()
                return replace(result, trial=running.trial)
            why = running.future.exception()
            return TrialResult(running.trial, {PROGRAM: f"its worker failed: {why}"})
        if monotonic() >= running.due:
            self._free_worker_of(running.future)
            return hung(running.trial, f"in {self._within_s:g} s")
        return None

    def _free_worker_of(self, future: Any) -> None:
        """A worker that hangs must be started anew to be of use."""
        held = [worker for worker, keys in self._client.processing().items() if future.key in keys]
        self._client.cancel([future])
        self._client.restart_workers(held, raise_for_error=False)


@dataclass(frozen=True, slots=True)
class _Running:
    trial: Trial
    future: Any
    due: float


def _alone(attempt: Callable[[Trial], TrialResult], trial: Trial) -> TrialResult:
    """On a worker."""
    with _one_at_a_time:
        return attempt(trial)
