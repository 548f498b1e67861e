"""The part of ``docs/GLOSSARY.md`` that is made from the code: its classes, by what they say of
themselves; and the names that several modules define.

``python -m tests.docs.glossary`` puts the table into the page anew.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "parahost"
PAGE = ROOT / "docs" / "GLOSSARY.md"
BEGIN = "<!-- The classes: made by `python -m tests.docs.glossary`. -->\n"
END = "<!-- End of the classes. -->\n"
ROOMS = ("primitives", "ports", "approval", "runtime", "chain", "consensus", "node")
"""Whose classes the page lists: what a reader of the host meets."""


def modules() -> Iterator[tuple[str, ast.Module]]:
    """Each module's path below ``src/parahost``, and what stands in it."""
    for path in sorted(SOURCE.rglob("*.py")):
        yield str(path.relative_to(SOURCE)), ast.parse(path.read_text())


def first_sentence(text: str) -> str:
    """Of a docstring, as one line of Markdown."""
    paragraph = " ".join(text.split("\n\n", maxsplit=1)[0].split())
    sentence = re.split(r"(?<=[.])\s", paragraph)[0]
    plain = re.sub(r":\w+:`[~.]*([^`]*)`", r"`\1`", sentence).replace("``", "`")
    return plain.replace("|", "\\|")


def table() -> str:
    """The public classes of :data:`ROOMS` that say what they are."""
    rows = []
    for module, tree in modules():
        if module.split("/")[0] not in ROOMS:
            continue
        for each in tree.body:
            told = ast.get_docstring(each) if isinstance(each, ast.ClassDef) else None
            if isinstance(each, ast.ClassDef) and told and not each.name.startswith("_"):
                rows.append((each.name, module, first_sentence(told)))
    lines = ["| name | where | what |", "| --- | --- | --- |"]
    lines += [f"| `{name}` | `{module}` | {told} |" for name, module, told in sorted(rows)]
    return "\n".join(lines) + "\n"


def shown(page: str) -> str:
    """The table that the page has."""
    return page.split(BEGIN)[1].split(END, maxsplit=1)[0]


def defined_twice() -> dict[str, list[str]]:
    """Public names of classes, types and constants that more than one module defines, without type
    variables, with the modules."""
    homes: dict[str, list[str]] = defaultdict(list)
    for module, tree in modules():
        for each in tree.body:
            for name in _names(each):
                homes[name].append(module)
    return {name: where for name, where in sorted(homes.items()) if len(where) > 1}


def _names(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, ast.ClassDef):
        names = [statement.name]
    elif isinstance(statement, ast.Assign):
        if isinstance(statement.value, ast.Call) and "TypeVar" in ast.unparse(statement.value.func):
            return
        names = [target.id for target in statement.targets if isinstance(target, ast.Name)]
    elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        names = [statement.target.id]
    else:
        return
    yield from (name for name in names if name[0].isupper())


def main() -> None:
    before, rest = PAGE.read_text().split(BEGIN)
    PAGE.write_text(before + BEGIN + table() + END + rest.split(END)[1])


if __name__ == "__main__":
    main()
