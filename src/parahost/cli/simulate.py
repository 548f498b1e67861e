"""``parahost simulate``: a whole network in this process, replayable from its seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from parahost.cli.default_command import RunsByDefault

if TYPE_CHECKING:
    from parahost.simulation import Outcome, Scenario
    from parahost.simulation.record import RecordedBlock

BROKEN = 1
"""The exit status when a verdict is broken."""


app = typer.Typer(
    cls=RunsByDefault,
    help="Run a whole network in one process: deterministic, with faults, adversaries and checkers."
    " `parahost simulate [SCENARIO] [OPTIONS]` is short for `parahost simulate run`.",
)


@app.command()
def run(
    scenario: Annotated[
        str | None, typer.Argument(help="A shipped scenario's name, or a .py or .toml file.")
    ] = None,
    validators: Annotated[int | None, typer.Option(help="How many validators. [4]")] = None,
    parachains: Annotated[int | None, typer.Option(help="How many parachains. [2]")] = None,
    parathreads: Annotated[int | None, typer.Option(help="How many parathreads. [0]")] = None,
    blocks: Annotated[int | None, typer.Option(help="Run until this relay block. [20]")] = None,
    slot: Annotated[float | None, typer.Option(help="Seconds per slot. [6]")] = None,
    seed: Annotated[int, typer.Option(min=0, help="What all chance comes from.")] = 1,
    report: Annotated[Path | None, typer.Option(help="Write a JSON report there.")] = None,
    trace: Annotated[
        Path | None, typer.Option(help="Write every event there, as lines of JSON.")
    ] = None,
    sharing: Annotated[
        bool, typer.Option(help="Compute pure results once for all nodes of the process.")
    ] = True,
) -> None:
    """Run a network in virtual time, tell what happened, and judge it.

    The same scenario, options and seed give the same digest, on every machine. Exit status 0: all
    verdicts hold; 1: one is broken; 2: the input cannot be used.
    """
    import json
    from contextlib import ExitStack

    from parahost.cli.failure import BadInput
    from parahost.cli.outputs import open_output
    from parahost.simulation import Simulation
    from parahost.simulation.scenario_files import load_scenario

    chosen = _scenario(None if scenario is None else load_scenario(scenario))
    shape = {
        "validators": validators,
        "parachains": parachains,
        "parathreads": parathreads,
        "slot_s": slot,
    }
    given: Any = {name: value for name, value in shape.items() if value is not None}
    chosen = replace(
        chosen,
        shape=replace(chosen.shape, **given),
        blocks=chosen.blocks if blocks is None else blocks,
    )
    if report is not None and trace is not None and report.resolve() == trace.resolve():
        raise BadInput(f"--trace {trace}: the report goes there; name another file")
    with ExitStack() as files:
        told, sink = (
            None if path is None else files.enter_context(open_output(option, path))
            for option, path in (("--report", report), ("--trace", trace))
        )
        simulation = Simulation(chosen, seed, trace_file=sink, sharing=sharing)
        if chosen.about:
            typer.echo(chosen.about, err=True)
        outcome = simulation.run(_Progress(chosen.blocks).show)
        if told is not None:
            told.write(json.dumps(outcome.report(), indent=2) + "\n")
    _tell(outcome)
    raise typer.Exit(0 if outcome.ok else BROKEN)


def _scenario(loaded: Scenario | None) -> Scenario:
    from parahost.simulation import Scenario

    return loaded or Scenario(about="a network without trouble")


class _Progress:
    """A line for each tenth of the way."""

    def __init__(self, blocks: int) -> None:
        self._blocks = blocks
        self._step = max(blocks // 10, 1)
        self._told = 0

    def show(self, block: RecordedBlock) -> None:
        if block.number >= min(self._told + self._step, self._blocks) > self._told:
            self._told = block.number
            typer.echo(f"block {block.number} of {self._blocks} at {block.at:.1f} s", err=True)


def _tell(outcome: Outcome) -> None:
    statistics = outcome.statistics
    typer.echo(f"digest     {outcome.digest}")
    typer.echo(
        f"blocks     {statistics['blocks']}, {statistics['finalized']} final, "
        f"{statistics['forks']} on forks"
    )
    included = ", ".join(f"{para}: {n}" for para, n in statistics["included"].items())
    typer.echo(f"included   {included or 'no paras'}; {statistics['timed_out']} timed out")
    stages = ", ".join(f"{n} {stage}" for stage, n in statistics["parablocks"].items())
    typer.echo(f"parablocks {stages}")
    for what in ("inclusion", "finality"):
        times = statistics[f"seconds_to_{what}"]
        if times is not None:
            typer.echo(
                f"to {what:<9} {times['least']:.1f} s at least, {times['median']:.1f} s median, "
                f"{times['p90']:.1f} s for nine in ten, {times['most']:.1f} s at most"
            )
    _tell_verdicts(statistics)
    typer.echo("messages")
    for name, count in statistics["messages"].items():
        typer.echo(f"  {name:<18} {count:>9}  {statistics['bytes'][name]:>12} bytes")
    for what in ("faults", "misbehaviour"):
        if statistics[what]:
            counts = ", ".join(f"{n} {name}" for name, n in statistics[what].items())
            typer.echo(f"{what:<10} {counts}")
    if statistics["faults_not_over"]:
        left = statistics["faults_not_over"]
        typer.echo(f"not over   {left} of the faults: what must hold after them was not judged")
    typer.echo("verdicts")
    for name, verdict in outcome.verdicts.items():
        typer.echo(f"  {name:<26} {verdict}")
    typer.echo(
        f"speed      {outcome.virtual_s:.0f} s in {outcome.real_s:.1f} s: "
        f"{outcome.speed_ratio:.1f} times real time"
    )


def _tell_verdicts(statistics: Mapping[str, Any]) -> None:
    """Checks; and disputes and punishments, if there were any."""
    from parahost.runtime.balances import UNIT

    checks, disputes = statistics["checks"], statistics["disputes"]
    tranches = ", ".join(f"{n} in {tranche}" for tranche, n in checks["tranches"].items())
    typer.echo(
        f"accepted   {checks['accepted']} by {checks['assigned']} checks"
        f"{f', by tranche: {tranches}' if tranches else ''}; {checks['no_shows']} were late, "
        f"{checks['undelivered']} did not come"
    )
    if any(disputes.values()):
        ends = ", ".join(f"{n} {end.replace('_', ' ')}" for end, n in disputes.items())
        typer.echo(f"disputes   {ends}")
    if statistics["punished"]:
        counts = ", ".join(f"{n} {name}" for name, n in statistics["punished"].items())
        typer.echo(f"punished   {counts}")
        lost = ", ".join(f"{n / UNIT:.2f} of {name}" for name, n in statistics["slashed"].items())
        typer.echo(f"slashed    {lost}")
        by_stake: dict[int, list[str]] = {}
        for name, stake in statistics["stakes"].items():
            by_stake.setdefault(stake, []).append(name)
        for stake, names in sorted(by_stake.items()):
            typer.echo(f"stake      {stake / UNIT:.2f} left to {', '.join(names)}")
