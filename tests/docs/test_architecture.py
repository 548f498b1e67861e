"""docs/ARCHITECTURE.md tells of the house as it is."""

from __future__ import annotations

import re
from configparser import ConfigParser
from pathlib import Path

import pytest

from parahost.chain.sync import messages, sync
from parahost.consensus import fanout
from parahost.consensus.grandpa.commits import SIGNATURES_AT_ONCE
from parahost.network.limits import NetworkLimits
from parahost.node.gossip.catching_up import BATCH
from parahost.node.gossip.early import MAX_EARLY_BYTES
from parahost.node.subsystems import declared_graph
from parahost.primitives.limits import MIB
from parahost.runtime.parachains.validity import MAX_UNACCEPTED
from parahost.runtime.validity_parameters import DEFAULT_VALIDITY_CONFIGURATION
from tests.docs.message_graph import PAGE, section, shown

ROOT = PAGE.parents[1]
HOUSE = ROOT / "src/parahost"
COMING = {"explorer"}
"""Rooms that the rule of imports knows already."""


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


EXAMPLES = {
    "src/parahost/runtime/remarks.py",
    "simulation/faults/flapping.py",
    "simulation/checkers/slots.py",
}
"""What CONTRIBUTING.md shows how to make."""


def there(name: str) -> bool:
    return (HOUSE / name).exists() or (ROOT / name).exists()


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *sorted(PAGE.parent.glob("*.md"))], ids=lambda page: page.name
)
def test_every_file_that_is_named_is_there(page: Path) -> None:
    named = set(re.findall(r"`([\w/.]+/[\w.]+\.(?:py|md|toml))`", page.read_text())) - EXAMPLES
    assert not [name for name in named if not there(name) and not (page.parent / name).exists()]


def test_the_page_names_many_files() -> None:
    """Else the test before sees nothing."""
    assert len(set(re.findall(r"`[\w/]+\.py`", PAGE.read_text()))) > 150


def test_every_name_in_code_marks_is_in_the_code() -> None:
    sources = [*ROOT.glob("src/**/*.py"), *ROOT.glob("tests/**/*.py"), *ROOT.glob("bench/*.py")]
    texts = [path.read_text() for path in (*sources, ROOT / "Makefile", ROOT / "pyproject.toml")]
    known = {word for text in texts for word in re.findall(r"\w+", text)} | COMING
    prose = re.sub(r"```.*?```", "", PAGE.read_text(), flags=re.DOTALL)
    marked = re.findall(r"`([^`\n]+)`", prose)
    assert not [one for one in marked if set(re.findall(r"[A-Za-z_]\w+", one)) - known]


@pytest.mark.parametrize("way", ["A candidate's way", "A block's way"])
def test_each_step_of_a_way_has_a_file(way: str) -> None:
    (text,) = (part for part in PAGE.read_text().split("\n## ") if part.startswith(f"{way}\n"))
    steps = re.split(r"^(\d+)\. ", text, flags=re.MULTILINE)[1:]
    numbers, bodies = steps[::2], steps[1::2]
    assert numbers == [str(number) for number in range(1, len(bodies) + 1)]
    assert len(bodies) > 8
    for body in bodies:
        assert [name for name in re.findall(r"`([\w/.]+)`", body) if there(name)], body


def test_links_within_the_documents_lead_somewhere() -> None:
    for page in [ROOT / "README.md", *PAGE.parent.glob("*.md")]:
        for target, anchor in re.findall(
            r"\]\(([\w/]*(?:\.md)?)(?:#([\w-]+))?\)", page.read_text()
        ):
            other = page.parent / target if target else page
            assert other.exists(), (page.name, target)
            assert not anchor or anchor in anchors(other), (page.name, target, anchor)


def anchors(page: Path) -> set[str]:
    heads = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


NETWORK = NetworkLimits()
CHECKS = DEFAULT_VALIDITY_CONFIGURATION.approval


@pytest.mark.parametrize(
    "told",
    [
        f"A connection may hold {NETWORK.held_bytes_of_peer // MIB} MiB, and "
        f"{NETWORK.held_bytes_of_stranger // MIB} MiB before its handshake; all together "
        f"{NETWORK.held_bytes // MIB} MiB",
        f"may send {NETWORK.unasked_bytes // MIB} MiB in all that nobody asked for",
        f"{NETWORK.answer_bytes_of_peer // MIB} MiB for a peer, and "
        f"{NETWORK.answer_bytes // MIB} MiB for all that are not protected",
        f"a stranger with more than {NETWORK.unread_bytes_of_stranger // MIB} MiB unread gets no",
        f"{NETWORK.unread_answer_bytes // MIB} MiB of strangers' may be unread",
        f"read at {NETWORK.yamux.frames_per_s:,.0f} a second after a burst, opening a stream "
        f"counts for {NETWORK.yamux.frames_of_a_stream}",
        f"({NETWORK.max_full_nodes} full nodes, {NETWORK.max_collators} collators, "
        f"{NETWORK.max_unproven_validators} validators without a record), "
        f"{NETWORK.max_per_network} for each address",
        f"earned nothing for {NETWORK.place_grace_s:.0f} s",
        f"have {NETWORK.silence_timeout_s:.0f} s to say something",
        f"gets what it lacks, {BATCH} items at a time",
        f"waits in {MAX_EARLY_BYTES // MIB} MiB",
        f"**Gossip is passed on to {fanout.RELAY_FANOUT} peers**",
        f"verified {SIGNATURES_AT_ONCE} at a time",
        f"more than {messages.MAX_BLOCKS} ahead",
        f"does not come in {sync.OTHERS_AFTER_S:.0f} s is asked of another peer",
        f"While {MAX_UNACCEPTED:,} candidates wait for acceptance",
        f"`needed_approvals` is {CHECKS.needed_approvals} by default",
    ],
)
def test_numbers_that_are_told_are_the_programs(told: str) -> None:
    assert told in re.sub(r"\s+", " ", PAGE.read_text())


def test_every_port_is_told() -> None:
    ports = {path.stem for path in (HOUSE / "ports").glob("*.py")} - {"__init__", "promises"}
    assert set(re.findall(r"^\| `ports/(\w+)\.py` \|", PAGE.read_text(), re.MULTILINE)) == ports


@pytest.mark.parametrize(
    "package",
    [
        "approval",
        "chain",
        "chain/sync",
        "consensus",
        "node/authoring",
        "node/backing",
        "node/validity",
        "node/validity/disputes",
    ],
)
def test_what_is_told_file_by_file_is_told_whole(package: str) -> None:
    """A chapter that names the package may call its files by their own names."""
    page = PAGE.read_text()
    chapters = "".join(part for part in page.split("\n## ") if f"`{package}/`" in part)
    files = {path.name for path in (HOUSE / package).glob("*.py")} - {"__init__.py", "errors.py"}
    untold = {
        name for name in files if f"`{package}/{name}`" not in page and f"`{name}`" not in chapters
    }
    assert files and not untold


def test_the_rooms_are_the_import_contracts_rooms() -> None:
    contracts = ConfigParser()
    contracts.read(ROOT / ".importlinter")
    layers = contracts["importlinter:contract:house"]["layers"]
    rooms = re.findall(r"^\| `([\w/]+)/` \|", PAGE.read_text(), re.MULTILINE)
    ruled = re.findall(r"\w+", layers)
    assert sorted(rooms) == sorted(set(ruled) - COMING)
    assert set(rooms) == {path.parent.name for path in HOUSE.glob("*/__init__.py")}
    floors = [re.findall(r"\w+", floor) for floor in layers.split("\n")]
    floor_of = {room: number for number, floor in enumerate(floors) for room in floor}
    assert rooms == sorted(rooms, key=floor_of.__getitem__)
