"""Writing values: from plain Python and a type's number to bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from parahost.client.metadata import BITS, RuntimeMetadata, is_account, is_called
from parahost.client.reading import MAX_DEPTH
from parahost.primitives.errors import InputError
from parahost.primitives.scale.compact import encode_compact
from parahost.primitives.ss58 import BadAddress, parse_account
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


class BadValue(InputError):
    """A value does not fit its type; ``path`` says where."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path or 'the value'}: {reason}")
        self.path = path
        self.reason = reason


class ValueWriter:
    """Writes values of a chain's types."""

    def __init__(self, metadata: RuntimeMetadata, prefix: int) -> None:
        self._metadata = metadata
        self._prefix = prefix

    def encode(self, type_id: TypeId, value: Any) -> bytes:
        """The SCALE form of a value.

        :raises BadValue: when it does not fit.
        """
        out = bytearray()
        self._write(type_id, value, out, "", MAX_DEPTH)
        return bytes(out)

    def encode_call(self, pallet: str, name: str, arguments: Sequence[Any]) -> bytes:
        """The SCALE form of a call with its arguments in order.

        :raises UnknownName: when there is no such call.
        :raises BadValue: when an argument does not fit, or there are too many or too few.
        """
        index, call = self._metadata.call(pallet, name)
        if len(arguments) != len(call.fields):
            names = ", ".join(f"{each.name}: {each.type_name}" for each in call.fields)
            raise BadValue(f"{pallet}.{name}", f"its arguments are ({names})")
        out = bytearray((index, call.index))
        for each, value in zip(call.fields, arguments, strict=True):
            self._write(each.type, value, out, str(each.name), MAX_DEPTH)
        return bytes(out)

    def _write(self, type_id: TypeId, value: Any, out: bytearray, path: str, depth: int) -> None:
        if not depth:
            raise BadValue(path, "values are too deep in one another")
        info = self._metadata.types[type_id]
        match info.type_def:
            case PrimitiveDef(kind):
                out += _primitive(kind, value, path)
            case CompactDef(inner):
                out += _compact(_number(value, self._metadata.compact_bits(inner), path))
            case SequenceDef(item):
                items = self._items(item, value, path)
                out += _compact(len(items))
                self._write_items(item, items, out, path, depth)
            case ArrayDef(length, item):
                items = self._items(item, value, path)
                if len(items) != length:
                    raise BadValue(path, f"{length} elements are expected, not {len(items)}")
                self._write_items(item, items, out, path, depth)
            case TupleDef(fields):
                values = _listed(value, len(fields), path)
                for number, (each, one) in enumerate(zip(fields, values, strict=True)):
                    self._write(each, one, out, f"{path}[{number}]", depth - 1)
            case BitSequenceDef():
                out += _bits(value, path)
            case CompositeDef(fields):
                if is_account(info):
                    out += self._account(value, path)
                else:
                    self._write_fields(fields, value, out, path, depth)
            case VariantDef(variants):
                self._write_variant(info, variants, value, out, path, depth)

    def _write_items(self, item: TypeId, items: Any, out: bytearray, path: str, depth: int) -> None:
        if isinstance(items, bytes):
            out += items
            return
        for number, each in enumerate(items):
            self._write(item, each, out, f"{path}[{number}]", depth - 1)

    def _write_fields(
        self, fields: Sequence[TypeField], value: Any, out: bytearray, path: str, depth: int
    ) -> None:
        if fields and all(each.name is not None for each in fields):
            values = _named(fields, value, path)
        else:
            values = [value] if len(fields) == 1 else _listed(value, len(fields), path)
        for number, (each, one) in enumerate(zip(fields, values, strict=True)):
            inner = path if len(fields) == 1 and each.name is None else f"{path}[{number}]"
            where = inner if each.name is None else f"{path}.{each.name}".lstrip(".")
            self._write(each.type, one, out, where, depth - 1)

    def _write_variant(
        self,
        info: TypeInfo,
        variants: Sequence[TypeVariant],
        value: Any,
        out: bytearray,
        path: str,
        depth: int,
    ) -> None:
        if self._metadata.is_plain_option(info):
            name, content = ("None", None) if value is None else ("Some", value)
        elif isinstance(value, dict) and len(value) == 1:
            name, content = next(iter(value.items()))
        elif is_called(info, "MultiAddress"):
            name, content = "Id", value
        else:
            name, content = value, None
        chosen = next((each for each in variants if each.name == name), None)
        if chosen is None:
            known = ", ".join(each.name for each in variants)
            raise BadValue(path, f"{name!r:.40} is none of {known}")
        out.append(chosen.index)
        self._write_fields(chosen.fields, content, out, path, depth)

    def _items(self, item: TypeId, value: Any, path: str) -> Any:
        if self._metadata.is_byte(item):
            return _bytes(value, path)
        if not isinstance(value, list | tuple):
            raise BadValue(path, f"a list is expected, not {value!r:.40}")
        return value

    def _account(self, value: Any, path: str) -> bytes:
        if isinstance(value, bytes) and len(value) == 32:
            return value
        try:
            return parse_account(str(value), self._prefix)
        except BadAddress as error:
            raise BadValue(path, str(error)) from error


def _primitive(kind: Primitive, value: Any, path: str) -> bytes:
    if kind is Primitive.BOOL:
        if not isinstance(value, bool):
            raise BadValue(path, f"true or false is expected, not {value!r:.40}")
        return b"\1" if value else b"\0"
    if kind is Primitive.STR:
        text = str(value).encode()
        return _compact(len(text)) + text
    if kind is Primitive.CHAR:
        return ord(str(value)[:1] or "\0").to_bytes(4, "little")
    signed = kind.name.startswith("I")
    number = _number(value, BITS[kind], path, signed=signed)
    return number.to_bytes(BITS[kind] // 8, "little", signed=signed)


def _number(value: Any, bits: int, path: str, *, signed: bool = False) -> int:
    if isinstance(value, str) and value.lstrip("-").replace("_", "").isdigit():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadValue(path, f"a number is expected, not {value!r:.40}")
    least = -(1 << bits - 1) if signed else 0
    most = (1 << (bits - 1 if signed else bits)) - 1 if bits else 0
    if not least <= value <= most:
        raise BadValue(path, f"{value} is not from {least} to {most}")
    return value


def _bytes(value: Any, path: str) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, str) and value.startswith("0x"):
        try:
            return bytes.fromhex(value[2:])
        except ValueError:
            raise BadValue(path, f"{value!r:.40} is not hex") from None
    if isinstance(value, str):
        return value.encode()
    raise BadValue(path, f"bytes are expected, not {value!r:.40}")


def _bits(value: Any, path: str) -> bytes:
    if not isinstance(value, list) or not all(isinstance(bit, bool) for bit in value):
        raise BadValue(path, f"a list of true and false is expected, not {value!r:.40}")
    number = sum(1 << place for place, bit in enumerate(value) if bit)
    return _compact(len(value)) + number.to_bytes((len(value) + 7) // 8, "little")


def _named(fields: Sequence[TypeField], value: Any, path: str) -> list[Any]:
    names = [str(each.name) for each in fields]
    if not isinstance(value, dict) or set(value) != set(names):
        raise BadValue(path, f"an object with {', '.join(names)} is expected, not {value!r:.60}")
    return [value[name] for name in names]


def _listed(value: Any, count: int, path: str) -> list[Any]:
    if not count and value in (None, [], {}):
        return []
    if not isinstance(value, list | tuple) or len(value) != count:
        raise BadValue(path, f"a list of {count} is expected, not {value!r:.60}")
    return list(value)


def _compact(number: int) -> bytes:
    out = bytearray()
    encode_compact(out, number)
    return bytes(out)
