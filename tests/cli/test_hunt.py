"""``parahost simulate hunt`` as it is typed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from parahost.cli.main import run
from parahost.simulation.hunt import draw as drawing
from parahost.simulation.scenario_files import load_scenario
from tests.simulation.hunt.planted import BAD_SEED, draw_with_bug


def hunt(*options: str) -> int:
    return run(["simulate", "hunt", *options])


@pytest.fixture
def with_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "draw", draw_with_bug)


@pytest.mark.usefixtures("with_bug")
def test_all_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert hunt("--seeds", "1..2", "--jobs", "2") == 0
    captured = capsys.readouterr()
    assert "2 of 2 seeds, 0 failed" in captured.err
    assert "all                               2      0" in captured.out


@pytest.mark.usefixtures("with_bug")
def test_what_fails_is_told_shrunk_and_replayed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = tmp_path / "found.json"
    assert hunt("--seeds", f"{BAD_SEED - 1}..{BAD_SEED}", "--report", str(found)) == 1
    told = capsys.readouterr().out
    assert f"seed {BAD_SEED} fails; again with: parahost simulate hunt --seeds 3..3" in told
    report: dict[str, Any] = json.loads(found.read_text())
    assert report["seeds"] == 2
    (failure,) = report["failed"]
    assert failure["seed"] == BAD_SEED
    assert "two blocks for one slot" in failure["verdicts"]["no_contradiction"]
    assert failure["shrunk"] in told
    small = tmp_path / "small.py"
    small.write_text(failure["shrunk"])
    assert load_scenario(str(small)).shape.validators == 1
    capsys.readouterr()
    assert run(["simulate", str(small), "--seed", str(BAD_SEED)]) == 1
    assert "two blocks for one slot" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--seeds", "5..1"], "--seeds 5..1: the first comes after the last"),
        (["--seeds", "a..b"], "--seeds a..b: the first and the last are wanted, as in 1..200"),
        (["--seeds", "7"], "--seeds 7: the first and the last are wanted, as in 1..200"),
        (["--seeds", "-3..2"], "--seeds -3..2: the first and the last are wanted, as in 1..200"),
        (["--seeds", "0..9999999"], "--seeds 0..9999999: at most 1000000 at once"),
        (["--seeds", "1..2", "--jobs", "0"], "--jobs 0: at least 1"),
        (
            ["--seeds", "1..2", "--jobs", "2", "--dask", "tcp://127.0.0.1:1"],
            "--jobs: on a cluster, its workers are the jobs; leave it out",
        ),
        (
            ["--seeds", "1..2", "--report", "/no/such/folder/x.json"],
            "--report /no/such/folder/x.json: there is no folder /no/such/folder",
        ),
        (["--seeds", "1..1", "--report", "/"], "--report /: this is a folder; name a file in it"),
    ],
)
def test_bad_input(options: list[str], line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert hunt(*options) == 2
    captured = capsys.readouterr()
    assert captured.err == f"parahost: {line}\n"
    assert not captured.out
