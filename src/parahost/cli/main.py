"""``parahost``: from the command line to the exit status."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typer.core import TyperGroup

INTERRUPTED = 130
NOBODY_READS = 1
"""What typer gives, too, for a command that wrote into a closed pipe."""


def run(argv: Sequence[str]) -> int:
    """Run one command line; gives the exit status. What is wrong with the input is told in one
    line; what is wrong with the program is told in full."""
    try:
        status = _run(argv)
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        return _without_a_reader()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BaseExceptionGroup as group:
        if group.split(BrokenPipeError)[1] is None:
            return _without_a_reader()
        if group.split(KeyboardInterrupt)[1] is not None:
            raise
        return INTERRUPTED


def _run(argv: Sequence[str]) -> int:
    # Imported here so that who interrupts the imports sees no traceback either.
    import typer

    from parahost.cli.failure import exit_status, explain

    try:
        status = commands()(list(argv), standalone_mode=False)
    except typer.Exit as end:
        return end.exit_code
    except typer.Abort:
        return INTERRUPTED
    except BrokenPipeError:
        raise
    except BaseException as error:
        line = explain(error)
        if line is None:
            raise
        if line:  # else the command has shown its help
            print(f"parahost: {line}", file=sys.stderr)
        return exit_status(error)
    return status if isinstance(status, int) else 0


@cache
def commands() -> TyperGroup:
    """All commands, ready to read command lines; made once in a process and its forks."""
    from typer.main import get_group

    from parahost.cli.commands import app

    return get_group(app)


def _without_a_reader() -> int:
    """Who read our output has what it wanted (``| head``). What is still buffered goes nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
    return NOBODY_READS


def main() -> None:
    sys.exit(run(sys.argv[1:]))
