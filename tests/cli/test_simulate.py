"""``parahost simulate`` and ``parahost inspect trace`` as they are typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from parahost.cli.main import run

SMALL = ("--validators", "4", "--parachains", "1", "--blocks", "3")


def test_a_run_is_told_reported_and_traced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report, trace = tmp_path / "report.json", tmp_path / "trace.jsonl"
    command = ["simulate", *SMALL, "--parathreads", "1", "--seed", "9"]
    assert run([*command, "--report", str(report), "--trace", str(trace)]) == 0
    told = capsys.readouterr()
    found = json.loads(report.read_text())
    assert {
        "digest",
        "verdicts",
        "speed_ratio",
        "included",
        "finalized",
        "forks",
        "messages",
        "bytes",
    } <= set(found)
    assert f"digest     {found['digest']}" in told.out
    assert "block 3 of 3" in told.err
    assert found["blocks"] == 3
    assert list(found["included"]) == ["2000", "2001"]
    assert set(found["verdicts"].values()) == {"ok"}
    assert found["messages"].keys() == found["bytes"].keys()
    assert run(["inspect", "trace", str(trace), "--node", "validator-2", "--event", "node."]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["event"] == "node.started"
    assert run(["inspect", "trace", str(trace), "--node", "validator-5"]) == 0
    assert capsys.readouterr() == ("", "no event of the trace passes\n")


def test_a_broken_verdict_is_status_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scenario = tmp_path / "hopeless.toml"
    scenario.write_text('[[expect]]\nkind = "included"\nat_least = 99\n')
    assert run(["simulate", str(scenario), *SMALL]) == 1
    assert "para 2000 has" in capsys.readouterr().out


def test_trouble_that_does_not_end_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scenario, report = tmp_path / "long.toml", tmp_path / "report.json"
    fault = '[[fault]]\nkind = "{}"\nwho = ["validator-1"]\nat = 3\n{}\n'
    never, ends = fault.format("crash_at_write", "write = 99999"), fault.format("crash", "")
    scenario.write_text("validators = 2\nparachains = 0\nblocks = 2\n" + never + ends)
    assert run(["simulate", str(scenario), "--report", str(report)]) == 0
    line = "not over   1 of the faults: what must hold after them was not judged"
    assert line in capsys.readouterr().out.splitlines()
    assert json.loads(report.read_text())["faults_not_over"] == 1


def test_options_go_before_the_scenario(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scenario = tmp_path / "three.toml"
    scenario.write_text("validators = 3\nparachains = 0\nblocks = 9\n")
    assert run(["simulate", str(scenario), "--blocks", "2", "--slot", "2"]) == 0
    assert "blocks     2," in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--validators", "0"], "0 validators: 1 to 1000 can be"),
        (["--parachains", "5"], "4 validators cannot serve 5 cores"),
        (["--blocks", "0"], "0 blocks are none"),
        (["--slot", "0"], "a slot of 0 s"),
        (["no_such_scenario"], "no shipped scenario"),
        (["nowhere.toml"], "cannot be read"),
        (["--speed", "3"], "No such option: --speed"),
        (
            ["--seed", "-1"],
            "Invalid value for '--seed': Input should be greater than or equal to 0",
        ),
        (["--report", "/no/such/r.json"], "--report /no/such/r.json: there is no folder /no/such"),
        (["--trace", "/no/such/t.jsonl"], "--trace /no/such/t.jsonl: there is no folder /no/such"),
        (["--report", "/"], "--report /: this is a folder; name a file in it"),
        (["--report", "/proc/r.json"], "--report /proc/r.json: cannot be written: "),
        (["--report", "same", "--trace", "./same"], "--trace same: the report goes there"),
    ],
)
def test_bad_input_is_status_2(
    options: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["simulate", *options]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert says in line


def test_a_candidates_life_is_told_from_a_trace(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trace = tmp_path / "trace.jsonl"
    assert run(["simulate", *SMALL, "--blocks", "6", "--trace", str(trace)]) == 0
    lines = [json.loads(line) for line in trace.read_text().splitlines()]
    candidate = next(line["candidate"] for line in lines if line["event"] == "chain.accepted")
    capsys.readouterr()
    assert run(["inspect", "candidate", candidate[:12], "--from", str(trace)]) == 0
    told = capsys.readouterr().out
    assert told.startswith(f"candidate {candidate} of para 2000\n")
    for event in ("collation.made", "backing.seconded", "chain.backed", "availability.stored"):
        assert f"  {event}  " in told
    assert "\nincluded   in block #" in told and "\nfinal      -" not in told
    assert run(["inspect", "candidate", "0x", "--from", str(trace)]) == 2
    assert "0x is the beginning of" in capsys.readouterr().err
