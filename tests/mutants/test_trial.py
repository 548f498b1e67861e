"""A trial tells what is noticed from what survives, and both from what was not tried."""

from __future__ import annotations

import py_compile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mutants.__main__ import SLOWEST, report, slowest
from tests.mutants.faults import Fault
from tests.mutants.trial import Copy, Outcome, Verdict, try_fault

SOURCE = "def double(n):\n    return n + n\n"


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Copy]:
    """One that keeps what it compiles."""
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    (tmp_path / "double.py").write_text(SOURCE)
    (tmp_path / "test_double.py").write_text(
        "from double import double\n\ndef test_it():\n    assert double(2) == 4\n"
    )
    with Copy(tmp_path) as copy:
        yield copy


def _fault(was: str, becomes: str) -> Fault:
    return Fault("a fault", "double.py", was, becomes, ("test_double.py",))


def test_its_verdict(copy: Copy) -> None:
    assert copy.passes(["test_double.py"])
    for fault, verdict, where in (
        (_fault("n + n", "n + 3"), Verdict.NOTICED, "double.py:2"),
        (_fault("n + n", "n + 2"), Verdict.SURVIVES, "double.py:2"),
        (_fault("n * 2", "n * 3"), Verdict.NOT_TRIED, "double.py has its text 0 times"),
        (_fault("def double", "def twice"), Verdict.NOT_TRIED, "double.py:1: pytest ends with 2"),
    ):
        assert try_fault(copy, fault) == Outcome("a fault", verdict, where)
        assert (copy.root / "double.py").read_text() == SOURCE


def test_what_was_compiled_goes_with_each_change_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "double.py"
    file.write_text(SOURCE)

    def compiled() -> list[Path]:
        return list((tmp_path / "__pycache__").iterdir())

    py_compile.compile(str(file))
    assert compiled()
    with _fault("n + n", "n + 3").planted(tmp_path):
        assert not compiled()
        py_compile.compile(str(file))
    assert not compiled()


def test_the_report_names_all_that_are_not_noticed() -> None:
    outcomes = [
        Outcome("one", Verdict.NOTICED, "a.py:1"),
        Outcome("two", Verdict.NOT_TRIED, "b.py has its text 0 times"),
        Outcome("three", Verdict.SURVIVES, "c.py:7"),
    ]
    assert report(outcomes).splitlines() == [
        "SURVIVES: three (c.py:7)",
        "NOT TRIED: two (b.py has its text 0 times)",
        "1 of 3 planted faults are noticed",
    ]


def test_the_slowest_are_told() -> None:
    trials = [
        (Outcome(f"of {seconds} s", Verdict.NOTICED, "a.py:1"), float(seconds))
        for seconds in range(SLOWEST + 2)
    ]
    told = slowest(trials).splitlines()
    assert told[1] == "   11.0 s  of 11 s"
    assert len(told) == 1 + SLOWEST
