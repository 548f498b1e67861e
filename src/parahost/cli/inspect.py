"""``parahost inspect``: a look inside."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Look inside.", no_args_is_help=True)


@app.callback()
def inspect() -> None:
    """Look inside."""


@app.command()
def graph() -> None:
    """Print the declared message graph of a node: who says what to whom, a line each."""
    from parahost.node.subsystems import declared_graph

    edges = declared_graph()
    width = max(len(sender) for sender, _, _ in edges)
    for sender, message, receiver in edges:
        typer.echo(f"{sender:<{width}}  --{message}-->  {receiver}")


@app.command()
def trace(
    file: Annotated[Path, typer.Argument(help="What `parahost simulate --trace` has written.")],
    node: Annotated[str | None, typer.Option(help="Events of this node.")] = None,
    candidate: Annotated[
        str | None, typer.Option(help="About the candidate whose hash begins so.")
    ] = None,
    para: Annotated[int | None, typer.Option(help="About this para, and its candidates.")] = None,
    block: Annotated[
        str | None, typer.Option(help="About the block of this number, or whose hash begins so.")
    ] = None,
    event: Annotated[
        str | None, typer.Option(help="Events whose name begins so, e.g. `chain.`.")
    ] = None,
    since: Annotated[float | None, typer.Option(help="From this second of the run on.")] = None,
    until: Annotated[float | None, typer.Option(help="Up to this second of the run.")] = None,
) -> None:
    """Print the events of a simulation's trace that pass all filters, as lines of JSON."""
    from parahost.simulation.trace_filter import TraceFilter, read_trace

    wanted = TraceFilter(node, candidate, para, block, event, since, until)
    found = False
    for line in read_trace(file, wanted):
        found = True
        typer.echo(line)
    if not found:
        typer.echo("no event of the trace passes", err=True)


@app.command()
def candidate(
    hash: Annotated[str, typer.Argument(help="The candidate's hash, or how it begins.")],
    source: Annotated[
        Path,
        typer.Option(
            "--from",
            help="The base path of a devnet or a node, or what `parahost simulate --trace` has"
            " written.",
        ),
    ] = Path("devnet-data"),
) -> None:
    """Print one candidate's whole life: when what happened to it, at which nodes, who has backed,
    checked and disputed it, and what came of it."""
    from parahost.devnet.candidate_life import CandidateLife, told_in

    life = CandidateLife(hash)
    life.hear_all(told_in(source))
    for line in life.lines():
        typer.echo(line)
