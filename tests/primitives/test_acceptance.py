"""What the relay chain accepts of a candidate's outputs: sizes exactly at the limit and one over,
each reason with its evidence."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from parahost.primitives.acceptance import (
    AcceptanceCriteria,
    CodeTooLarge,
    HeadTooLarge,
    MessagesNotCarried,
    NewCodeTooSoon,
    NotWasm,
    Refusal,
    WrongWatermark,
    refusal,
)
from parahost.primitives.basic import U32, BlockNumber, HeadData, ParaId, ValidationCode
from parahost.primitives.candidates import CandidateCommitments, OutboundHrmpMessage
from parahost.primitives.compression import COMPRESSED_PREFIX


def block(number: int) -> BlockNumber:
    return BlockNumber(U32(number))


CRITERIA = AcceptanceCriteria(
    max_head_data_size=U32(32),
    max_code_size=U32(64),
    new_code_allowed_from=block(40),
    relay_parent_number=block(40),
)
OUTPUTS = CandidateCommitments(
    upward_messages=(),
    horizontal_messages=(),
    new_validation_code=None,
    head_data=HeadData(b""),
    processed_downward_messages=U32(0),
    hrmp_watermark=block(40),
)


def code(start: bytes, size: int) -> ValidationCode:
    return ValidationCode(start.ljust(size, b"\xff"))


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"head_data": HeadData(bytes(32))},
        {"new_validation_code": code(b"\0asm", 64)},
        {"new_validation_code": code(b"\0asm", 4)},
        {"new_validation_code": code(COMPRESSED_PREFIX, 64)},
    ],
)
def test_what_is_accepted(fields: dict[str, Any]) -> None:
    assert refusal(replace(OUTPUTS, **fields), CRITERIA) is None


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"head_data": HeadData(bytes(33))}, HeadTooLarge(33, 32)),
        ({"new_validation_code": code(b"\0asm", 65)}, CodeTooLarge(65, 64)),
        ({"new_validation_code": ValidationCode(b"")}, NotWasm(b"")),
        ({"new_validation_code": ValidationCode(b"\0as")}, NotWasm(b"\0as")),
        ({"new_validation_code": ValidationCode(b"\x7fELF\2")}, NotWasm(b"\x7fELF")),
        ({"new_validation_code": ValidationCode(COMPRESSED_PREFIX[:7])}, NotWasm(b"R\xbcSv")),
        ({"upward_messages": (b"", b"")}, MessagesNotCarried(2, 0, 0)),
        (
            {"horizontal_messages": (OutboundHrmpMessage(ParaId(U32(1)), b""),)},
            MessagesNotCarried(0, 1, 0),
        ),
        ({"processed_downward_messages": U32(3)}, MessagesNotCarried(0, 0, 3)),
        ({"hrmp_watermark": block(39)}, WrongWatermark(block(39), block(40))),
        ({"hrmp_watermark": block(41)}, WrongWatermark(block(41), block(40))),
    ],
)
def test_what_is_refused(fields: dict[str, Any], reason: Refusal) -> None:
    assert refusal(replace(OUTPUTS, **fields), CRITERIA) == reason


def test_new_code_is_refused_before_the_first_relay_parent_that_may_announce_it() -> None:
    announcing = replace(OUTPUTS, new_validation_code=code(b"\0asm", 4), hrmp_watermark=block(39))
    criteria = replace(CRITERIA, relay_parent_number=block(39))
    assert refusal(announcing, criteria) == NewCodeTooSoon(block(39), block(40))
    assert refusal(replace(announcing, new_validation_code=None), criteria) is None


def test_a_reason_says_what_is_wrong_with_its_numbers() -> None:
    assert str(HeadTooLarge(33, 32)) == "the head has 33 bytes, at most 32 are allowed"
    assert str(NotWasm(b"")) == "the validation code is no Wasm: it is empty"
    assert str(NotWasm(b"\x7fELF")).endswith("it begins with 7f454c46")
