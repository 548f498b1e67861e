"""Runs pytest again and again, each time in a fork, so that what all runs need is imported once.

A line of JSON on standard input names the tests, and a line on standard output answers with
pytest's exit status: ``null`` when the tests hang. Nothing of this project is imported here: each
fork imports it as it stands then.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import select
import signal
import sys
from collections.abc import Sequence

import pytest

IMPORTED_ONCE = (
    "_hypothesis_pytestplugin",
    "coincurve",
    "cryptography.hazmat.primitives.asymmetric.ed25519",
    "doctest",
    "hypothesis",
    "immutables",
    "lmdb",
    "numpy",
    "pytest_trio.plugin",
    "rbcl",
    "reed_solomon_leopard",
    "sr25519",
    "trio",
    "wasmtime",
    "xxhash",
)
"""What others have written; a quarter of what the imports of a test take."""
OPTIONS = (
    "-x",
    "-q",
    "--no-header",
    "-pno:anyio",  # plugins that nothing here uses, and half of what starting pytest takes
    "-pno:xdist",
    "-pno:xdist.looponfail",
    "--hypothesis-seed=0",  # a fault that is noticed once is noticed always
    "-Wignore::pytest.PytestAssertRewriteWarning",  # of what is imported above
)


def main() -> None:
    for name in IMPORTED_ONCE:
        importlib.import_module(name)
    gc.freeze()  # no fork looks through it
    for line in sys.stdin:
        print(json.dumps(run(**json.loads(line))), flush=True)


def run(tests: Sequence[str], limit_s: float | None, quiet: bool) -> int | None:
    """pytest's exit status; ``None`` when the tests take longer. Whatever they started ends."""
    child = os.fork()
    if child == 0:
        _use_no_pipes(quiet)
        sys.exit(pytest.main([*OPTIONS, *tests]))
    descriptor = os.pidfd_open(child)
    has_ended, _, _ = select.select([descriptor], [], [], limit_s)
    os.close(descriptor)
    os.killpg(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) if has_ended else None


def _use_no_pipes(quiet: bool) -> None:
    """Lead a process group, and leave standard input and output to whom this process answers."""
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing if quiet else 2, 1)
    if quiet:
        os.dup2(nothing, 2)


if __name__ == "__main__":
    main()
