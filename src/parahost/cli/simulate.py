"""``parahost simulate``: a whole network in this process, replayable from its seed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer.core import TyperGroup

if TYPE_CHECKING:
    from parahost.simulation.harness import Outcome


class RunsByDefault(TyperGroup):
    """``parahost simulate`` without the name of a command of its own runs a network."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        if not args or args[0] not in (*self.commands, "--help"):
            args = ["run", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=RunsByDefault, help="Run a whole network in one process: deterministic and judged."
)


@app.command()
def run(
    validators: Annotated[int, typer.Option(help="How many validators.")] = 4,
    parachains: Annotated[int, typer.Option(help="How many parachains.")] = 2,
    parathreads: Annotated[int, typer.Option(help="How many parathreads.")] = 0,
    blocks: Annotated[int, typer.Option(help="Run until this relay block.")] = 20,
    seed: Annotated[int, typer.Option(help="What all chance comes from.")] = 1,
    slot: Annotated[float, typer.Option(help="Seconds per slot.")] = 6.0,
    report: Annotated[Path | None, typer.Option(help="Write a JSON report there.")] = None,
    trace: Annotated[
        Path | None, typer.Option(help="Write every event there, as lines of JSON.")
    ] = None,
    sharing: Annotated[
        bool, typer.Option(help="Compute pure results once for all nodes of the process.")
    ] = True,
) -> None:
    """Run a network in virtual time, tell what happened, and judge it.

    The same options and seed give the same digest, on every machine. Exit status 0: all verdicts
    hold; 1: one is broken; 2: the input cannot be used.
    """
    import json
    from contextlib import ExitStack

    from parahost.simulation import Scenario, Shape, Simulation

    shape = Shape(validators, parachains, parathreads, slot)
    scenario = Scenario(shape=shape, blocks=blocks)
    with ExitStack() as files:
        sink = None if trace is None else files.enter_context(trace.open("w", encoding="utf-8"))
        simulation = Simulation(scenario, seed, trace_file=sink, sharing=sharing)
        outcome = simulation.run(_Progress(scenario.blocks).show)
    _tell(outcome)
    if report is not None:
        report.write_text(json.dumps(outcome.report(), indent=2) + "\n")
    raise typer.Exit(0 if outcome.ok else 1)


class _Progress:
    """A line for each tenth of the way."""

    def __init__(self, blocks: int) -> None:
        self._blocks = blocks
        self._step = max(blocks // 10, 1)
        self._told = 0

    def show(self, block: object) -> None:
        from parahost.simulation.record import RecordedBlock

        assert isinstance(block, RecordedBlock)
        if block.number >= self._told + self._step or block.number == self._blocks:
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
    typer.echo("messages")
    for name, count in statistics["messages"].items():
        typer.echo(f"  {name:<18} {count:>9}  {statistics['bytes'][name]:>12} bytes")
    for what in ("faults", "misbehaviour"):
        if statistics[what]:
            counts = ", ".join(f"{n} {name}" for name, n in statistics[what].items())
            typer.echo(f"{what:<10} {counts}")
    typer.echo("verdicts")
    for name, verdict in outcome.verdicts.items():
        typer.echo(f"  {name:<26} {verdict}")
    typer.echo(
        f"speed      {outcome.virtual_s:.0f} s in {outcome.real_s:.1f} s: "
        f"{outcome.speed_ratio:.1f} times real time"
    )
