"""Values to bytes and back, by the type."""

from __future__ import annotations

import struct
from functools import cache
from typing import Any

from parahost.primitives.scale.errors import ScaleDecodeError, ScaleEncodeError
from parahost.primitives.scale.functions import Codec, codec_for
from parahost.primitives.scale.shapes import shape_of


def encode(value: Any, type_: Any = None) -> bytes:
    """The SCALE form of a value, by its own class when no type is given.

    :raises ScaleEncodeError: when the value does not fit the type.
    """
    if type_ is None:
        type_ = type(value)
    out = bytearray()
    try:
        codec_of(type_).encode_into(out, value)
    except (struct.error, AttributeError, TypeError, OverflowError) as error:
        raise ScaleEncodeError(f"{value!r:.200} does not fit {type_}") from error
    return bytes(out)


def decode(type_: Any, data: bytes) -> Any:
    """The value whose form is all of ``data``.

    :raises ScaleDecodeError: when it is not, or when bytes are left over.
    """
    value, end = decode_prefix(type_, data)
    if end != len(data):
        raise ScaleDecodeError(end, f"{len(data) - end} bytes left over")
    return value


def decode_prefix(type_: Any, data: bytes, offset: int = 0) -> tuple[Any, int]:
    """The value at ``offset`` and the offset behind it.

    :raises ScaleDecodeError: when there is none.
    """
    try:
        return codec_of(type_).decode_from(data, offset)
    except (struct.error, IndexError) as error:
        raise ScaleDecodeError(len(data), "the input ends inside a value") from error


@cache
def codec_of(type_: Any) -> Codec:
    """The two functions of a type; built at first use.

    :raises ScaleTypeError: when the type has no SCALE form.
    """
    return codec_for(shape_of(type_))
