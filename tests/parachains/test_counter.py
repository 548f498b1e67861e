"""The counter that new projects begin with: its functions in C and in Rust judge alike."""

from __future__ import annotations

import pytest

from parahost.parachains.code import Language, counter_code
from parahost.ports.validation import ExecutionKind, ExecutionOutcome, Returned
from parahost.primitives.basic import U32, BlockNumber, HeadData, ValidationCode
from parahost.primitives.candidates import ValidationResult
from parahost.primitives.scale import decode
from parahost.validation import InProcessHost
from tests.parachains.params import RELAY_PARENT_NUMBER, validation_params

HOST = InProcessHost()
LANGUAGES: list[Language] = ["c", "rust"]


def judged(language: Language, head: bytes, block: bytes) -> ExecutionOutcome:
    return HOST.run(counter_code(language), validation_params(head, block), ExecutionKind.BACKING)


def u64(value: int) -> bytes:
    return value.to_bytes(8, "little")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("size", [0, 1, 63, 64, 16383, 16384, 300_000])
def test_it_counts_and_asks_for_the_code_that_a_block_brings(language: Language, size: int) -> None:
    code = bytes(each % 251 for each in range(size))
    outcome = judged(language, u64(2**63), bytes([10]) + code)
    assert isinstance(outcome, Returned), outcome
    assert decode(ValidationResult, outcome.result) == ValidationResult(
        head_data=HeadData(u64(2**63 + 10)),
        new_validation_code=ValidationCode(code) if code else None,
        upward_messages=(),
        horizontal_messages=(),
        processed_downward_messages=U32(0),
        hrmp_watermark=BlockNumber(U32(RELAY_PARENT_NUMBER)),
    )


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("head", "block"),
    [
        (u64(1), b""),
        (u64(1), b"\0"),
        (u64(1), bytes([11])),
        (u64(1)[:7], b"\1"),
        (u64(1) + b"\0", b"\1"),
    ],
    ids=["no step", "a step of nothing", "too much", "a short head", "a long head"],
)
def test_what_is_wrong_is_no_block(language: Language, head: bytes, block: bytes) -> None:
    assert not isinstance(judged(language, head, block), Returned)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_length_that_is_not_in_its_shortest_form_is_none(language: Language) -> None:
    right = validation_params(u64(1), b"\1")
    assert right[9:11] == b"\4\1"
    for wrong in (b"\5\0\1", b"\6\0\0\0\1", b"\3\1\0\0\0\1", b"\7\1\0\0\0\0\1"):
        params = right[:9] + wrong + right[11:]
        outcome = HOST.run(counter_code(language), params, ExecutionKind.BACKING)
        assert not isinstance(outcome, Returned)
