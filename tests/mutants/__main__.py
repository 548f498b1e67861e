"""``python -m tests.mutants [WORD ...]``: plant each fault of the list, or those whose name has one
of the words in it, and see the tests fail. Fails when they do not.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

from tests.mutants.faults import BadFault, Fault, read_faults

ROOT = Path(__file__).parents[2]
LIST = Path(__file__).with_name("faults.toml")
COPIES = 2
"""Faults that are tried at a time."""
LIMIT_S = 120.0
"""Tests that hang under a fault have noticed it."""
TESTS_FAILED = 1
"""pytest's exit status; that of a collection that failed is another."""


def main(words: Sequence[str]) -> int:
    faults = [
        fault
        for fault in read_faults(LIST)
        if not words or any(word in fault.name for word in words)
    ]
    with tempfile.TemporaryDirectory(prefix="parahost-mutants-") as folder:
        copies: SimpleQueue[Path] = SimpleQueue()
        for number in range(COPIES):
            copies.put(_copy(Path(folder) / str(number)))
        if not _are_sound(copies, faults):
            return 1
        with ThreadPoolExecutor(COPIES) as threads:
            verdicts = list(threads.map(lambda fault: _try(fault, copies), faults))
    survivors = [fault for fault, killed in zip(faults, verdicts, strict=True) if not killed]
    print(f"{len(faults) - len(survivors)} of {len(faults)} planted faults are noticed")
    return 1 if survivors else 0


def _copy(to: Path) -> Path:
    for part in ("src", "tests", "docs"):
        shutil.copytree(ROOT / part, to / part, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "Makefile", "README.md"):
        shutil.copy(ROOT / file, to)
    return to


def _are_sound(copies: SimpleQueue[Path], faults: Sequence[Fault]) -> bool:
    """Whether all the named tests pass without a fault; else none could be said to kill one."""
    copy = copies.get()
    tests = sorted({test for fault in faults for test in fault.killed_by})
    try:
        return _run(copy, tests, quiet=False) == 0
    finally:
        copies.put(copy)


def _try(fault: Fault, copies: SimpleQueue[Path]) -> bool:
    copy = copies.get()
    try:
        line = fault.line(copy)
        with fault.planted(copy):
            killed = _run(copy, fault.killed_by, quiet=True) in (TESTS_FAILED, None)
    except BadFault as error:
        print(f"BAD ENTRY  {error}", flush=True)
        return False
    finally:
        copies.put(copy)
    print(f"{'noticed ' if killed else 'SURVIVES'}  {fault.file}:{line}  {fault.name}", flush=True)
    return killed


def _run(copy: Path, tests: Sequence[str], *, quiet: bool) -> int | None:
    """pytest's exit status there; ``None`` when the tests hang."""
    output = subprocess.DEVNULL if quiet else None
    path = os.pathsep.join((str(copy / "src"), str(copy)))
    process = subprocess.Popen(
        [sys.executable, "-B", "-m", "pytest", "-x", "-q", "--no-header", *tests],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=output,
        stderr=output,
        start_new_session=True,
    )
    try:
        return process.wait(LIMIT_S if quiet else None)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        process.wait()
        return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
