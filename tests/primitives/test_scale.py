"""The codec against the reference implementation, and against lies."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scalecodec.base import RuntimeConfigurationObject, ScaleBytes
from scalecodec.type_registry import load_type_registry_preset

from parahost.primitives.basic import H256, U8, U16, U32, U64, U128
from parahost.primitives.scale import (
    BitVec,
    Compact,
    FixedLen,
    MaxLen,
    ScaleDecodeError,
    ScaleEncodeError,
    ScaleTypeError,
    codec_of,
    decode,
    encode,
    variant,
)

REFERENCE = RuntimeConfigurationObject()
REFERENCE.update_type_registry(load_type_registry_preset("legacy"))


def reference_encode(type_string: str, value: Any) -> bytes:
    return bytes(REFERENCE.create_scale_object(type_string).encode(value).data)


def reference_decode(type_string: str, data: bytes) -> Any:
    return REFERENCE.create_scale_object(type_string, data=ScaleBytes(bytearray(data))).decode()


UNSIGNED = [
    (U8, "u8", 8),
    (U16, "u16", 16),
    (U32, "u32", 32),
    (U64, "u64", 64),
    (U128, "u128", 128),
]


@pytest.mark.parametrize(("type_", "name", "bits"), UNSIGNED)
@given(data=st.data())
def test_integers_as_the_reference(type_: Any, name: str, bits: int, data: st.DataObject) -> None:
    value = data.draw(st.integers(0, 2**bits - 1))
    assert encode(value, type_) == reference_encode(name, value)
    assert decode(type_, encode(value, type_)) == value
    with pytest.raises(ScaleEncodeError):
        encode(2**bits, type_)
    with pytest.raises(ScaleEncodeError):
        encode(-1, type_)


@given(st.integers(0, 2**128 - 1))
def test_compact_integers_as_the_reference(value: int) -> None:
    form = encode(value, Annotated[int, Compact(128)])
    assert form == reference_encode("Compact<u128>", value)
    assert decode(Annotated[int, Compact(128)], form) == value


@given(st.lists(st.integers(0, 2**32 - 1), max_size=100))
def test_vectors_as_the_reference(values: list[int]) -> None:
    form = encode(tuple(values), tuple[U32, ...])
    assert form == reference_encode("Vec<u32>", values)
    assert list(decode(tuple[U32, ...], form)) == reference_decode("Vec<u32>", form)


@given(st.none() | st.binary(max_size=80))
def test_options_of_bytes_as_the_reference(value: bytes | None) -> None:
    form = encode(value, bytes | None)
    assert form == reference_encode("Option<Bytes>", None if value is None else "0x" + value.hex())
    assert decode(bytes | None, form) == value


@given(st.text(max_size=40))
def test_text_round_trips(value: str) -> None:
    assert decode(str, encode(value, str)) == value


@given(st.lists(st.booleans(), max_size=70))
def test_bit_vectors(bits: list[bool]) -> None:
    vector = BitVec.of(bits)
    assert list(vector) == bits
    assert vector.ones() == [i for i, bit in enumerate(bits) if bit]
    assert vector.count() == sum(bits)
    assert BitVec.with_ones(len(bits), vector.ones()) == vector
    assert decode(BitVec, encode(vector)) == vector


def test_a_spare_bit_that_is_set_is_refused() -> None:
    with pytest.raises(ScaleDecodeError, match="spare bit"):
        decode(BitVec, bytes([3 << 2, 0b1111]))


class Colour(Enum):
    RED = 0
    BLUE = 7


@variant(1)
@dataclass(frozen=True, slots=True)
class Circle:
    radius: U32


@variant(4)
@dataclass(frozen=True, slots=True)
class Label:
    text: str
    at: tuple[U8, U16]


@dataclass(frozen=True, slots=True)
class Everything:
    number: U32
    digest: H256
    flag: bool
    colour: Colour
    shape: Circle | Label
    maybe: Circle | Label | None
    few: Annotated[tuple[U16, ...], MaxLen(3)]
    pair: Annotated[tuple[U8, ...], FixedLen(2)]
    small: Annotated[int, Compact(32)]
    last: U64


U32S = st.integers(0, 2**32 - 1)
SHAPES = st.builds(Circle, U32S) | st.builds(
    Label, st.text(max_size=5), st.tuples(st.integers(0, 255), st.integers(0, 65535))
)
EVERYTHING = st.builds(
    Everything,
    U32S,
    st.binary(min_size=32, max_size=32),
    st.booleans(),
    st.sampled_from(Colour),
    SHAPES,
    st.none() | SHAPES,
    st.lists(st.integers(0, 65535), max_size=3).map(tuple),
    st.tuples(st.integers(0, 255), st.integers(0, 255)),
    U32S,
    st.integers(0, 2**64 - 1),
)


@given(EVERYTHING)
def test_structs_round_trip(value: Everything) -> None:
    assert decode(Everything, encode(value)) == value


@given(EVERYTHING, st.data())
def test_no_proper_prefix_decodes(value: Everything, data: st.DataObject) -> None:
    form = encode(value)
    cut = data.draw(st.integers(0, len(form) - 1))
    with pytest.raises(ScaleDecodeError):
        decode(Everything, form[:cut])


@given(st.binary(max_size=120))
def test_garbage_gives_an_error_or_the_one_form_of_a_value(garbage: bytes) -> None:
    try:
        value = decode(Everything, garbage)
    except ScaleDecodeError:
        return
    assert encode(value) == garbage


def test_left_over_bytes_are_refused() -> None:
    with pytest.raises(ScaleDecodeError, match="1 bytes left over"):
        decode(U8, b"\x01\x02")


@pytest.mark.parametrize("lie", [b"\xff\xff\xff\xff\xff\xff\xff\xff", b"\x13" + b"\xff" * 8])
def test_a_lying_length_allocates_nothing(lie: bytes) -> None:
    for type_ in (bytes, str, tuple[U64, ...], tuple[Everything, ...], BitVec):
        with pytest.raises(ScaleDecodeError):
            decode(type_, lie)


@pytest.mark.parametrize("form", ["0100", "02000000", "0300000000", "0700000000ff00"])
def test_a_compact_integer_in_a_longer_form_is_refused(form: str) -> None:
    with pytest.raises(ScaleDecodeError):
        decode(Annotated[int, Compact(128)], bytes.fromhex(form))


def test_bounds_hold_both_ways() -> None:
    with pytest.raises(ScaleEncodeError):
        encode((1, 2, 3, 4), Annotated[tuple[U16, ...], MaxLen(3)])
    with pytest.raises(ScaleDecodeError, match="at most 3"):
        decode(Annotated[tuple[U16, ...], MaxLen(3)], encode((1, 2, 3, 4), tuple[U16, ...]))
    with pytest.raises(ScaleEncodeError):
        encode(b"short", H256)


@pytest.mark.parametrize("wrong", [b"\x02", b"\xff"])
def test_a_bool_or_an_option_has_two_tags(wrong: bytes) -> None:
    with pytest.raises(ScaleDecodeError):
        decode(bool, wrong)
    with pytest.raises(ScaleDecodeError):
        decode(U8 | None, wrong + b"\x00")


def test_types_without_a_form_are_refused_when_declared() -> None:
    for type_ in (int, float, tuple[None, ...], dict[str, int], Circle | int):
        with pytest.raises(ScaleTypeError):
            codec_of(type_)
