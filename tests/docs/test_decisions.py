"""docs/DECISIONS.md has each decision and each line of the guide that anything cites."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/DECISIONS.md").read_text()
FILES = [
    path
    for folder, pattern in (("src", "*.py"), ("tests", "*.py"), ("docs", "*.md"))
    for path in sorted((ROOT / folder).rglob(pattern))
] + [ROOT / "README.md"]
CITATION = re.compile(r"(?<![\w/.#])([AD])(\d{1,3})(?![\w/.])")


def test_decisions_are_numbered_without_a_gap() -> None:
    numbers = [int(found) for found in re.findall(r"^\*\*D(\d+)", PAGE, re.MULTILINE)]
    assert numbers == list(range(1, 37))


def test_lines_are_numbered_without_a_gap() -> None:
    lines = PAGE.partition("## The lines of the guide")[2]
    numbers = [int(found) for found in re.findall(r"(?<!\()\bA(\d+)\b(?!\))", lines)]
    assert sorted(set(numbers)) == list(range(1, 117))


def test_what_is_cited_is_there() -> None:
    missing = set()
    for path in FILES:
        for kind, number in CITATION.findall(path.read_text()):
            limit = 116 if kind == "A" else 36
            if not 1 <= int(number) <= limit:
                missing.add((str(path.relative_to(ROOT)), kind + number))
    assert missing == set()
