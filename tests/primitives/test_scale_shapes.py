"""Shapes: what a type's form is made of, as data that somebody else can read."""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, Any

import pytest

from parahost.primitives.basic import H256, U8, U32, U128, ParaId
from parahost.primitives.scale import (
    BitVec,
    Compact,
    FixedLen,
    MaxLen,
    ScaleTypeError,
    encode,
    shape_of,
    variant,
)
from parahost.primitives.scale.functions import codec_for
from parahost.primitives.scale.shapes import (
    Array,
    Bits,
    Bytes,
    CompactInteger,
    Enum,
    FixedBytes,
    Integer,
    Named,
    Nothing,
    Option,
    PlainEnum,
    Struct,
    Text,
    Tuple,
    Vec,
)
from parahost.primitives.values import dataclass


class Colour(IntEnum):
    RED = 0


@variant(3)
@dataclass(frozen=True, slots=True)
class Dot:
    para: ParaId


@variant(5)
@dataclass(frozen=True, slots=True)
class Line:
    ends: tuple[U8, U8]


PARA = Named("ParaId", "parahost.primitives.basic", Integer(32))
DOT = Struct(Dot, (("para", PARA),))


@pytest.mark.parametrize(
    "type_, shape",
    [
        (U128, Integer(128)),
        (ParaId, PARA),
        (None | ParaId, Option(PARA)),
        (Annotated[int, Compact(64)], CompactInteger(64)),
        (H256, FixedBytes(32)),
        (Annotated[bytes, FixedLen(4)], FixedBytes(4)),
        (Annotated[bytes, MaxLen(9)], Bytes(9)),
        (str, Text()),
        (Annotated[BitVec, MaxLen(7)], Bits(7)),
        (tuple[U8, ...], Vec(Integer(8))),
        (Annotated[tuple[U8, ...], MaxLen(2)], Vec(Integer(8), 2)),
        (Annotated[tuple[U8, ...], FixedLen(2)], Array(Integer(8), 2)),
        (tuple[()], Tuple(())),
        (type(None), Nothing()),
        (Colour, PlainEnum(Colour)),
        (Dot, DOT),
        (
            Dot | Line,
            Enum(
                (
                    (b"\x03", DOT),
                    (b"\x05", Struct(Line, (("ends", Tuple((Integer(8), Integer(8)))),))),
                )
            ),
        ),
    ],
)
def test_an_annotation_has_a_shape(type_: Any, shape: Any) -> None:
    assert shape_of(type_) == shape


@pytest.mark.parametrize("type_", [int, list[U8], Annotated[U32, MaxLen(2)], Dot | int])
def test_what_has_no_form_has_no_shape(type_: Any) -> None:
    with pytest.raises(ScaleTypeError):
        shape_of(type_)


def test_a_shape_alone_says_how_values_are_written() -> None:
    codec = codec_for(Struct(Dot, (("para", PARA),)))
    assert codec.decode_from(bytes((7, 0, 0, 0)), 0) == (Dot(ParaId(U32(7))), 4)
    assert encode(Dot(ParaId(U32(7)))) == bytes((7, 0, 0, 0))
