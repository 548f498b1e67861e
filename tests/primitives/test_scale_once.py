"""What is decoded once is what is decoded each time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from parahost.primitives.basic import U32
from parahost.primitives.scale import (
    ScaleDecodeError,
    decode,
    decode_once,
    encode,
    remember_decoded,
)
from parahost.primitives.scale.once import MAX_BYTES


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
    remember_decoded(True)
    yield
    remember_decoded(True)


def test_equal_bytes_of_one_type_give_one_value() -> None:
    data = encode(Message(U32(7), b"seven"))
    first = decode_once(Message, data)
    assert first == decode(Message, data)
    assert decode_once(Message, bytes(bytearray(data))) is first
    assert decode_once(Other, data) == Other(U32(7), b"seven")


def test_long_messages_are_not_kept() -> None:
    data = encode(Message(U32(7), bytes(MAX_BYTES)))
    assert decode_once(Message, data) == decode_once(Message, data)
    assert decode_once(Message, data) is not decode_once(Message, data)


def test_what_does_not_decode_never_does() -> None:
    for _ in range(2):
        with pytest.raises(ScaleDecodeError):
            decode_once(Message, b"\x07")


def test_it_can_be_turned_off() -> None:
    data = encode(Message(U32(7), b"seven"))
    remember_decoded(False)
    assert decode_once(Message, data) == decode_once(Message, data)
    assert decode_once(Message, data) is not decode_once(Message, data)
