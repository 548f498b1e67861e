"""What one may ask of a running devnet: read strictly, refused in one line."""

from __future__ import annotations

import json

import pytest

from parahost.devnet.requests import (
    CONTROL_REQUESTS,
    AddNode,
    BadRequest,
    ControlRequest,
    CutLink,
    Done,
    HealLink,
    KillNode,
    PauseNode,
    RestartNode,
    ResumeNode,
    SkewClock,
    TellStatus,
    UnknownNode,
    read_request,
    write_answer,
    write_request,
)

EXAMPLES: list[ControlRequest] = [
    TellStatus(),
    PauseNode("validator-1"),
    ResumeNode("validator-1"),
    KillNode("validator-1"),
    RestartNode("validator-1"),
    AddNode("full"),
    AddNode("collator", "mine.toml"),
    AddNode("collator", "adder", 2007),
    CutLink("validator-1", "validator-2"),
    HealLink("validator-1", "validator-2"),
    SkewClock("validator-1", -1.5),
]


@pytest.mark.parametrize("request_", EXAMPLES, ids=str)
def test_what_is_written_is_read(request_: ControlRequest) -> None:
    assert read_request(write_request(request_)) == request_


def test_each_request_has_an_example() -> None:
    assert {type(one) for one in EXAMPLES} == set(CONTROL_REQUESTS.values())


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b"", "a line of JSON is expected"),
        (b"\xff", "a line of JSON is expected"),
        (b"[" * 60_000, "a line of JSON is expected"),
        (b"[]", "a JSON object is expected"),
        (b"{}", "`do` is none of status, pause, "),
        (b'{"do": ["pause"]}', "`do` is none of "),
        (b'{"do": "explode"}', "`do` is none of "),
        (b'{"do": "pause"}', "pause: node is missing"),
        (b'{"do": "pause", "node": 1}', "pause: node is no text"),
        (b'{"do": "pause", "node": null}', "pause: node is no text"),
        (b'{"do": "pause", "node": "n", "nod": 1}', "pause: there is no 'nod'"),
        (b'{"do": "pause", "node": "%s"}' % (b"n" * 5000), "pause: node is no text"),
        (b'{"do": "skew", "node": "n", "seconds": "1"}', "skew: seconds is no number"),
        (b'{"do": "skew", "node": "n", "seconds": true}', "skew: seconds is no number"),
        (b'{"do": "skew", "node": "n", "seconds": NaN}', "skew: seconds is no number"),
        (b'{"do": "skew", "node": "n", "seconds": 1%s}' % (b"0" * 400), "skew: seconds is no num"),
        (b'{"do": "skew", "node": "n", "seconds": 86401}', "86401 s: a clock may be wrong by"),
        (b'{"do": "add", "role": "king"}', "king: it is none of validator, full, collator"),
        (b'{"do": "add", "role": "collator"}', "a collator, and nothing else, needs a para"),
        (b'{"do": "add", "role": "full", "parachain": "adder"}', "a collator, and nothing else"),
        (b'{"do": "add", "role": "full", "para": 1}', "1: no number of a collator's para"),
        (
            b'{"do": "add", "role": "collator", "parachain": "adder", "para": -1}',
            "-1: no number of a collator's para",
        ),
        (
            b'{"do": "add", "role": "collator", "parachain": "adder", "para": 1.5}',
            "add: para is no whole number",
        ),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_no_request_is_told_in_one_line(line: bytes, told: str) -> None:
    with pytest.raises(BadRequest) as raised:
        read_request(line)
    assert str(raised.value).startswith(told) and "\n" not in str(raised.value)


def test_answers_have_a_form_for_programs() -> None:
    assert json.loads(write_answer(Done("full-1", "it is done"))) == {
        "ok": {"node": "full-1", "text": "it is done"}
    }
    assert json.loads(write_answer(UnknownNode("x", ["a", "b"]))) == {
        "error": {"kind": "unknown_node", "message": "there is no node x; there are a, b"}
    }
