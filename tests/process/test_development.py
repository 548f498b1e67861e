"""A developer's hand on a node: its clock, its links, by a file on its base path."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import pytest

from parahost.cli.main import run
from parahost.primitives.basic import PeerId
from parahost.process.development import (
    BadDevelopmentFile,
    DevelopmentControl,
    Hardship,
    NotOnLiveChains,
)
from parahost.process.system import SkewedClock
from parahost.runtime.chain_spec import ChainSpec
from tests.node.harness import ListJournal

SPEC = ChainSpec("A chain", "chain", {})
ANNA, BERT = PeerId("anna"), PeerId("bert")


class Links:
    """The network, as far as links are cut in it."""

    def __init__(self) -> None:
        self.denied: list[list[PeerId]] = []

    def deny(self, peers: Collection[PeerId]) -> None:
        self.denied.append(sorted(peers))


class Bench:
    """A control with what it has its hand on."""

    def __init__(self, path: Path) -> None:
        self.path = path / "development.json"
        self.clock = SkewedClock()
        self.links = Links()
        self.journal = ListJournal()
        self.control = DevelopmentControl(self.path, self.clock, self.links, self.journal)

    def events(self) -> list[str]:
        return self.journal.names()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_the_file_is_followed(bench: Bench) -> None:
    bench.control.allow(SPEC)
    assert (bench.clock.skew_s, bench.links.denied) == (0.0, [])
    hardship = Hardship(-90.5, frozenset((BERT, ANNA)))
    hardship.write(bench.path)
    bench.control.look()
    assert bench.clock.skew_s == -90.5
    assert abs(time.time() - 90.5 - bench.clock.now()) < 60
    bench.control.look()
    assert bench.links.denied == [[ANNA, BERT]]  # once
    Hardship(0.0, frozenset((BERT,))).write(bench.path)
    bench.control.look()
    assert (bench.clock.skew_s, bench.links.denied) == (0.0, [[ANNA, BERT], [BERT]])
    bench.path.unlink()
    bench.control.look()
    assert bench.links.denied[-1] == []


def test_what_was_done_before_the_start_holds_from_the_start(bench: Bench) -> None:
    Hardship(2.0, frozenset((ANNA,))).write(bench.path)
    bench.control.allow(SPEC)
    assert (bench.clock.skew_s, bench.links.denied) == (2.0, [[ANNA]])
    assert bench.events() == ["development.control", "development.applied"]


def test_a_live_chain_knows_no_such_thing(bench: Bench) -> None:
    Hardship(2.0).write(bench.path)
    with pytest.raises(NotOnLiveChains, match="it is for development only"):
        bench.control.allow(replace(SPEC, chain_type="Live"))
    assert bench.clock.skew_s == 0.0


def test_the_command_refuses_a_live_chain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["chain-spec", "new", "--validators", "1", "--output", "s.json"]) == 0
    spec = Path("s.json")
    spec.write_text(spec.read_text().replace('"Local"', '"Live"'))
    argv = ["node", "--chain", "s.json", "--base-path", "b", "--development-control"]
    assert run(argv) == 2
    assert "Local devnet is a live chain; it is for development only" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "[" * 100_000,
        '{"clock_skew_s": 1}',
        '{"clock_skew_s": true, "denied_peers": []}',
        '{"clock_skew_s": "1", "denied_peers": []}',
        '{"clock_skew_s": NaN, "denied_peers": []}',
        '{"clock_skew_s": 86401, "denied_peers": []}',
        '{"clock_skew_s": 1, "denied_peers": {}}',
        '{"clock_skew_s": 1, "denied_peers": [1]}',
        '{"clock_skew_s": 1, "denied_peers": [], "more": 1}',
    ],
)
def test_what_cannot_be_read_changes_nothing_and_is_told_once(bench: Bench, text: str) -> None:
    Hardship(2.0, frozenset((ANNA,))).write(bench.path)
    bench.control.look()
    bench.path.write_text(text)
    with pytest.raises(BadDevelopmentFile):
        Hardship.read(bench.path)
    bench.control.look()
    bench.control.look()
    assert (bench.clock.skew_s, bench.links.denied) == (2.0, [[ANNA]])
    assert bench.events().count("development.unreadable") == 1


def test_the_file_is_its_owners(bench: Bench) -> None:
    Hardship().write(bench.path)
    assert bench.path.stat().st_mode & 0o077 == 0
