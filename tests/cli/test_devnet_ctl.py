"""``parahost devnet ctl``: what is asked, what is printed, what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from parahost.cli.main import run
from parahost.devnet.control_socket import ControlFailed
from parahost.devnet.requests import (
    AddNode,
    ControlRequest,
    CutLink,
    HealLink,
    KillNode,
    PauseNode,
    RestartNode,
    ResumeNode,
    SkewClock,
)

ASKED = {
    ("pause", "n"): PauseNode("n"),
    ("resume", "n"): ResumeNode("n"),
    ("kill", "n"): KillNode("n"),
    ("restart", "n"): RestartNode("n"),
    ("add", "validator"): AddNode("validator"),
    ("add", "full"): AddNode("full"),
    ("add", "collator", "2000"): AddNode("collator", "2000"),
    ("add", "collator", "load", "--id", "2007"): AddNode("collator", "load", 2007),
    ("cut", "a", "b"): CutLink("a", "b"),
    ("heal", "a", "b"): HealLink("a", "b"),
    ("skew", "n", "2.5"): SkewClock("n", 2.5),
    ("skew", "n", "-3"): SkewClock("n", -3.0),
}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, ControlRequest]]:
    """What a devnet is asked; it does all but killing."""
    requests: list[tuple[Path, ControlRequest]] = []

    def ask(root: Path, request: ControlRequest) -> dict[str, Any]:
        requests.append((root, request))
        if isinstance(request, KillNode):
            raise ControlFailed("not_now", "n is down, not running")
        return {"node": "n", "text": "it is done"}

    monkeypatch.setattr("parahost.devnet.control_socket.ask", ask)
    return requests


@pytest.mark.parametrize("argv", ASKED, ids=" ".join)
def test_a_command_is_a_request(
    argv: tuple[str, ...], asked: list[tuple[Path, ControlRequest]]
) -> None:
    run(["devnet", "ctl", *argv, "--base-path", "net"])
    assert asked == [(Path("net"), ASKED[argv])]


def test_a_file_is_named_so_that_the_devnet_finds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: list[tuple[Path, ControlRequest]]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["devnet", "ctl", "add", "collator", "mine.toml"]) == 0
    assert asked == [(Path("devnet-data"), AddNode("collator", str(tmp_path / "mine.toml")))]


@pytest.mark.usefixtures("asked")
def test_answers_are_for_people_or_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["devnet", "ctl", "pause", "n"]) == 0
    assert capsys.readouterr().out == "it is done\n"
    assert run(["devnet", "ctl", "pause", "n", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"node": "n", "text": "it is done"}
    assert run(["devnet", "ctl", "kill", "n"]) == 1
    assert capsys.readouterr() == ("", "parahost: n is down, not running\n")
    assert run(["devnet", "ctl", "kill", "n", "--json"]) == 1
    error = {"kind": "not_now", "message": "n is down, not running"}
    assert json.loads(capsys.readouterr().out) == {"error": error}


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        (("status",), "nowhere: no devnet runs there"),
        (("add", "king"), "king: it is none of validator, full, collator"),
        (("add", "collator"), "a collator, and nothing else, needs a parachain"),
        (("skew", "n", "1e9"), "1e+09 s: a clock may be wrong by 86400 s"),
        (("skew", "n", "nan"), "nan s: a clock may be wrong by 86400 s"),
        (("skew", "n", "soon"), "Invalid value for 'seconds'"),
        (("cut", "n"), "Missing argument 'NODE'"),
        (("explode", "n"), "No such command 'explode'"),
    ],
    ids=str,
)
def test_what_cannot_be_asked_is_told_in_one_line(
    argv: tuple[str, ...], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["devnet", "ctl", *argv, "--base-path", "nowhere"]) in (1, 2)
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 1 and told[0].startswith(f"parahost: {line}")


def test_a_devnets_own_options_need_no_command(capsys: pytest.CaptureFixture[str]) -> None:
    for argv in (["devnet"], ["devnet", "run"]):
        assert run([*argv, "--validators", "0", "--base-path", "nowhere"]) == 2
        assert "--validators 0: between 1 and 1000" in capsys.readouterr().err
    assert not Path("nowhere").exists()
    assert run(["devnet", "--tmp", "--fresh"]) == 2
    assert "--tmp: it has a new base path" in capsys.readouterr().err
