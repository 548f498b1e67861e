"""The trace of a run: what is in it, its digest, and finding things in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from parahost.simulation import Scenario, Shape, Simulation
from parahost.simulation.trace_filter import BadTrace, TraceFilter, read_trace


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a short run."""
    path = tmp_path_factory.mktemp("trace") / "trace.jsonl"
    scenario = Scenario(shape=Shape(validators=4, parachains=2), blocks=4)
    with path.open("w") as file:
        assert Simulation(scenario, 1, trace_file=file).run().ok
    return path


def found(trace: Path, **wanted: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in read_trace(trace, TraceFilter(**wanted))]


def test_the_life_of_a_candidate(trace: Path) -> None:
    (made, *_) = found(trace, event="collation.made", para=2000)
    life = [line["event"] for line in found(trace, candidate=made["candidate"])]
    steps = ["collation.made", "backing.seconded", "chain.backed", "chain.included"]
    assert [life.index(step) for step in steps] == sorted(life.index(step) for step in steps)
    assert life == [
        line["event"] for line in found(trace, candidate=made["candidate"].removeprefix("0x")[:12])
    ]


def test_filters_narrow_together(trace: Path) -> None:
    lines = found(trace, node="validator-2", event="chain.", since=6.0, until=14.0)
    assert lines
    assert all(line["node"] == "validator-2" for line in lines)
    assert all(line["event"].startswith("chain.") for line in lines)
    assert all(6.0 <= line["at"] <= 14.0 for line in lines)


def test_a_paras_candidates_are_its_own(trace: Path) -> None:
    of_one = found(trace, para=2000)
    assert {line.get("para") for line in of_one} == {2000, None}
    assert any("para" not in line for line in of_one), "events that tell only the candidate"
    candidates = {line["candidate"] for line in of_one}
    others = {line["candidate"] for line in found(trace, para=2001)}
    assert candidates and others and not candidates & others


def test_a_block_by_number_and_by_hash(trace: Path) -> None:
    by_number = found(trace, block="2", event="chain.imported")
    assert {line["number"] for line in by_number} >= {2}
    (hash,) = {line["block"] for line in by_number if line["number"] == 2}
    assert found(trace, block=hash[:14], event="chain.imported") == by_number


def test_every_message_is_in_it(trace: Path) -> None:
    sent = found(trace, event="network.sent")
    assert {"validator-1", "collator-2000"} <= {line["node"] for line in sent}
    assert all(line["bytes"] >= 0 and line["peer"] and line["protocol"] for line in sent)


EVENT = b'{"at":1.0,"node":"a","event":"b.c"}'


@pytest.mark.parametrize(
    "odd",
    [
        b'{"at":',
        b"3",
        b"{}",
        b"\xff\xfe",
        EVENT.replace(b"1.0", b'"1"'),
        EVENT.replace(b"1.0", b"NaN"),
        EVENT.replace(b"1.0", b"1e300"),
        EVENT.replace(b'"a"', b"3"),
        EVENT.replace(b'"b.c"', b"null"),
    ],
)
def test_a_file_that_is_no_trace(odd: bytes, tmp_path: Path) -> None:
    path = tmp_path / "odd.jsonl"
    path.write_bytes(EVENT + b"\n" + odd + b"\n")
    with pytest.raises(BadTrace, match=r"odd\.jsonl:2: not an event"):
        list(read_trace(path, TraceFilter()))


def test_a_trace_that_is_cut_off_says_so(tmp_path: Path) -> None:
    """It is still written, or who wrote it was killed."""
    path = tmp_path / "cut.jsonl"
    path.write_bytes(EVENT + b"\n" + EVENT[:20])
    with pytest.raises(BadTrace, match=r"cut\.jsonl:2: cut off here: let the run end"):
        list(read_trace(path, TraceFilter()))
    path.write_bytes(EVENT + b"\n" + EVENT)
    assert len(list(read_trace(path, TraceFilter()))) == 2
