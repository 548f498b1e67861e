"""docs/ARCHITECTURE.md tells of the house as it is."""

from __future__ import annotations

import re
from configparser import ConfigParser

from parahost.node.subsystems import declared_graph
from tests.docs.message_graph import PAGE, section, shown

ROOT = PAGE.parents[1]
HOUSE = ROOT / "src/parahost"


def test_the_message_graph_is_the_programs() -> None:
    assert shown(PAGE.read_text()) == section(declared_graph())


def test_the_section_has_every_edge() -> None:
    edges = [
        ("a", "Go", "b"),
        ("a", "Stop", "b"),
        ("a", "RuntimeCall", "runtime-api"),
        ("b", "RuntimeCall", "runtime-api"),
    ]
    text = section(edges)
    assert 'a -- "Go<br/>Stop" --> b' in text
    assert "| runtime-api | `RuntimeCall` | a, b |" in text


def test_every_file_that_is_named_is_there() -> None:
    named = re.findall(r"`([\w/.]+\.(?:py|md))`", PAGE.read_text())
    assert len(named) > 40
    missing = [name for name in named if not (HOUSE / name).exists() and not (ROOT / name).exists()]
    assert not missing


def test_the_rooms_are_the_import_contracts_rooms() -> None:
    contracts = ConfigParser()
    contracts.read(ROOT / ".importlinter")
    layers = contracts["importlinter:contract:house"]["layers"]
    rooms = re.findall(r"^\| `([\w/]+)/` \|", PAGE.read_text(), re.MULTILINE)
    ruled = re.findall(r"\w+", layers)
    coming = {"rpc", "explorer"}
    assert [room for room in ruled if room in rooms] == [r for r in ruled if r not in coming]
