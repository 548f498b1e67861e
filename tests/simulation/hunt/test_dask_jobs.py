"""A hunt on a cluster: the same results as on this machine, whatever becomes of a worker."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from distributed import Client, LocalCluster

from parahost.simulation.hunt import dask_jobs
from parahost.simulation.hunt.dask_jobs import Cluster, NoCluster, connected
from parahost.simulation.hunt.processes import LocalProcesses
from parahost.simulation.hunt.trial import PROGRAM, Trial, TrialResult
from tests.simulation.hunt.planted import BAD_SEED, draw_with_bug, never_ends

TRIALS = [Trial(seed, draw_with_bug(seed)) for seed in (1, BAD_SEED)]


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    with LocalCluster(  # type: ignore[no-untyped-call]
        n_workers=1, threads_per_worker=2, dashboard_address=None
    ) as cluster:
        yield cluster.scheduler_address


def test_results_are_those_of_this_machine(scheduler: str) -> None:
    def told(results: Iterator[TrialResult]) -> dict[int, tuple[str, dict[str, str]]]:
        return {each.trial.seed: (each.digest, dict(each.broken)) for each in results}

    with connected(scheduler) as cluster:
        assert cluster.jobs == 1
        assert told(cluster.run(TRIALS)) == told(LocalProcesses().run(TRIALS))


def test_one_that_hangs_is_ended(scheduler: str) -> None:
    with Client(scheduler) as client:  # type: ignore[no-untyped-call]
        hanging = Cluster(client, within_s=0.5, attempt=never_ends)
        (result,) = hanging.run([TRIALS[1]])
        assert result.broken == {PROGRAM: "hangs: no end in 0.5 s"}
        (result,) = Cluster(client, attempt=never_ends).run([TRIALS[0]])
        assert result.ok, "the worker is of use again"


def test_no_scheduler_is_told_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_jobs, "CONNECT_WITHIN_S", 0.5)
    for address in ("tcp://127.0.0.1:1", "nonsense://"):
        with pytest.raises(NoCluster, match=address), connected(address):
            pass


def test_dask_is_optional(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(NoCluster, match="pip install"), connected("tcp://127.0.0.1:1"):
        pass
