"""What is decoded once is what is decoded each time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from parahost.primitives.basic import U32
from parahost.primitives.memoize import memoize, remember_results
from parahost.primitives.scale import (
    ScaleDecodeError,
    decode,
    decode_once,
    encode,
    read_once,
)
from parahost.primitives.scale.once import LONG_BYTES, SHORT_BYTES


@dataclass(frozen=True, slots=True)
class Message:
    number: U32
    payload: bytes


@dataclass(frozen=True, slots=True)
class Other:
    number: U32
    payload: bytes


@pytest.fixture(autouse=True)
def _afresh() -> Iterator[None]:
    remember_results(True)
    yield
    remember_results(True)


@pytest.mark.parametrize("length", [5, SHORT_BYTES])
def test_equal_bytes_of_one_type_give_one_value(length: int) -> None:
    data = encode(Message(U32(7), bytes(length)))
    first = decode_once(Message, data)
    assert first == decode(Message, data)
    assert decode_once(Message, bytes(bytearray(data))) is first
    assert decode_once(Other, data) == Other(U32(7), bytes(length))


def test_long_messages_are_not_kept() -> None:
    data = encode(Message(U32(7), bytes(LONG_BYTES)))
    assert decode_once(Message, data) == decode_once(Message, data)
    assert decode_once(Message, data) is not decode_once(Message, data)


def test_what_does_not_decode_never_does() -> None:
    for _ in range(2):
        with pytest.raises(ScaleDecodeError):
            decode_once(Message, b"\x07")


def test_it_can_be_turned_off() -> None:
    data = encode(Message(U32(7), b"seven"))
    remember_results(False)
    assert decode_once(Message, data) == decode_once(Message, data)
    assert decode_once(Message, data) is not decode_once(Message, data)


def test_a_protocol_reads_a_message_once() -> None:
    read: list[bytes] = []

    @read_once
    def first_byte(payload: bytes) -> int:
        read.append(payload)
        return payload[0]

    for length, times in ((1, 1), (SHORT_BYTES + 1, 1), (LONG_BYTES + 1, 2)):
        read.clear()
        assert [first_byte(b"\x07" * length) for _ in range(2)] == [7, 7]
        assert len(read) == times
    remember_results(False)
    read.clear()
    assert [first_byte(b"\x07") for _ in range(2)] == [7, 7]
    assert len(read) == 2


def test_a_function_that_remembers() -> None:
    asked: list[int] = []

    @memoize(2)
    def half(number: int) -> int:
        asked.append(number)
        if number % 2:
            raise ValueError(number)
        return number // 2

    assert [half(number) for number in (2, 4, 2, 4)] == [1, 2, 1, 2]
    assert asked == [2, 4]
    for _ in range(2):
        with pytest.raises(ValueError, match="3"):
            half(3)
    assert half(6) == 3, "one more than it remembers: it forgets 2"
    assert half(2) == 1
    assert asked == [2, 4, 3, 3, 6, 2]
