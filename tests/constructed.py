"""What a part of the program makes: the names that are called in its source."""

from __future__ import annotations

import ast
from pathlib import Path

HOUSE = Path(__file__).parents[1] / "src/parahost"


def constructed_in(room: str) -> set[str]:
    """The names of all that is called anywhere in a room of the house, raised without arguments,
    or handed on as something to be called."""
    names: set[str] = set()
    for file in sorted((HOUSE / room).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call):
                names.update(one.id for one in (node.func, *node.args) if isinstance(one, ast.Name))
            elif isinstance(node, ast.Raise) and isinstance(node.exc, ast.Name):
                names.add(node.exc.id)
    return names
