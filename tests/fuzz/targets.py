"""The decoders that face strangers, with what they may raise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

import wasmtime
import zstandard

from parahost.network.errors import PeerError
from parahost.network.handshake import decode_hello, decode_told
from parahost.network.noise import _parse_payload
from parahost.parachains.code import example_code
from parahost.primitives.addresses import AddressError, parse_told
from parahost.primitives.compression import COMPRESSED_PREFIX, BadCompression, maybe_decompress
from parahost.primitives.scale import ScaleDecodeError, decode, encode
from parahost.primitives.scale.shapes import shape_of
from parahost.runtime.errors import MalformedExtrinsic
from parahost.runtime.extrinsic import decode_extrinsic
from parahost.runtime.module import RuntimeCall
from parahost.validation.errors import StructureExceeded
from parahost.validation.wasm.reader import MalformedModule, read_module
from parahost.validation.wasm.stack_limit import limit_stack
from tests.fuzz.forms import damaged, form_of
from tests.primitives.test_bounds import read_types

Draw = Callable[[Random], bytes]


class Broken(Exception):
    """A decoder took what it does not give back."""


@dataclass(frozen=True, slots=True)
class Target:
    """``run`` reads one input that ``draw`` makes; ``expected`` is what it may raise."""

    name: str
    draw: Draw
    run: Callable[[bytes], object]
    expected: tuple[type[BaseException], ...]


def targets() -> Iterator[Target]:
    """All of them."""
    types: dict[str, Any] = {}
    for name, type_ in read_types():
        types.setdefault(str(type_), (name, type_))
    for name, type_ in types.values():
        yield _of_type(name, type_)
    adder, address = bytes(example_code("adder")), "/ip4/192.0.2.7/tcp/30333/p2p/" + PEER
    compressed = COMPRESSED_PREFIX + zstandard.compress(bytes(5000))
    yield Target("hello", _of_noise, decode_hello, (PeerError,))
    yield Target("told addresses", _of_noise, decode_told, (PeerError,))
    yield Target(
        "noise payload", _like(bytes.fromhex("0a240801122000")), _parse_payload, (PeerError,)
    )
    yield Target("address", _like(address.encode()), _parse_text, (AddressError, UnicodeError))
    yield Target("extrinsic", _extrinsic, decode_extrinsic, (MalformedExtrinsic,))
    yield Target("zstd", _like(compressed), _decompress, (BadCompression,))
    yield Target("wasm", _like(adder), _instrument, (MalformedModule, StructureExceeded))


ENGINE = wasmtime.Engine()
PEER = "12D3KooWN5QNs6e9fMcJMhAL5uFh23vKuK6AA4qJk4PzjKV9E53u"


def _of_type(name: str, type_: Any) -> Target:
    shape = shape_of(type_)

    def run(data: bytes) -> None:
        if encode(decode(type_, data), type_) != data:
            raise Broken(name)

    return Target(
        name, lambda random: damaged(random, form_of(random, shape)), run, (ScaleDecodeError,)
    )


def _like(example: bytes) -> Draw:
    return lambda random: damaged(random, example)


def _of_noise(random: Random) -> bytes:
    return damaged(random, random.randbytes(random.randrange(200)))


def _extrinsic(random: Random) -> bytes:
    call = form_of(random, shape_of(RuntimeCall))
    head = random.choice((b"\x04", b"\x84\0" + bytes(32) + b"\1" + bytes(64) + b"\0\0\0"))
    return damaged(random, head + call)


def _parse_text(data: bytes) -> None:
    address = parse_told(data.decode())
    if str(parse_told(str(address))) != str(address):
        raise Broken("address")


def _decompress(data: bytes) -> None:
    if len(maybe_decompress(data, 10_000)) > max(10_000, len(data)):
        raise Broken("zstd")


def _instrument(data: bytes) -> None:
    """As a module is compiled: it is read, and only what the engine holds valid is changed."""
    module = read_module(data)
    if _is_valid(data) and not _is_valid(limit_stack(module)):
        raise Broken("wasm")


def _is_valid(wasm: bytes) -> bool:
    try:
        wasmtime.Module.validate(ENGINE, wasm)
    except wasmtime.WasmtimeError:
        return False
    return True
