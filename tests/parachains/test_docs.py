"""The parachain of docs/PARACHAINS.md is the one that ``parahost new`` writes."""

from __future__ import annotations

import re
from pathlib import Path

from parahost.parachains.new_project import write_project

DOCS = Path(__file__).parents[2] / "docs/PARACHAINS.md"
FILE = re.compile(r"^`(\w+\.\w+)`\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_page_shows_what_is_written(tmp_path: Path) -> None:
    write_project(tmp_path / "counter", "c")
    shown = FILE.findall(DOCS.read_text())
    assert [name for name, _ in shown] == ["validation.c", "counter_collator.py", "counter.toml"]
    for name, text in shown:
        assert text == (tmp_path / "counter" / name).read_text()
