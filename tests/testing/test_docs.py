"""The examples of docs/TESTING.md work as they stand there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from parahost.testing import NetworkUnderTest, SimulatedNetwork

TEXT = (Path(__file__).parents[2] / "docs/TESTING.md").read_text()
TEST, PROGRAM = (part.split("```")[0] for part in TEXT.split("```python\n")[1:])


def test_the_test_passes(simulated: Callable[..., SimulatedNetwork]) -> None:
    names: dict[str, Any] = {}
    exec(compile(TEST, "TESTING.md, the test", "exec"), names)
    names["test_blocks_become_final"](simulated)


def test_the_program_runs() -> None:
    names: dict[str, Any] = {}
    exec(compile(PROGRAM, "TESTING.md, the program", "exec"), names)
    assert names["network"].height(2001, finalized=True) == 1


def test_each_wait_is_there() -> None:
    listed = [line.split("(")[0].lstrip("| `") for line in TEXT.splitlines() if "| `wait_" in line]
    assert listed and set(listed) == {
        name for name in dir(NetworkUnderTest) if name.startswith("wait_")
    }
