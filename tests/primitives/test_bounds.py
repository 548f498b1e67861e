"""Whatever is read from the network is bounded in its type: no sender decides how much work and
memory its bytes cost."""

import ast
import dataclasses
import types
import typing
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin

import pytest

import parahost
from parahost.primitives.candidates import AvailableData
from parahost.primitives.scale import (
    BitVec,
    FixedLen,
    MaxLen,
    ScaleDecodeError,
    ScaleEncodeError,
    codec_of,
    decode,
    encode,
)
from parahost.runtime.runtime_apis import RUNTIME_APIS

SOURCE = Path(parahost.__file__).parent
ROOMS = ("node", "chain", "consensus", "network", "runtime")
OF_OUR_OWN = (
    "chain.store",
    "consensus.grandpa.store",
    "node.availability.archive",
    "node.utility.misbehavior_arbitration",
    "node.validity.disputes.store",
    "runtime.storage.cell",
    "runtime.storage.declarations",
)
"""Modules that read what this node has written itself."""
BY_A_TABLE = "runtime.api_trait"
"""Decodes what the functions of the Runtime APIs take."""
BOUNDED_BY_THE_EXTRINSIC = (
    "Register.genesis_head: bytes",
    "Register.validation_code: bytes",
    "ScheduleCodeUpgrade.validation_code: bytes",
)
"""One slice of a transaction, whose size is limited. The runtime refuses with an error of its own
what is larger than the chain's configuration allows."""
DECODERS = ("decode", "decode_once", "decode_prefix")


def read_types() -> Iterator[tuple[str, Any]]:
    """Each type that a module of those rooms decodes, by the names in that module."""
    for room in ROOMS:
        for path in sorted((SOURCE / room).rglob("*.py")):
            name = ".".join(path.relative_to(SOURCE).with_suffix("").parts)
            if name in (*OF_OUR_OWN, BY_A_TABLE):
                continue
            for call in ast.walk(ast.parse(path.read_text())):
                if (
                    isinstance(call, ast.Call)
                    and isinstance(call.func, ast.Name)
                    and call.func.id in DECODERS
                ):
                    module = import_module(f"parahost.{name}")
                    text = ast.unparse(call.args[0])
                    yield f"{name}: {text}", eval(text, vars(module))


def asked_types() -> Iterator[tuple[str, Any]]:
    """What the functions of the Runtime APIs take."""
    for trait in RUNTIME_APIS:
        for method in trait.methods:
            for name, type_ in method.inputs:
                yield f"{trait.name}_{method.name}: {name}", type_


def unbounded(type_: Any, where: str, inside: tuple[Any, ...] = ()) -> Iterator[str]:
    """The places in a type at which a length is not bounded."""
    while isinstance(type_, typing.NewType) and not codec_of(type_).fmt:
        type_ = type_.__supertype__
    bound = None
    if get_origin(type_) is Annotated:
        type_, *notes = get_args(type_)
        bound = next((note for note in notes if isinstance(note, MaxLen | FixedLen)), None)
        while isinstance(type_, typing.NewType) and not codec_of(type_).fmt:
            type_ = type_.__supertype__
    args = get_args(type_)
    if type_ in (bytes, str, BitVec):
        if bound is None:
            yield f"{where}: {type_.__name__}"
    elif get_origin(type_) is tuple and len(args) == 2 and args[1] is Ellipsis:
        if bound is None:
            yield f"{where}: {type_}"
        yield from unbounded(args[0], f"{where}[]", inside)
    elif get_origin(type_) is tuple or get_origin(type_) in (Union, types.UnionType):
        for arg in args:
            yield from unbounded(arg, where, inside)
    elif dataclasses.is_dataclass(type_) and type_ not in inside:
        for name, hint in typing.get_type_hints(type_, include_extras=True).items():
            if name in {field.name for field in dataclasses.fields(type_)}:
                at = f"{type_.__name__}.{name}"  # type: ignore[union-attr]
                yield from unbounded(hint, at, (*inside, type_))


READ = [("data recovered from chunks", AvailableData), *read_types(), *asked_types()]


@pytest.mark.parametrize("type_", [type_ for _, type_ in READ], ids=[name for name, _ in READ])
def test_what_is_read_from_others_is_bounded(type_: Any) -> None:
    found = dict.fromkeys(unbounded(type_, str(type_)))
    assert [place for place in found if place not in BOUNDED_BY_THE_EXTRINSIC] == []


def test_the_walk_finds_what_is_unbounded() -> None:
    @dataclasses.dataclass
    class Inner:
        bits: BitVec

    @dataclasses.dataclass
    class Outer:
        bounded: Annotated[bytes, MaxLen(3)]
        texts: Annotated[tuple[str, ...], MaxLen(3)]
        inner: tuple[Annotated[bytes, FixedLen(2)], int] | None

    Outer.__annotations__["inner"] = tuple[tuple[Inner, ...], bytes] | None
    assert list(unbounded(Outer, "Outer")) == [
        "Outer.texts[]: str",
        f"Outer.inner: {tuple[Inner, ...]}",
        "Inner.bits: BitVec",
        "Outer.inner: bytes",
    ]


def test_a_bit_vector_may_have_a_bound() -> None:
    bounded = Annotated[BitVec, MaxLen(9)]
    for length in (0, 8, 9):
        bits = BitVec.zeros(length)
        assert decode(bounded, encode(bits, bounded)) == bits
    with pytest.raises(ScaleEncodeError):
        encode(BitVec.zeros(10), bounded)
    with pytest.raises(ScaleDecodeError, match="10 bits announced, at most 9 allowed"):
        decode(bounded, encode(BitVec.zeros(10)))
