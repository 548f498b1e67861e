"""The typed SCALE codec: from a Python type to a pair of functions, built once per type.

A type is an annotation. What stands for what:

=============================================  ==========================================
``U8`` .. ``U128`` and NewTypes on them        unsigned integers, little-endian
``bool``                                       one byte, 0 or 1
``bytes``, ``str``                             length-prefixed bytes, UTF-8 text
``H256``, ``H512``, NewTypes on them           32 and 64 bytes as they are
``Annotated[bytes, FixedLen(n)]``              n bytes as they are
``Annotated[int, Compact(bits)]``              compact integer below 2**bits
``tuple[T, ...]``                              Vec<T>; ``MaxLen(n)`` or ``FixedLen(n)`` may
                                               be put on it with ``Annotated``
``tuple[A, B]``                                a tuple
``T | None``                                   Option<T>
a dataclass                                    a struct: its fields in order
``A | B`` of dataclasses with ``@variant(i)``  an enum with fields, tagged by one byte (by two
                                               with ``@variant(i, j)``: an enum of enums)
an ``enum.Enum`` of integers                   an enum without fields
``BitVec``                                     BitVec<u8, Lsb0>; ``MaxLen(n)`` bounds its bits
=============================================  ==========================================

Decoding is bounded: a length that the input cannot hold is refused before anything is
allocated, compact integers must be in their shortest form, and spare bits must be zero.
So each value has exactly one form, and decode-then-encode gives back the same bytes.
"""

from __future__ import annotations

import dataclasses
import enum
import struct
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from parahost.primitives import basic
from parahost.primitives.scale.bitvec import BitVec
from parahost.primitives.scale.errors import ScaleDecodeError, ScaleEncodeError, ScaleTypeError

EncodeInto = Callable[[bytearray, Any], None]
"""Appends a value's form to a buffer."""
DecodeFrom = Callable[[bytes, int], tuple[Any, int]]
"""Reads a value at an offset; gives it and the offset behind it."""

C = TypeVar("C", bound=type)


@dataclass(frozen=True, slots=True)
class Compact:
    """On ``int``: the compact form, for integers below ``2**bits``."""

    bits: int = 32


@dataclass(frozen=True, slots=True)
class MaxLen:
    """On a Vec, ``bytes``, ``str`` or ``BitVec``: at most so many elements, bytes or bits."""

    length: int


@dataclass(frozen=True, slots=True)
class FixedLen:
    """On a Vec or ``bytes``: an array of exactly so many elements, without a prefix."""

    length: int


def variant(*tag: int) -> Callable[[C], C]:
    """Give a dataclass its tag as a member of an enum with fields: one byte, or several for an
    enum of enums that is written as one union."""

    def mark(cls: C) -> C:
        cls.__scale_tag__ = bytes(tag)  # type: ignore[attr-defined]
        return cls

    return mark


@dataclass(frozen=True, slots=True)
class Codec:
    """The two directions for one type. ``min_size`` is the fewest bytes a value takes.
    ``fmt`` is a ``struct`` format when the type is one plain fixed-size field."""

    encode_into: EncodeInto
    decode_from: DecodeFrom
    min_size: int
    fmt: str | None = None


def encode(value: Any, type_: Any = None) -> bytes:
    """The SCALE form of a value, by its own class when no type is given.

    :raises ScaleEncodeError: when the value does not fit the type.
    """
    out = bytearray()
    try:
        codec_of(_type_of(value) if type_ is None else type_).encode_into(out, value)
    except (struct.error, AttributeError, TypeError, OverflowError) as error:
        raise ScaleEncodeError(f"{value!r:.200} does not fit {type_ or type(value)}") from error
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


def _type_of(value: Any) -> Any:
    return type(value)


@cache
def codec_of(type_: Any) -> Codec:
    """The codec of a type; built at first use.

    :raises ScaleTypeError: when the type has no SCALE form.
    """
    plain = _PLAIN.get(type_)
    if plain is not None:
        return plain
    if isinstance(type_, typing.NewType):
        return codec_of(type_.__supertype__)
    origin = get_origin(type_)
    if origin is Annotated:
        return _annotated(type_)
    if origin is tuple:
        return _tuple(get_args(type_))
    if origin in (Union, types.UnionType):
        return _union(get_args(type_))
    if isinstance(type_, type):
        if issubclass(type_, enum.Enum):
            return _plain_enum(type_)
        if dataclasses.is_dataclass(type_):
            return _struct(type_)
    raise ScaleTypeError(f"no SCALE form for {type_!r}")


# Plain types


def _truncated(offset: int, wanted: int, size: int) -> ScaleDecodeError:
    return ScaleDecodeError(offset, f"{wanted} bytes wanted, {size - offset} left")


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
            raise _truncated(offset, length, len(data))
        return data[offset:end], end

    return Codec(encode_into, decode_from, length, f"{length}s")


def _wide_integer(size: int) -> Codec:
    def encode_into(out: bytearray, value: int) -> None:
        out += value.to_bytes(size, "little")

    def decode_from(data: bytes, offset: int) -> tuple[int, int]:
        end = offset + size
        if end > len(data):
            raise _truncated(offset, size, len(data))
        return int.from_bytes(data[offset:end], "little"), end

    return Codec(encode_into, decode_from, size)


def encode_compact(out: bytearray, value: int) -> None:
    """Append an integer below 2**536 in its shortest compact form."""
    if value < 0:
        raise ScaleEncodeError(f"{value} is negative")
    if value < 1 << 6:
        out.append(value << 2)
    elif value < 1 << 14:
        out += (value << 2 | 1).to_bytes(2, "little")
    elif value < 1 << 30:
        out += (value << 2 | 2).to_bytes(4, "little")
    else:
        size = (value.bit_length() + 7) // 8
        if size > 67:
            raise ScaleEncodeError(f"an integer of {value.bit_length()} bits is too large")
        out.append((size - 4) << 2 | 3)
        out += value.to_bytes(size, "little")


def decode_compact(data: bytes, offset: int) -> tuple[int, int]:
    """Read a compact integer, which must be in its shortest form."""
    first = data[offset]
    mode = first & 3
    if mode == 0:
        return first >> 2, offset + 1
    if mode == 3:
        size = (first >> 2) + 4
        start, shortest = offset + 1, 1 << 30 if first == 3 else 1 << (8 * (size - 1))
        end = start + size
        value = int.from_bytes(data[start:end], "little")
    else:
        size, shortest = (2, 1 << 6) if mode == 1 else (4, 1 << 14)
        end = offset + size
        value = int.from_bytes(data[offset:end], "little") >> 2
    if end > len(data):
        raise _truncated(offset, end - offset, len(data))
    if value < shortest:
        raise ScaleDecodeError(offset, "a compact integer is not in its shortest form")
    return value, end


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
            raise _truncated(start, length, len(data))
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
            raise _truncated(start, end - start, len(data))
        try:
            return BitVec(data[start:end], length), end
        except ValueError as error:
            raise ScaleDecodeError(offset, str(error)) from error

    return Codec(encode_into, decode_from, 1)


def _encode_nothing(out: bytearray, value: None) -> None:
    if value is not None:
        raise ScaleEncodeError(f"{value!r} is not None")


_PLAIN: dict[Any, Codec] = {
    basic.U8: _packed("B"),
    basic.U16: _packed("H"),
    basic.U32: _packed("I"),
    basic.U64: _packed("Q"),
    basic.U128: _wide_integer(16),
    basic.H256: _fixed_bytes(32),
    basic.H512: _fixed_bytes(64),
    bool: Codec(_encode_bool, _decode_bool, 1),
    bytes: _byte_string(None),
    str: _text(None),
    BitVec: _bits(None),
    type(None): Codec(_encode_nothing, lambda _data, offset: (None, offset), 0),
}


# Composed types


def _annotated(type_: Any) -> Codec:
    inner, *notes = get_args(type_)
    bound = next((n for n in notes if isinstance(n, (Compact, MaxLen, FixedLen))), None)
    if bound is None:
        return codec_of(inner)
    if isinstance(bound, Compact):
        return _compact(bound.bits)
    while isinstance(inner, typing.NewType):
        inner = inner.__supertype__
    if inner is bytes:
        if isinstance(bound, FixedLen):
            return _fixed_bytes(bound.length)
        return _byte_string(bound.length)
    if inner is str and isinstance(bound, MaxLen):
        return _text(bound.length)
    if inner is BitVec and isinstance(bound, MaxLen):
        return _bits(bound.length)
    args = get_args(inner)
    if get_origin(inner) is tuple and len(args) == 2 and args[1] is Ellipsis:
        if isinstance(bound, FixedLen):
            return _array(codec_of(args[0]), bound.length)
        return _vector(codec_of(args[0]), bound.length)
    raise ScaleTypeError(f"{bound} does not go with {inner!r}")


def _tuple(args: tuple[Any, ...]) -> Codec:
    if len(args) == 2 and args[1] is Ellipsis:
        return _vector(codec_of(args[0]), None)
    members = [codec_of(arg) for arg in args]

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
            raise _truncated(offset, length * item.min_size, len(data))
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


def _union(args: tuple[Any, ...]) -> Codec:
    if type(None) in args:
        rest = tuple(arg for arg in args if arg is not type(None))
        return _option(codec_of(rest[0]) if len(rest) == 1 else _union(rest))
    by_tag: dict[bytes, Codec] = {}
    by_class: dict[type, tuple[bytes, Codec]] = {}
    width = len(getattr(args[0], "__scale_tag__", b""))
    for arg in args:
        tag = getattr(arg, "__scale_tag__", b"")
        if not tag or len(tag) != width or tag in by_tag:
            raise ScaleTypeError(f"{arg!r} has no tag of its own in {args!r}")
        by_tag[tag] = codec_of(arg)
        by_class[arg] = (tag, by_tag[tag])

    def encode_into(out: bytearray, value: Any) -> None:
        member = by_class.get(type(value))
        if member is None:
            raise ScaleEncodeError(f"{value!r:.200} is none of {args!r}")
        out += member[0]
        member[1].encode_into(out, value)

    def decode_from(data: bytes, offset: int) -> tuple[Any, int]:
        tag = data[offset : offset + width]
        member = by_tag.get(tag)
        if member is None:
            if len(tag) < width:
                raise _truncated(offset, width, len(data))
            raise ScaleDecodeError(offset, f"no variant has the tag {tag.hex()}")
        return member.decode_from(data, offset + width)

    return Codec(encode_into, decode_from, width + min(c.min_size for c in by_tag.values()))


def _plain_enum(cls: type[enum.Enum]) -> Codec:
    members = {member.value: member for member in cls}
    if not all(isinstance(value, int) and 0 <= value < 256 for value in members):
        raise ScaleTypeError(f"{cls!r} is not an enum of bytes")

    def encode_into(out: bytearray, value: enum.Enum) -> None:
        out.append(value.value)

    def decode_from(data: bytes, offset: int) -> tuple[enum.Enum, int]:
        member = members.get(data[offset])
        if member is None:
            raise ScaleDecodeError(offset, f"{cls.__name__} has no member {data[offset]}")
        return member, offset + 1

    return Codec(encode_into, decode_from, 1)


def _struct(cls: type) -> Codec:
    """The codec of a dataclass, as generated source: runs of plain fixed-size fields are packed
    and unpacked by one ``struct`` call each."""
    hints = typing.get_type_hints(cls, include_extras=True)
    names = [field.name for field in dataclasses.fields(cls)]
    codecs = {name: codec_of(hints[name]) for name in names}
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


__all__ = ["Compact", "FixedLen", "MaxLen", "codec_of", "decode", "encode", "variant"]
