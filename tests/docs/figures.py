"""How large the house is: ``python -m tests.docs.figures [FOLDER]`` prints what
``docs/ARCHITECTURE.md`` says of it. FOLDER is ``src/parahost`` of this or another version."""

from __future__ import annotations

import ast
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import TypeGuard

HOUSE = Path(__file__).parents[2] / "src/parahost"
LONG_FUNCTION = 60
LONG_FILE = 500
RUNS = (10, 6)
"""Of so many lines are runs that stand in two places."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def code_lines(text: str, *, imports: bool = True) -> list[str]:
    """Lines without blank ones, comments and docstrings, and without their margin."""
    left_out = {
        number
        for node in ast.walk(ast.parse(text))
        if _is_docstring(node) or (not imports and isinstance(node, ast.Import | ast.ImportFrom))
        for number in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    return [
        line.strip()
        for number, line in enumerate(text.splitlines(), 1)
        if number not in left_out and line.strip() and not line.strip().startswith("#")
    ]


def _is_docstring(node: ast.AST) -> TypeGuard[ast.Expr]:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def functions(text: str) -> list[int]:
    """The lengths of all functions, from their first line to their last."""
    found = (node for node in ast.walk(ast.parse(text)) if isinstance(node, Function))
    return [(node.end_lineno or node.lineno) - node.lineno + 1 for node in found]


def repeated(texts: dict[Path, str], length: int) -> int:
    """Pairs of places that have equal runs of so many lines. Imports do not count, nor does
    what has no word in it; of runs that overlap, one."""
    places: dict[tuple[str, ...], list[tuple[Path, int]]] = {}
    for file, text in texts.items():
        lines = [line for line in code_lines(text, imports=False) if any(map(str.isalnum, line))]
        for start in range(len(lines) - length + 1):
            places.setdefault(tuple(lines[start : start + length]), []).append((file, start))
    pairs = {pair for where in places.values() for pair in pairwise(sorted(where))}
    return sum(not _continues(pair, pairs) for pair in pairs)


def _continues(
    pair: tuple[tuple[Path, int], tuple[Path, int]],
    pairs: set[tuple[tuple[Path, int], tuple[Path, int]]],
) -> bool:
    """Whether the run begins a line earlier."""
    (one, first), (other, second) = pair
    return ((one, first - 1), (other, second - 1)) in pairs


def figures(house: Path) -> Iterator[tuple[str, int]]:
    texts = {file: file.read_text() for file in sorted(house.rglob("*.py"))}
    lengths = [length for text in texts.values() for length in functions(text)]
    yield "functions", len(lengths)
    yield f"functions of more than {LONG_FUNCTION} lines", sum(n > LONG_FUNCTION for n in lengths)
    files = [len(text.splitlines()) for text in texts.values()]
    yield f"files of more than {LONG_FILE} lines", sum(n > LONG_FILE for n in files)
    for length in RUNS:
        yield f"pairs of places with equal runs of {length} lines", repeated(texts, length)
    rooms: Counter[str] = Counter()
    for file, text in texts.items():
        rooms[file.relative_to(house).parts[0]] += len(code_lines(text))
    yield "lines of code", rooms.total()
    for room in sorted(room for room in rooms if not room.endswith(".py")):
        yield f"lines of code in {room}", rooms[room]


if __name__ == "__main__":
    for what, number in figures(Path(sys.argv[1]) if len(sys.argv) > 1 else HOUSE):
        print(f"{number:>7,}  {what}")
