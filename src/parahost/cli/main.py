"""``parahost``: the commands."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import typer

from parahost.cli import chain_spec, devnet, inspect, keys, node, pvf, simulate
from parahost.cli.failure import BAD_INPUT, explain

app = typer.Typer(
    name="parahost",
    help="The Polkadot Parachain Host: a relay chain and its parachains.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("devnet")(devnet.devnet)
app.command("node")(node.node)
app.add_typer(simulate.app, name="simulate")
app.add_typer(pvf.app, name="pvf")
app.add_typer(keys.app, name="keys")
app.add_typer(chain_spec.app, name="chain-spec")
app.add_typer(inspect.app, name="inspect")


def run(argv: Sequence[str]) -> int:
    """Run one command line; gives the exit status. What is wrong with the input is told in one
    line; what is wrong with the program is told in full."""
    try:
        status = app(list(argv), standalone_mode=False)
    except typer.Exit as end:
        return end.exit_code
    except typer.Abort:
        return 130
    except KeyboardInterrupt:
        return 130
    except BaseException as error:
        line = explain(error)
        if line is None:
            raise
        print(f"parahost: {line}", file=sys.stderr)
        return BAD_INPUT
    return status if isinstance(status, int) else 0


def main() -> None:
    sys.exit(run(sys.argv[1:]))
