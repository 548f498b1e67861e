"""One fault's trial: planted in a copy of the source, its tests run, taken out again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from tests.mutants.faults import BadFault, Fault

LIMIT_S = 60.0
"""Tests that hang under a fault have noticed it."""
TESTS_PASSED = 0
TESTS_FAILED = 1
"""pytest's exit status; that of a collection that failed is another."""


class Verdict(Enum):
    """What became of a planted fault."""

    NOTICED = "noticed"
    SURVIVES = "SURVIVES"
    NOT_TRIED = "NOT TRIED"
    """Its text is not in the file, or its tests do not even run."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """``where`` is the file and line of the fault, or why it was not tried."""

    name: str
    verdict: Verdict
    where: str


class Copy:
    """A copy of the source, and a process that runs its tests."""

    def __init__(self, root: Path) -> None:
        self.root = root
        path = os.pathsep.join((str(root / "src"), str(root)))
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(Path(__file__).with_name("nursery.py"))],
            cwd=root,
            env={**os.environ, "PYTHONPATH": path, "HYPOTHESIS_PROFILE": "explore"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Copy:
        return self

    def __exit__(self, *_error: object) -> None:
        self._process.communicate()

    def passes(self, tests: Sequence[str]) -> bool:
        """Whether these pass as the source stands; pytest says which do not."""
        return not tests or self.run(tests) == TESTS_PASSED

    def run(
        self, tests: Sequence[str], *, limit_s: float | None = None, quiet: bool = False
    ) -> int | None:
        """pytest's exit status there; ``None`` when the tests hang."""
        assert self._process.stdin is not None and self._process.stdout is not None
        request = {"tests": tests, "limit_s": limit_s, "quiet": quiet}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        if not (answer := self._process.stdout.readline()):
            raise RuntimeError("the process that runs the tests has died")
        status: int | None = json.loads(answer)
        return status


def try_fault(copy: Copy, fault: Fault) -> Outcome:
    """Whether the fault's tests notice it; afterwards the copy is as it was."""
    try:
        line = fault.line(copy.root)
        with fault.planted(copy.root):
            status = copy.run(fault.killed_by, limit_s=LIMIT_S, quiet=True)
    except BadFault as error:
        return Outcome(fault.name, Verdict.NOT_TRIED, error.why)
    where = f"{fault.file}:{line}"
    if status in (TESTS_FAILED, None):
        return Outcome(fault.name, Verdict.NOTICED, where)
    if status == TESTS_PASSED:
        return Outcome(fault.name, Verdict.SURVIVES, where)
    return Outcome(fault.name, Verdict.NOT_TRIED, f"{where}: pytest ends with {status}")
