"""The binary form of a Wasm module, as far as its structure goes.

Function bodies stay slices of the code section; an engine has to validate them. What is read here
is read strictly, and costs no more than the module's size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import repeat
from typing import TypeVar

from parahost.validation.wasm.structure import CountedPart, bound

_T = TypeVar("_T")

WASM_HEADER = b"\0asm\1\0\0\0"
_MAX_U32 = (1 << 32) - 1
_FUNCTION_TYPE = 0x60


class SectionId(IntEnum):
    CUSTOM = 0
    TYPE = 1
    IMPORT = 2
    FUNCTION = 3
    TABLE = 4
    MEMORY = 5
    GLOBAL = 6
    EXPORT = 7
    START = 8
    ELEMENT = 9
    CODE = 10
    DATA = 11
    DATA_COUNT = 12


class _ImportKind(IntEnum):
    FUNCTION = 0
    TABLE = 1
    MEMORY = 2
    GLOBAL = 3


class MalformedModule(ValueError):
    """The bytes are no Wasm module; one line that says what is wrong."""


@dataclass(frozen=True, slots=True)
class FunctionType:
    """The value types of parameters and results, a byte each."""

    parameters: bytes
    results: bytes


@dataclass(frozen=True, slots=True)
class Section:
    id: int
    content: bytes


@dataclass(frozen=True, slots=True)
class FunctionBody:
    """A function's body: how many locals it declares, and where things are in the content of the
    code section."""

    locals: int
    start: int
    code_start: int
    """Where its instructions begin, behind the locals."""
    end: int


@dataclass(slots=True)
class WasmModule:
    """What a module declares."""

    sections: list[Section]
    types: list[FunctionType] = field(default_factory=list)
    imported_globals: int = 0
    functions: list[int] = field(default_factory=list)
    """The type index of each function, imported ones first."""
    imported_functions: int = 0
    table_minima: list[int] = field(default_factory=list)
    globals: int = 0
    """How many it imports and defines."""
    exports: int = 0
    bodies: list[FunctionBody] = field(default_factory=list)

    def content(self, section_id: SectionId) -> bytes | None:
        """Of the section with that id, if there is one."""
        return next((s.content for s in self.sections if s.id == section_id), None)


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def byte(self) -> int:
        if self.at >= len(self.data):
            raise MalformedModule(f"cut off at byte {self.at}")
        self.at += 1
        return self.data[self.at - 1]

    def u32(self) -> int:
        value = 0
        for shift in range(0, 35, 7):
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if value > _MAX_U32:
                    break
                return value
        raise MalformedModule(f"the integer that ends at byte {self.at} exceeds 32 bits")

    def prefixed(self) -> bytes:
        """A length and so many bytes."""
        length = self.u32()
        if length > len(self.data) - self.at:
            raise MalformedModule(f"{length} bytes from byte {self.at} on are not there")
        self.at += length
        return self.data[self.at - length : self.at]

    def many(self, part: CountedPart, read: Callable[[], _T]) -> Iterator[_T]:
        """A count and so many items."""
        return (read() for _ in repeat(None, bound(part, self.u32())))

    def function_type(self) -> FunctionType:
        if self.byte() != _FUNCTION_TYPE:
            raise MalformedModule(f"no function type at byte {self.at - 1}")
        return FunctionType(self.value_types(), self.value_types())

    def value_types(self) -> bytes:
        values = self.prefixed()
        bound(CountedPart.TYPE_VALUES, len(values))
        return values

    def table(self) -> int:
        """A table's type; its minimum."""
        self.byte()
        return self.limits()

    def limits(self) -> int:
        """The minimum."""
        flags = self.byte()
        if flags > 1:
            raise MalformedModule(f"limits with flags {flags}")
        minimum = self.u32()
        if flags:
            self.u32()
        return minimum


def read_module(wasm: bytes) -> WasmModule:
    """:raises StructureExceeded: when the module has too much of something.
    :raises MalformedModule: when the structure is no Wasm module's of the set of features that
        validation functions may use.
    """
    if not wasm.startswith(WASM_HEADER):
        raise MalformedModule("no Wasm of version 1")
    reader = _Reader(wasm)
    reader.at = len(WASM_HEADER)
    module = WasmModule([])
    seen = set()
    while reader.at < len(wasm):
        section = Section(reader.byte(), reader.prefixed())
        if section.id in seen:
            raise MalformedModule(f"two sections with id {section.id}")
        if section.id != SectionId.CUSTOM:
            seen.add(section.id)
        module.sections.append(section)
        _read_section(module, section)
    bound(CountedPart.TABLE_ELEMENTS, sum(module.table_minima))
    bound(CountedPart.LOCALS, sum(body.locals for body in module.bodies))
    if len(module.bodies) != len(module.functions) - module.imported_functions:
        raise MalformedModule("functions and bodies are not of the same number")
    return module


def _read_section(module: WasmModule, section: Section) -> None:
    reader = _Reader(section.content)
    match section.id:
        case SectionId.TYPE:
            module.types.extend(reader.many(CountedPart.TYPES, reader.function_type))
        case SectionId.IMPORT:
            for _ in range(bound(CountedPart.IMPORTS, reader.u32())):
                _read_import(module, reader)
        case SectionId.FUNCTION:
            module.functions.extend(reader.many(CountedPart.FUNCTIONS, reader.u32))
        case SectionId.TABLE:
            module.table_minima.extend(reader.many(CountedPart.TABLES, reader.table))
        case SectionId.GLOBAL:
            module.globals += bound(CountedPart.GLOBALS, reader.u32())
        case SectionId.CODE:
            module.bodies.extend(reader.many(CountedPart.FUNCTIONS, lambda: _read_body(reader)))
        case SectionId.EXPORT:
            module.exports = bound(CountedPart.EXPORTS, reader.u32())
        case SectionId.ELEMENT:
            bound(CountedPart.ELEMENT_SEGMENTS, reader.u32())
        case SectionId.DATA:
            bound(CountedPart.DATA_SEGMENTS, reader.u32())


def _read_import(module: WasmModule, reader: _Reader) -> None:
    reader.prefixed()
    reader.prefixed()
    match reader.byte():
        case _ImportKind.FUNCTION:
            module.functions.append(reader.u32())
            module.imported_functions += 1
        case _ImportKind.TABLE:
            module.table_minima.append(reader.table())
        case _ImportKind.MEMORY:
            reader.limits()
        case _ImportKind.GLOBAL:
            reader.byte()
            reader.byte()
            module.globals += 1
            module.imported_globals += 1
        case kind:
            raise MalformedModule(f"an import of kind {kind}")


def _read_body(reader: _Reader) -> FunctionBody:
    size = bound(CountedPart.BODY_SIZE, reader.u32())
    start = reader.at
    if size > len(reader.data) - start:
        raise MalformedModule(f"a body of {size} bytes is cut off")
    declared = 0
    for _ in range(reader.u32()):
        declared += reader.u32()
        reader.byte()
    body = FunctionBody(declared, start, reader.at, start + size)
    if reader.at > body.end:
        raise MalformedModule("locals reach beyond their body")
    reader.at = body.end
    return body


def u32(value: int) -> bytes:
    """Unsigned LEB128."""
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def s32(value: int) -> bytes:
    """Signed LEB128 of a value that is not negative."""
    encoded = bytearray()
    while value >= 0x40:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
