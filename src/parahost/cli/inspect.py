"""``parahost inspect``: a look inside."""

from __future__ import annotations

import typer

app = typer.Typer(help="Look inside.", no_args_is_help=True)


@app.callback()
def inspect() -> None:
    """Look inside."""


@app.command()
def graph() -> None:
    """Print the declared message graph: who says what to whom."""
    from parahost.node.node import declared_graph

    width = max(len(sender) for sender, _, _ in declared_graph())
    for sender, message, receiver in declared_graph():
        typer.echo(f"{sender:<{width}}  --{message}-->  {receiver}")
