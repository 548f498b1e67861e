"""``python -m parahost.cli.zygote``: everything that a node needs, imported once; see
:mod:`parahost.devnet.zygote`."""

from __future__ import annotations

import parahost.process.run_node
from parahost.cli.main import commands, run
from parahost.devnet.zygote import serve

__all__ = ["parahost"]

_SAMPLE = "--name a --role full --chain b --base-path c --listen d --rpc-port 0 --collator-ban 1"


def rehearse() -> None:
    """Read a node's command line, without running it: typer makes its commands, and imports what it
    reads values with, when the first is read. Of that the forks need nothing again."""
    commands().commands["node"].make_context("node", _SAMPLE.split())


if __name__ == "__main__":
    rehearse()
    serve(run)
