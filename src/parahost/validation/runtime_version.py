"""The version that a runtime's Wasm tells of itself without being run.

A parachain that upgrades itself asks for its new code's version inside ``validate_block``. The
toolchain leaves two custom sections in a runtime: ``runtime_version``, a SCALE ``RuntimeVersion``
whose list of APIs is empty, and ``runtime_apis``, of 12 bytes for each API: its id and version.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from parahost.primitives import scale
from parahost.primitives.basic import U8, U32
from parahost.primitives.runtime_version import ApiId, RuntimeVersion
from parahost.validation.code import wasm_of
from parahost.validation.errors import FunctionFailed
from parahost.validation.metering import INSTRUCTIONS_PER_BYTE

_API_SIZE = 12
_CORE_API = bytes.fromhex("df6acb689907609b")
_PREAMBLE_SIZE = 8
_CUSTOM_SECTION = 0
_VERSION, _APIS = "runtime_version", "runtime_apis"
INSTRUCTIONS_PER_SECTION = 40_000
"""What a section of the code counts for, as a call of a host function does: 50 MiB of the smallest
would take half a minute."""
INSTRUCTIONS_PER_READ_BYTE = 200
"""And a byte of those that are read: they may list millions of APIs."""


class _Unreadable(Exception):
    """The code holds no version."""


@dataclass(frozen=True, slots=True)
class _Beginning:
    """The fields that every age of ``RuntimeVersion`` has."""

    spec_name: str
    impl_name: str
    authoring_version: U32
    spec_version: U32
    impl_version: U32
    apis: tuple[tuple[ApiId, U32], ...]


def embedded_version(code: bytes, charge: Callable[[int], None]) -> RuntimeVersion | None:
    """The version in ``code``, Wasm or compressed Wasm; ``None`` when there is none to read.

    ``charge`` is told what it takes, in instructions, as it goes: compressed code may be a
    thousandth of what it expands to.
    """
    found: dict[str, bytes] = {}
    try:
        wasm = wasm_of(code)
        charge(len(wasm) * INSTRUCTIONS_PER_BYTE)
        for name, content in _sections(wasm):
            charge(INSTRUCTIONS_PER_SECTION)
            if name in (_VERSION, _APIS) and name not in found:  # the first one counts
                charge(len(content) * INSTRUCTIONS_PER_READ_BYTE)
                found[name] = content
        return _read(found[_VERSION], found.get(_APIS)) if _VERSION in found else None
    except (FunctionFailed, scale.ScaleDecodeError, _Unreadable):
        return None


def _read(section: bytes, apis_section: bytes | None) -> RuntimeVersion:
    """How much of the version is there follows from the age of the API ``Core``."""
    start: _Beginning
    start, offset = scale.decode_prefix(_Beginning, section)
    apis = start.apis if apis_section is None else _read_apis(apis_section)
    age = 0 if apis_section is None else next((v for id_, v in apis if id_ == _CORE_API), 0)
    transaction_version, state_version = 1, 0
    if age >= 3:
        transaction_version, offset = scale.decode_prefix(U32, section, offset)
    if age >= 4:
        state_version, offset = scale.decode_prefix(U8, section, offset)
    return RuntimeVersion(
        start.spec_name,
        start.impl_name,
        start.authoring_version,
        start.spec_version,
        start.impl_version,
        apis,
        U32(transaction_version),
        U8(state_version),
    )


def _read_apis(section: bytes) -> tuple[tuple[ApiId, U32], ...]:
    if len(section) % _API_SIZE:
        raise _Unreadable
    return tuple(
        (section[at : at + 8], U32(int.from_bytes(section[at + 8 : at + _API_SIZE], "little")))
        for at in range(0, len(section), _API_SIZE)
    )


def _sections(wasm: bytes) -> Iterator[tuple[str, bytes]]:
    """Each section in turn: a custom one's name and content, or nothing of another."""
    offset = _PREAMBLE_SIZE
    while offset < len(wasm):
        kind = wasm[offset]
        size, start = _leb128(wasm, offset + 1)
        offset = start + size
        if offset > len(wasm):
            raise _Unreadable
        if kind == _CUSTOM_SECTION:
            name_size, name_start = _leb128(wasm, start)
            content = name_start + name_size
            if content > offset:
                raise _Unreadable
            yield wasm[name_start:content].decode(errors="replace"), wasm[content:offset]
        else:
            yield "", b""


def _leb128(data: bytes, offset: int) -> tuple[int, int]:
    """An unsigned 32-bit number, and the offset behind it."""
    value = 0
    for index, byte in enumerate(data[offset : offset + 5]):
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, offset + index + 1
    raise _Unreadable
