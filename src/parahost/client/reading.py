"""Reading values: from bytes and a type's number to plain Python."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from parahost.client.metadata import BITS, RuntimeMetadata, is_account
from parahost.primitives.scale import ScaleDecodeError, decode_compact
from parahost.primitives.ss58 import ss58_encode
from parahost.runtime.metadata.portable import (
    ArrayDef,
    BitSequenceDef,
    CompactDef,
    CompositeDef,
    Primitive,
    PrimitiveDef,
    SequenceDef,
    TupleDef,
    TypeField,
    TypeId,
    TypeInfo,
    TypeVariant,
    VariantDef,
)

MAX_DEPTH: Final = 64
"""How deep values may be in one another: calls may hold calls."""


class ValueReader:
    """Reads values of a chain's types."""

    def __init__(self, metadata: RuntimeMetadata, prefix: int) -> None:
        self._metadata = metadata
        self._prefix = prefix

    def decode(self, type_id: TypeId, data: bytes) -> Any:
        """A value that takes all of ``data``.

        :raises ScaleDecodeError: when the bytes are no value of the type, or more than one.
        """
        value, end = self.decode_prefix(type_id, data, 0)
        if end != len(data):
            raise ScaleDecodeError(end, f"{len(data) - end} bytes are left over")
        return value

    def decode_prefix(self, type_id: TypeId, data: bytes, offset: int) -> tuple[Any, int]:
        """A value that begins at ``offset``, and where it ends.

        :raises ScaleDecodeError: when the bytes there are no value of the type.
        """
        reader = _Reader(data, offset)
        return self._read(type_id, reader, MAX_DEPTH), reader.offset

    def _read(self, type_id: TypeId, data: _Reader, depth: int) -> Any:
        if not depth:
            raise data.wrong("values are too deep in one another")
        info = self._metadata.types[type_id]
        match info.type_def:
            case PrimitiveDef(kind):
                return _read_primitive(kind, data)
            case CompactDef(inner):
                return data.compact(self._metadata.compact_bits(inner))
            case SequenceDef(item):
                return self._read_items(item, data.length(), data, depth)
            case ArrayDef(length, item):
                return self._read_items(item, length, data, depth)
            case TupleDef(fields):
                return row([self._read(each, data, depth - 1) for each in fields])
            case BitSequenceDef():
                return data.bits()
            case CompositeDef(fields):
                value = self._read_fields(fields, data, depth)
                return ss58_encode(value, self._prefix) if is_account(info) else value
            case VariantDef(variants):
                return self._read_variant(info, variants, data, depth)

    def _read_items(self, item: TypeId, count: int, data: _Reader, depth: int) -> Any:
        if self._metadata.is_byte(item):
            return data.take(count)
        if count > data.left() and not self._metadata.is_empty(item):
            raise data.wrong(f"{count} elements are announced, {data.left()} bytes are left")
        return [self._read(item, data, depth - 1) for _ in range(count)]

    def _read_fields(self, fields: Sequence[TypeField], data: _Reader, depth: int) -> Any:
        values = [self._read(each.type, data, depth - 1) for each in fields]
        if fields and all(each.name is not None for each in fields):
            return {each.name: value for each, value in zip(fields, values, strict=True)}
        return values[0] if len(values) == 1 else row(values)

    def _read_variant(
        self, info: TypeInfo, variants: Sequence[TypeVariant], data: _Reader, depth: int
    ) -> Any:
        tag = data.take(1)[0]
        chosen = next((each for each in variants if each.index == tag), None)
        if chosen is None:
            raise data.wrong(f"{'::'.join(info.path)} has no variant {tag}")
        content = self._read_fields(chosen.fields, data, depth)
        if self._metadata.is_plain_option(info):
            return content
        return {chosen.name: content} if chosen.fields else chosen.name


class _Reader:
    def __init__(self, data: bytes, offset: int) -> None:
        self._data = data
        self.offset = offset

    def left(self) -> int:
        return len(self._data) - self.offset

    def wrong(self, reason: str) -> ScaleDecodeError:
        return ScaleDecodeError(self.offset, reason)

    def take(self, count: int) -> bytes:
        if count > self.left():
            raise self.wrong(f"{count} bytes are expected, {self.left()} are left")
        self.offset += count
        return self._data[self.offset - count : self.offset]

    def compact(self, bits: int) -> int:
        """A number of so many bits."""
        if not bits:
            return 0
        if not self.left():
            raise self.wrong("a number is expected, no bytes are left")
        value, end = decode_compact(self._data, self.offset)
        if value >> bits:
            raise self.wrong(f"{value} has more than {bits} bits")
        self.offset = end
        return value

    def length(self) -> int:
        return self.compact(32)

    def bits(self) -> list[bool]:
        count = self.length()
        data = self.take((count + 7) // 8)
        return [bool(data[place // 8] >> place % 8 & 1) for place in range(count)]


def _read_primitive(kind: Primitive, data: _Reader) -> Any:
    if kind is Primitive.BOOL:
        byte = data.take(1)
        if byte not in (b"\0", b"\1"):
            raise data.wrong(f"a bool is 0 or 1, not {byte[0]}")
        return byte == b"\1"
    if kind is Primitive.STR:
        try:
            return data.take(data.length()).decode()
        except UnicodeDecodeError as error:
            raise data.wrong("the text is no UTF-8") from error
    if kind is Primitive.CHAR:
        return _char(data)
    return int.from_bytes(data.take(BITS[kind] // 8), "little", signed=kind.name.startswith("I"))


def _char(data: _Reader) -> str:
    number = int.from_bytes(data.take(4), "little")
    if number > 0x10FFFF or 0xD800 <= number < 0xE000:
        raise data.wrong(f"{number} is no character")
    return chr(number)


def row(values: list[Any]) -> Any:
    """Values without names; of none, nothing."""
    return values or None
