"""Trials in processes: each gives a result, whatever becomes of its process."""

from __future__ import annotations

from multiprocessing import active_children

from parahost.simulation.hunt.processes import LocalProcesses
from parahost.simulation.hunt.trial import PROGRAM, Trial, TrialResult
from tests.simulation.hunt.planted import BAD_SEED, dies, draw_with_bug, never_ends, waits

TRIALS = [Trial(seed, draw_with_bug(seed)) for seed in range(1, 6)]


def test_one_that_dies_is_told_of() -> None:
    results = list(LocalProcesses(2, attempt=dies).run(TRIALS))
    assert sorted(result.trial.seed for result in results) == [1, 2, 3, 4, 5]
    for result in results:
        if result.trial.seed == BAD_SEED:
            assert result.broken == {PROGRAM: "its process died with status 9"}
        else:
            assert result.ok
            assert result.blocks == result.trial.seed


def test_one_that_waits_is_ended() -> None:
    waiting = Trial(BAD_SEED, draw_with_bug(BAD_SEED))
    (result,) = LocalProcesses(1, attempt=waits, within_s=0.5).run([waiting])
    assert result == TrialResult(waiting, {PROGRAM: "hangs: no end in 0.5 s"})
    assert not active_children()


def test_one_that_works_without_end_is_ended() -> None:
    """By what it has worked: on a busy machine all take longer, and mean nothing by it."""
    working = Trial(BAD_SEED, draw_with_bug(BAD_SEED))
    (result,) = LocalProcesses(1, attempt=never_ends, limit_s=0.5).run([working])
    assert result == TrialResult(working, {PROGRAM: "hangs: no end after 0.5 s of processor time"})
    assert not active_children()


def test_who_stops_listening_ends_all() -> None:
    runs = LocalProcesses(2, attempt=never_ends).run(
        [Trial(1, TRIALS[0].scenario), *TRIALS[2:3] * 3]
    )
    assert next(runs).ok
    assert active_children()
    runs.close()
    assert not active_children()


def test_runs_are_the_same_however_many_there_are() -> None:
    trials = TRIALS[:2]
    reversed_ = {result.trial.seed: result.digest for result in LocalProcesses(1).run(trials[::-1])}
    for jobs in (1, 2):
        for result in LocalProcesses(jobs).run(trials):
            assert result.ok, result.broken
            assert result.digest == reversed_[result.trial.seed]
