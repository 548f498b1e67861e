"""From shapes to functions: an encoder and a decoder for each shape, built once.

Decoding is bounded: a length that the input cannot hold is refused before anything is
allocated, compact integers must be in their shortest form, and spare bits must be zero.
So each value has exactly one form, and decode-then-encode gives back the same bytes.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from parahost.primitives.scale import shapes
from parahost.primitives.scale.bitvec import BitVec
from parahost.primitives.scale.compact import decode_compact, encode_compact
from parahost.primitives.scale.errors import (
    ScaleDecodeError,
    ScaleEncodeError,
    ScaleTypeError,
    truncated,
)
from parahost.primitives.scale.shapes import ScaleShape

EncodeInto = Callable[[bytearray, Any], None]
"""Appends a value's form to a buffer."""
DecodeFrom = Callable[[bytes, int], tuple[Any, int]]
"""Reads a value at an offset; gives it and the offset behind it."""


@dataclass(frozen=True, slots=True)
class Codec:
    """The two directions for one shape. ``min_size`` is the fewest bytes a value takes.
    ``fmt`` is a ``struct`` format when the shape is one plain fixed-size field."""

    encode_into: EncodeInto
    decode_from: DecodeFrom
    min_size: int
    fmt: str | None = None


@cache
def codec_for(shape: ScaleShape) -> Codec:
    """The two functions of a shape.

    :raises ScaleTypeError: when decoding it could not be bounded.
    """
    match shape:
        case shapes.Integer(bits):
            return _integer(bits // 8)
        case shapes.CompactInteger(bits):
            return _compact(bits)
        case shapes.Bool():
            return Codec(_encode_bool, _decode_bool, 1)
        case shapes.FixedBytes(length):
            return _fixed_bytes(length)
        case shapes.Bytes(limit):
            return _byte_string(limit)
        case shapes.Text(limit):
            return _text(limit)
        case shapes.Bits(limit):
            return _bits(limit)
        case shapes.Nothing():
            return Codec(_encode_nothing, _decode_nothing, 0)
        case shapes.Named(inner=inner):
            return codec_for(inner)
        case shapes.Vec(item, limit):
            return _vector(codec_for(item), limit)
        case shapes.Array(item, length):
            return _array(codec_for(item), length)
        case shapes.Tuple(members):
            return _tuple([codec_for(member) for member in members])
        case shapes.Option(inner):
            return _option(codec_for(inner))
        case shapes.Struct(cls, fields):
            return _struct(cls, {name: codec_for(field) for name, field in fields})
        case shapes.Enum(variants):
            return _enum({tag: (each.cls, codec_for(each)) for tag, each in variants})
        case shapes.PlainEnum(cls):
            return _plain_enum(cls)


# Plain shapes


_FORMATS = {1: "B", 2: "H", 4: "I", 8: "Q"}
"""How :mod:`struct` calls integers of so many bytes."""


def _integer(size: int) -> Codec:
    fmt = _FORMATS.get(size)
    return _wide_integer(size) if fmt is None else _packed(fmt)


def _packed(fmt: str) -> Codec:
    packer = struct.Struct("<" + fmt)
    size = packer.size
    pack, unpack_from = packer.pack, packer.unpack_from

    def encode_into(out: bytearray, value: Any) -> None:
        out += pack(value)

    def decode_from(data: bytes, offset: int) -> tuple[Any, int]:
        return unpack_from(data, offset)[0], offset + size

    return Codec(encode_into, decode_from, size, fmt)


def _fixed_bytes(length: int) -> Codec:
    def encode_into(out: bytearray, value: bytes) -> None:
        if len(value) != length:
            raise ScaleEncodeError(f"{length} bytes wanted, {len(value)} given")
        out += value

    def decode_from(data: bytes, offset: int) -> tuple[bytes, int]:
        end = offset + length
        if end > len(data):
            raise truncated(offset, length, len(data))
        return data[offset:end], end

    return Codec(encode_into, decode_from, length, f"{length}s")


def _wide_integer(size: int) -> Codec:
    def encode_into(out: bytearray, value: int) -> None:
        out += value.to_bytes(size, "little")

    def decode_from(data: bytes, offset: int) -> tuple[int, int]:
        end = offset + size
        if end > len(data):
            raise truncated(offset, size, len(data))
        return int.from_bytes(data[offset:end], "little"), end

    return Codec(encode_into, decode_from, size)


def _compact(bits: int) -> Codec:
    bound = 1 << bits

    def encode_into(out: bytearray, value: int) -> None:
        if value >= bound:
            raise ScaleEncodeError(f"{value} does not fit {bits} bits")
        encode_compact(out, value)

    def decode_from(data: bytes, offset: int) -> tuple[int, int]:
        value, end = decode_compact(data, offset)
        if value >= bound:
            raise ScaleDecodeError(offset, f"{value} does not fit {bits} bits")
        return value, end

    return Codec(encode_into, decode_from, 1)


def _encode_bool(out: bytearray, value: bool) -> None:
    if value is not True and value is not False:
        raise ScaleEncodeError(f"{value!r} is no bool")
    out.append(value)


def _decode_bool(data: bytes, offset: int) -> tuple[bool, int]:
    byte = data[offset]
    if byte > 1:
        raise ScaleDecodeError(offset, f"a bool is {byte}")
    return byte == 1, offset + 1


def _byte_string(limit: int | None) -> Codec:
    def encode_into(out: bytearray, value: bytes) -> None:
        if limit is not None and len(value) > limit:
            raise ScaleEncodeError(f"{len(value)} bytes, at most {limit} allowed")
        encode_compact(out, len(value))
        out += value

    def decode_from(data: bytes, offset: int) -> tuple[bytes, int]:
        length, start = decode_compact(data, offset)
        if limit is not None and length > limit:
            raise ScaleDecodeError(offset, f"{length} bytes announced, at most {limit} allowed")
        end = start + length
        if end > len(data):
            raise truncated(start, length, len(data))
        return data[start:end], end

    return Codec(encode_into, decode_from, 1)


def _text(limit: int | None) -> Codec:
    raw = _byte_string(limit)

    def encode_into(out: bytearray, value: str) -> None:
        raw.encode_into(out, value.encode())

    def decode_from(data: bytes, offset: int) -> tuple[str, int]:
        value, end = raw.decode_from(data, offset)
        try:
            return value.decode(), end
        except UnicodeDecodeError as error:
            raise ScaleDecodeError(offset, "text is not UTF-8") from error

    return Codec(encode_into, decode_from, 1)


def _bits(limit: int | None) -> Codec:
    def encode_into(out: bytearray, value: BitVec) -> None:
        if limit is not None and value.length > limit:
            raise ScaleEncodeError(f"{value.length} bits, at most {limit} allowed")
        encode_compact(out, value.length)
        out += value.data

    def decode_from(data: bytes, offset: int) -> tuple[BitVec, int]:
        length, start = decode_compact(data, offset)
        if limit is not None and length > limit:
            raise ScaleDecodeError(offset, f"{length} bits announced, at most {limit} allowed")
        end = start + (length + 7) // 8
        if end > len(data):
            raise truncated(start, end - start, len(data))
        try:
            return BitVec(data[start:end], length), end
        except ValueError as error:
            raise ScaleDecodeError(offset, str(error)) from error

    return Codec(encode_into, decode_from, 1)


def _encode_nothing(out: bytearray, value: None) -> None:
    if value is not None:
        raise ScaleEncodeError(f"{value!r} is not None")


def _decode_nothing(_data: bytes, offset: int) -> tuple[None, int]:
    return None, offset


# Composed shapes


def _tuple(members: list[Codec]) -> Codec:
    def encode_into(out: bytearray, value: tuple[Any, ...]) -> None:
        for member, item in zip(members, value, strict=True):
            member.encode_into(out, item)

    def decode_from(data: bytes, offset: int) -> tuple[tuple[Any, ...], int]:
        items = []
        for member in members:
            item, offset = member.decode_from(data, offset)
            items.append(item)
        return tuple(items), offset

    return Codec(encode_into, decode_from, sum(member.min_size for member in members))


def _vector(item: Codec, limit: int | None) -> Codec:
    if item.min_size == 0:
        raise ScaleTypeError("a Vec of values that take no bytes has no bound")
    body = _items(item)

    def encode_into(out: bytearray, value: tuple[Any, ...]) -> None:
        if limit is not None and len(value) > limit:
            raise ScaleEncodeError(f"{len(value)} elements, at most {limit} allowed")
        encode_compact(out, len(value))
        for member in value:
            item.encode_into(out, member)

    def decode_from(data: bytes, offset: int) -> tuple[tuple[Any, ...], int]:
        length, start = decode_compact(data, offset)
        if limit is not None and length > limit:
            raise ScaleDecodeError(offset, f"{length} elements, at most {limit} allowed")
        if length * item.min_size > len(data) - start:
            raise ScaleDecodeError(offset, f"{length} elements announced, the input is too short")
        return body(data, start, length)

    return Codec(encode_into, decode_from, 1)


def _array(item: Codec, length: int) -> Codec:
    body = _items(item)

    def encode_into(out: bytearray, value: tuple[Any, ...]) -> None:
        if len(value) != length:
            raise ScaleEncodeError(f"{length} elements wanted, {len(value)} given")
        for member in value:
            item.encode_into(out, member)

    def decode_from(data: bytes, offset: int) -> tuple[tuple[Any, ...], int]:
        if length * item.min_size > len(data) - offset:
            raise truncated(offset, length * item.min_size, len(data))
        return body(data, offset, length)

    return Codec(encode_into, decode_from, length * item.min_size)


def _items(item: Codec) -> Callable[[bytes, int, int], tuple[tuple[Any, ...], int]]:
    """A run of elements; plain fixed-size ones are read in one go."""
    if item.fmt is not None:
        fmt, size = item.fmt, item.min_size

        def read_plain(data: bytes, offset: int, length: int) -> tuple[tuple[Any, ...], int]:
            end = offset + length * size
            run = struct.iter_unpack("<" + fmt, data[offset:end])
            return tuple(value for (value,) in run), end

        return read_plain
    decode_from = item.decode_from

    def read(data: bytes, offset: int, length: int) -> tuple[tuple[Any, ...], int]:
        found = []
        for _ in range(length):
            value, offset = decode_from(data, offset)
            found.append(value)
        return tuple(found), offset

    return read


def _option(inner: Codec) -> Codec:
    def encode_into(out: bytearray, value: Any) -> None:
        if value is None:
            out.append(0)
        else:
            out.append(1)
            inner.encode_into(out, value)

    def decode_from(data: bytes, offset: int) -> tuple[Any, int]:
        tag = data[offset]
        if tag == 0:
            return None, offset + 1
        if tag != 1:
            raise ScaleDecodeError(offset, f"an Option's tag is {tag}")
        return inner.decode_from(data, offset + 1)

    return Codec(encode_into, decode_from, 1)


def _enum(by_tag: dict[bytes, tuple[type, Codec]]) -> Codec:
    width = len(next(iter(by_tag)))
    decoders = {tag: codec.decode_from for tag, (_, codec) in by_tag.items()}
    encoders = {cls: (tag, codec.encode_into) for tag, (cls, codec) in by_tag.items()}

    def encode_into(out: bytearray, value: Any) -> None:
        found = encoders.get(type(value))
        if found is None:
            raise ScaleEncodeError(f"{value!r:.200} is none of {tuple(encoders)!r}")
        tag, encode_member = found
        out += tag
        encode_member(out, value)

    def decode_from(data: bytes, offset: int) -> tuple[Any, int]:
        tag = data[offset : offset + width]
        decode_member = decoders.get(tag)
        if decode_member is None:
            if len(tag) < width:
                raise truncated(offset, width, len(data))
            raise ScaleDecodeError(offset, f"no variant has the tag {tag.hex()}")
        return decode_member(data, offset + width)

    smallest = min(codec.min_size for _, codec in by_tag.values())
    return Codec(encode_into, decode_from, width + smallest)


def _plain_enum(cls: type[enum.Enum]) -> Codec:
    members = {member.value: member for member in cls}

    def encode_into(out: bytearray, value: enum.Enum) -> None:
        out.append(value.value)

    def decode_from(data: bytes, offset: int) -> tuple[enum.Enum, int]:
        member = members.get(data[offset])
        if member is None:
            raise ScaleDecodeError(offset, f"{cls.__name__} has no member {data[offset]}")
        return member, offset + 1

    return Codec(encode_into, decode_from, 1)


def _struct(cls: type, codecs: dict[str, Codec]) -> Codec:
    """A dataclass, as generated source: runs of plain fixed-size fields are packed
    and unpacked by one ``struct`` call each."""
    names = list(codecs)
    scope: dict[str, Any] = {"cls": cls, "ScaleEncodeError": ScaleEncodeError}
    encoder, decoder = ["def encode_into(out, value):"], ["def decode_from(data, offset):"]
    position = 0
    while position < len(names):
        end = position
        while end < len(names) and codecs[names[end]].fmt is not None:
            end += 1
        if end > position:
            run = names[position:end]
            packer = struct.Struct("<" + "".join(codecs[name].fmt or "" for name in run))
            scope[f"pack_{position}"], scope[f"unpack_{position}"] = packer.pack, packer.unpack_from
            for name in run:
                if (codecs[name].fmt or "").endswith("s"):
                    size = codecs[name].min_size
                    encoder.append(f"    if len(value.{name}) != {size}:")
                    wrong = f"{cls.__name__}.{name} is not {size} bytes"
                    encoder.append(f"        raise ScaleEncodeError({wrong!r})")
            encoder.append(
                f"    out += pack_{position}({', '.join('value.' + name for name in run)})"
            )
            decoder.append(f"    {', '.join(run)}, = unpack_{position}(data, offset)")
            decoder.append(f"    offset += {packer.size}")
            position = end
        else:
            name = names[position]
            scope[f"encode_{name}"] = codecs[name].encode_into
            scope[f"decode_{name}"] = codecs[name].decode_from
            encoder.append(f"    encode_{name}(out, value.{name})")
            decoder.append(f"    {name}, offset = decode_{name}(data, offset)")
            position += 1
    encoder.append("    return None")
    decoder.append(f"    return cls({', '.join(names)}), offset")
    exec("\n".join(encoder + decoder), scope)
    min_size = sum(codec.min_size for codec in codecs.values())
    return Codec(scope["encode_into"], scope["decode_from"], min_size)
