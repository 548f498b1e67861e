"""Plant each fault of the list in a copy of the source, and see its tests fail. Fails when a fault
is not noticed or cannot be tried, and names it.
"""

from __future__ import annotations

import argparse
import compileall
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue

from tests.mutants.faults import Fault, read_faults
from tests.mutants.trial import Copy, Outcome, Verdict, try_fault

ROOT = Path(__file__).parents[2]
LIST = Path(__file__).with_name("faults.toml")
COPIES = 2
"""Faults that are tried at a time."""
SLOWEST = 10


def main(arguments: Sequence[str] | None = None) -> int:
    faults = _chosen(_parser().parse_args(arguments).words)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="parahost-mutants-")))
        copies = [stack.enter_context(Copy(root)) for root in _copied(folder)]
        threads = stack.enter_context(ThreadPoolExecutor(COPIES))
        if not all(threads.map(Copy.passes, copies, _shares(faults))):
            print("without a fault, these tests fail: none could be said to notice one")
            return 1
        idle: SimpleQueue[Copy] = SimpleQueue()
        for copy in copies:
            idle.put(copy)
        trials = list(threads.map(lambda fault: _tried(fault, idle), faults))
    outcomes = [outcome for outcome, _ in trials]
    print(slowest(trials))
    print(report(outcomes))
    return 0 if all(outcome.verdict is Verdict.NOTICED for outcome in outcomes) else 1


def slowest(trials: Sequence[tuple[Outcome, float]]) -> str:
    """Which faults take longest, and how many seconds: for these a narrower test pays."""
    longest = sorted(trials, key=lambda trial: trial[1], reverse=True)[:SLOWEST]
    lines = [f"{took_s:7.1f} s  {outcome.name}" for outcome, took_s in longest]
    return "\n".join(["the slowest:", *lines])


def report(outcomes: Sequence[Outcome]) -> str:
    """How many are noticed, and each that is not by its name."""
    lines = [
        f"{outcome.verdict.value}: {outcome.name} ({outcome.where})"
        for verdict in (Verdict.SURVIVES, Verdict.NOT_TRIED)
        for outcome in outcomes
        if outcome.verdict is verdict
    ]
    noticed = sum(outcome.verdict is Verdict.NOTICED for outcome in outcomes)
    return "\n".join([*lines, f"{noticed} of {len(outcomes)} planted faults are noticed"])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument(
        "words", metavar="WORD", nargs="*", help="try only faults whose name has one of the words"
    )
    return parser


def _chosen(words: Sequence[str]) -> list[Fault]:
    faults = read_faults(LIST)
    return [f for f in faults if not words or any(word in f.name for word in words)]


def _copied(folder: Path) -> list[Path]:
    """Copies of what the tests need, compiled."""
    first, *others = (folder / str(number) for number in range(COPIES))
    for part in ("src", "tests", "docs"):
        shutil.copytree(ROOT / part, first / part, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "Makefile", "README.md"):
        shutil.copy(ROOT / file, first)
    compileall.compile_dir(first, quiet=1)
    for other in others:
        shutil.copytree(first, other)
    return [first, *others]


def _shares(faults: Sequence[Fault]) -> list[list[str]]:
    """The tests of all faults, in one part for each copy."""
    tests = sorted({test for fault in faults for test in fault.killed_by})
    return [tests[first::COPIES] for first in range(COPIES)]


def _tried(fault: Fault, idle: SimpleQueue[Copy]) -> tuple[Outcome, float]:
    copy = idle.get()
    begun = time.monotonic()
    try:
        outcome = try_fault(copy, fault)
    finally:
        idle.put(copy)
    took_s = time.monotonic() - begun
    print(f"{outcome.verdict.value:9} {took_s:5.1f} s  {outcome.where}  {fault.name}", flush=True)
    return outcome, took_s


if __name__ == "__main__":
    sys.exit(main())
