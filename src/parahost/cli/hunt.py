"""``parahost simulate hunt``: many drawn networks, each with its troubles."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from parahost.simulation.hunt.report import Findings
    from parahost.simulation.hunt.shrink import Shrunk
    from parahost.simulation.hunt.trial import Runner, TrialResult

MOST_SEEDS = 1_000_000


def hunt(
    seeds: Annotated[str, typer.Option(help="From the first to the last, as in 1..200.")],
    jobs: Annotated[
        int | None, typer.Option(help="How many run at a time; by default one on each core.")
    ] = None,
    dask: Annotated[
        str | None, typer.Option(help="Run on the dask cluster whose scheduler is at this address.")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write a JSON report there.")] = None,
) -> None:
    """Draw a network and its troubles from each seed, run it, and judge it.

    For a seed that fails, tells the command that replays it, and a smaller scenario in which the
    same checker fails. Exit status 0: all verdicts of all seeds hold; 1: one is broken; 2: the
    input cannot be used.
    """
    import json

    from parahost.cli.failure import BadInput
    from parahost.cli.outputs import open_output
    from parahost.simulation.hunt.draw import draw
    from parahost.simulation.hunt.report import Findings
    from parahost.simulation.hunt.shrink import shrink
    from parahost.simulation.hunt.source import as_python
    from parahost.simulation.hunt.trial import Trial

    wanted = _range(seeds)
    if jobs is not None and jobs < 1:
        raise BadInput(f"--jobs {jobs}: at least 1")
    if jobs is not None and dask is not None:
        raise BadInput("--jobs: on a cluster, its workers are the jobs; leave it out")
    findings, progress = Findings(), _Progress(len(wanted))
    with ExitStack() as stack:
        told = None if report is None else stack.enter_context(open_output("--report", report))
        runner = stack.enter_context(_runner(jobs, dask))
        if len(wanted) == 1:
            typer.echo(as_python(draw(wanted[0])))
        for result in runner.run(Trial(seed, draw(seed)) for seed in wanted):
            findings.add(result)
            if not result.ok:
                progress.clear()
                _tell_failure(result)
            progress.show(findings)
        progress.clear()
        shown: set[str] = set()
        for seed, failed in sorted(findings.failed.items()):
            checker = next(iter(failed.broken))
            if checker not in shown:
                shown.add(checker)
                typer.echo(f"\nshrinking seed {seed}", err=True)
                findings.shrunk[seed] = shrink(failed, runner)
                _tell_shrunk(findings.shrunk[seed])
        if told is not None:
            told.write(json.dumps(findings.as_json(), indent=2) + "\n")
    _tell(findings, progress.elapsed_s)
    raise typer.Exit(1 if findings.failed else 0)


def _range(text: str) -> range:
    from parahost.cli.failure import BadInput

    numbers = re.fullmatch(r"(\d{1,18})\.\.(\d{1,18})", text, re.ASCII)
    if numbers is None:
        raise BadInput(f"--seeds {text}: the first and the last are wanted, as in 1..200")
    first, last = map(int, numbers.groups())
    if first > last:
        raise BadInput(f"--seeds {text}: the first comes after the last")
    if last - first >= MOST_SEEDS:
        raise BadInput(f"--seeds {text}: at most {MOST_SEEDS} at once")
    return range(first, last + 1)


@contextmanager
def _runner(jobs: int | None, dask: str | None) -> Iterator[Runner]:
    from parahost.simulation.hunt.processes import LocalProcesses

    if dask is None:
        yield LocalProcesses(jobs)
    else:
        from parahost.simulation.hunt.dask_jobs import connected

        with connected(dask) as cluster:
            yield cluster


class _Progress:
    """One line that changes on a terminal, else a line for each tenth of the way."""

    def __init__(self, seeds: int) -> None:
        self._seeds = seeds
        self._begun = monotonic()
        self._on_terminal = sys.stderr.isatty()
        self._told = 0

    @property
    def elapsed_s(self) -> float:
        return monotonic() - self._begun

    def show(self, findings: Findings) -> None:
        done = findings.results
        left_s = self.elapsed_s / done * (self._seeds - done)
        failed = len(findings.failed)
        line = f"{done} of {self._seeds} seeds, {failed} failed, about {left_s:.0f} s left"
        if self._on_terminal:
            sys.stderr.write(f"\r\x1b[K{line}")
            sys.stderr.flush()
        elif 10 * done // self._seeds > self._told:
            self._told = 10 * done // self._seeds
            typer.echo(line, err=True)

    def clear(self) -> None:
        if self._on_terminal:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def _tell_failure(result: TrialResult) -> None:
    from parahost.simulation.hunt.report import replay_command

    typer.echo(f"seed {result.trial.seed} fails; again with: {replay_command(result.trial.seed)}")
    for checker, verdict in result.broken.items():
        typer.echo(f"  {checker:<26} {verdict}")


def _tell_shrunk(shrunk: Shrunk) -> None:
    from parahost.simulation.hunt.source import as_python

    seed = shrunk.result.trial.seed
    file = f"seed_{seed}.py"
    typer.echo(f"# The same in small, after {shrunk.runs} runs; {shrunk.checker} fails:")
    typer.echo(f"# {shrunk.result.broken[shrunk.checker]}")
    typer.echo(f"# Save as {file} and run: parahost simulate {file} --seed {seed}")
    typer.echo(as_python(shrunk.scenario))


def _tell(findings: Findings, elapsed_s: float) -> None:
    typer.echo(f"{'trouble':<28} {'seeds':>6} {'failed':>6}")
    for kind in sorted(findings.tried):
        typer.echo(f"{kind:<28} {findings.tried[kind]:>6} {findings.hurt[kind]:>6}")
    typer.echo(f"{'all':<28} {findings.results:>6} {len(findings.failed):>6}")
    typer.echo(
        f"{findings.blocks} blocks and {findings.included} parablocks in "
        f"{findings.virtual_s:.0f} s of the world's time, {elapsed_s:.0f} s of ours"
    )
    if findings.failed:
        typer.echo("failed: " + ", ".join(str(seed) for seed in sorted(findings.failed)))
