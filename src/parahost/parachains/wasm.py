"""Reading from a Wasm module what it exports, without compiling it."""

from __future__ import annotations

_HEADER_SIZE = 8
_EXPORT_SECTION = 7
_FUNCTION = 0


class MalformedWasm(ValueError):
    """The bytes are no Wasm module; says where they stop being one."""


def exported_functions(wasm: bytes) -> list[str]:
    """The names of the functions that a module exports.

    :raises MalformedWasm: when its sections cannot be read.
    """
    try:
        at = _HEADER_SIZE
        while at < len(wasm):
            section = wasm[at]
            size, at = _unsigned(wasm, at + 1)
            if at + size > len(wasm):
                raise MalformedWasm(f"section {section} at byte {at} is cut off")
            if section == _EXPORT_SECTION:
                return _functions(wasm[at : at + size])
            at += size
    except IndexError as error:
        raise MalformedWasm("it ends in the middle of a section") from error
    return []


def _functions(section: bytes) -> list[str]:
    count, at = _unsigned(section, 0)
    names = []
    for _ in range(count):
        length, at = _unsigned(section, at)
        name = section[at : at + length].decode(errors="replace")
        kind = section[at + length]
        _, at = _unsigned(section, at + length + 1)
        if kind == _FUNCTION:
            names.append(name)
    return names


def _unsigned(data: bytes, at: int) -> tuple[int, int]:
    """A LEB128 number of at most 32 bits, and the offset behind it."""
    value = 0
    for shift in range(0, 35, 7):
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise MalformedWasm(f"a number at byte {at} does not end")
