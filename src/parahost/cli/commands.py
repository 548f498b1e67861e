"""All commands of ``parahost``."""

from __future__ import annotations

from typing import Annotated

import typer

from parahost import __version__
from parahost.cli import (
    call,
    chain_spec,
    devnet,
    hunt,
    inspect,
    keys,
    logs,
    new,
    node,
    para,
    pvf,
    query,
    simulate,
)

app = typer.Typer(
    name="parahost",
    help="The Polkadot Parachain Host: a relay chain and its parachains.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"parahost {__version__}")
        raise typer.Exit


@app.callback()
def _parahost(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    pass


app.add_typer(devnet.app, name="devnet")
app.command("node")(node.node)
app.command("new")(new.new)
app.command("logs")(logs.logs)
app.command("call")(call.call)
app.command("query")(query.query)
app.command("events")(query.events)
app.add_typer(para.app, name="para")
simulate.app.command("hunt")(hunt.hunt)
app.add_typer(simulate.app, name="simulate")
app.add_typer(pvf.app, name="pvf")
app.add_typer(keys.app, name="keys")
app.add_typer(chain_spec.app, name="chain-spec")
app.add_typer(inspect.app, name="inspect")
