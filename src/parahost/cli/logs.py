"""``parahost logs``: what a devnet's nodes have written down, and write."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def logs(
    subject: Annotated[
        str,
        typer.Argument(metavar="NODE|CANDIDATE", help="A node, or how a candidate's hash begins."),
    ],
    source: Annotated[
        Path, typer.Option("--from", help="The base path of a devnet or a node.")
    ] = Path("devnet-data"),
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what comes, until Ctrl-C.")
    ] = False,
) -> None:
    """Print a node's log; or the lines of all nodes about one candidate, in the order of time.

    `parahost inspect candidate` puts the latter together to a life.
    """
    import sys
    import time

    from parahost.devnet.logs import lines_about

    for line in lines_about(subject, source, follow=follow, wait=time.sleep):
        print(line)
        if follow:
            sys.stdout.flush()
