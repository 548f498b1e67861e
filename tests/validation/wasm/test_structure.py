"""What a module may be made of, and that it is read strictly."""

from __future__ import annotations

import pytest
import wasmtime

from parahost.validation.engine import Engine
from parahost.validation.errors import FunctionFailed, StructureExceeded
from parahost.validation.wasm.reader import WASM_HEADER, MalformedModule, read_module, s32, u32
from parahost.validation.wasm.structure import CountedPart


def section(number: int, content: bytes) -> bytes:
    return bytes([number]) + u32(len(content)) + content


def wasm(text: str) -> bytes:
    return bytes(wasmtime.wat2wasm(f"(module {text})"))


EXCEEDING = {
    CountedPart.TYPES: section(1, u32(10_001) + b"\x60\0\0" * 10_001),
    CountedPart.TYPE_VALUES: section(1, b"\x01\x60" + u32(1001) + b"\x7f" * 1001 + b"\0"),
    CountedPart.IMPORTS: section(2, u32(1001) + b"\0\0\0\0" * 1001),
    CountedPart.FUNCTIONS: section(3, u32(100_001) + bytes(100_001)),
    CountedPart.TABLES: section(4, u32(101) + b"\x70\0\0" * 101),
    CountedPart.TABLE_ELEMENTS: section(4, b"\x02" + (b"\x70\0" + u32(500_001)) * 2),
    CountedPart.GLOBALS: section(6, u32(10_001)),
    CountedPart.EXPORTS: section(7, u32(10_001)),
    CountedPart.ELEMENT_SEGMENTS: section(9, u32(10_001)),
    CountedPart.DATA_SEGMENTS: section(11, u32(100_001)),
    CountedPart.BODY_SIZE: section(10, b"\x01" + u32(2 * 1024 * 1024 + 1)),
    CountedPart.LOCALS: section(10, b"\x01\x08\x01" + u32(1_000_001) + b"\x7f\x0b\0\0"),
}


@pytest.mark.parametrize("part", CountedPart)
def test_too_much_of_anything_is_refused(part: CountedPart) -> None:
    with pytest.raises(StructureExceeded) as refusal:
        Engine().compile(WASM_HEADER + EXCEEDING[part])
    assert refusal.value.what == part.value[0]
    assert refusal.value.count > refusal.value.limit == part.limit


def test_as_much_as_may_be_is_not() -> None:
    module = read_module(wasm("(func)" * 100_000))
    assert len(module.bodies) == 100_000


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"\0asm\x02\0\0\0",
        WASM_HEADER + b"\x01",
        WASM_HEADER + b"\x01\x05\0",
        WASM_HEADER + section(3, b"\x80\x80\x80\x80\x80\0"),
        WASM_HEADER + section(3, b"\xff\xff\xff\xff\x1f"),
        WASM_HEADER + section(1, b"\x01\x5f\0\0"),
        WASM_HEADER + section(1, b"\0") * 2,
        WASM_HEADER + section(2, b"\x01\0\0\x09"),
        WASM_HEADER + section(3, b"\x01\0"),
        WASM_HEADER + section(5, b"\0") + section(4, b"\x01\x70\x07\0"),
        WASM_HEADER + section(3, b"\x01\0") + section(10, b"\x01\x02\x01\x01\x7f\x0b"),
    ],
)
def test_what_is_malformed_is_refused_as_the_engine_refuses_it(damaged: bytes) -> None:
    with pytest.raises(MalformedModule):
        read_module(damaged)
    with pytest.raises(FunctionFailed):
        Engine().compile(damaged)


@pytest.mark.parametrize("value", [0, 1, 63, 64, 127, 128, 8191, 8192, 65_536, (1 << 31) - 1])
def test_integers_are_written_as_engines_read_them(value: int) -> None:
    body = b"\0\x41" + s32(value) + b"\x0b"
    module = (
        WASM_HEADER
        + section(1, b"\x01\x60\0\x01\x7f")
        + section(3, b"\x01\0")
        + section(7, b"\x01\x01f\0\0")
        + section(10, b"\x01" + u32(len(body)) + body)
    )
    engine = wasmtime.Engine()
    store = wasmtime.Store(engine)
    function = wasmtime.Instance(store, wasmtime.Module(engine, module), []).exports(store)["f"]
    assert isinstance(function, wasmtime.Func) and function(store) == value
