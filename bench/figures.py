"""Measuring, and printing what was measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from statistics import median
from time import perf_counter

Clock = Callable[[], float]


def figure(what: str, value: float, unit: str, target: str = "") -> None:
    """One line: three significant digits or all before the point."""
    shown = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    print(f"{what:<62}{shown:>10} {unit:<7}{target and f'target: {target}'}".rstrip(), flush=True)


def best(body: Callable[[], object], runs: int = 5) -> float:
    """Seconds of the fastest of some runs: what the work takes when nothing disturbs it."""
    return min(_timed(body, perf_counter) for _ in range(runs))


def in_turns(
    work: Mapping[str, Callable[[], object]], rounds: int, clock: Clock = perf_counter
) -> dict[str, list[float]]:
    """Seconds of each round of each, all of them run in turns."""
    taken: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(rounds):
        for name, body in work.items():
            taken[name].append(_timed(body, clock))
    return taken


def median_ratio(taken: Mapping[str, list[float]], name: str, base: str) -> float:
    """The median over the rounds of one's time by the other's in the same round."""
    return median(a / b for a, b in zip(taken[name], taken[base], strict=True))


def _timed(body: Callable[[], object], clock: Clock) -> float:
    start = clock()
    body()
    return clock() - start
