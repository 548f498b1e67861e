"""``parahost inspect``: a look inside."""

from __future__ import annotations

import typer

app = typer.Typer(help="Look inside.", no_args_is_help=True)


@app.callback()
def inspect() -> None:
    """Look inside."""


@app.command()
def graph() -> None:
    """Print the declared message graph of a node: who says what to whom, a line each."""
    from parahost.node.node import declared_graph

    edges = declared_graph()
    width = max(len(sender) for sender, _, _ in edges)
    for sender, message, receiver in edges:
        typer.echo(f"{sender:<{width}}  --{message}-->  {receiver}")
