"""docs/OPERATIONS.md tells of every event that a node records, and of no other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAME = re.compile(r"[a-z]+\.[a-z_]*[a-z]")
ROOMS_WITHOUT_A_NODE = {"simulation"}


def rows() -> set[str]:
    logs = (ROOT / "docs/OPERATIONS.md").read_text().partition("\n## Logs")[2].partition("\n## ")[0]
    shown = [line for line in logs.splitlines() if line.startswith("| ") and "`" in line]
    return {name for line in shown for name in re.findall(r"`([a-z]+\.[a-z_]+)`", line)}


def modules() -> Iterator[ast.Module]:
    source = ROOT / "src/parahost"
    for file in sorted(source.rglob("*.py")):
        if file.relative_to(source).parts[0] not in ROOMS_WITHOUT_A_NODE:
            yield ast.parse(file.read_text())


def recorded() -> tuple[set[str], set[str]]:
    """Names that calls of ``record`` give, and the beginnings of those that they put together."""
    names, beginnings = set(), set()
    for node in (node for module in modules() for node in ast.walk(module)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        if node.func.attr not in ("record", "_record"):
            continue
        for part in (part for argument in node.args for part in ast.walk(argument)):
            if isinstance(part, ast.JoinedStr) and isinstance(part.values[0], ast.Constant):
                beginnings.add(str(part.values[0].value))
            elif isinstance(part, ast.Constant) and NAME.fullmatch(str(part.value)):
                names.add(str(part.value))
    return names, beginnings


def literals() -> set[str]:
    return {
        node.value
        for module in modules()
        for node in ast.walk(module)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def test_every_event_has_its_row() -> None:
    names, _ = recorded()
    assert len(names) > 60
    assert names - rows() == set()


def test_every_row_is_an_event() -> None:
    names, beginnings = recorded()
    others = rows() - names - literals()
    assert {name for name in others if not name.startswith(tuple(beginnings))} == set()
