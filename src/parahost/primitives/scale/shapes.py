"""From annotations to shapes: what a type's SCALE form is made of, as plain data.

A type is an annotation. What stands for what:

=============================================  ==========================================
``U8`` .. ``U128``                             unsigned integers, little-endian
``bool``                                       one byte, 0 or 1
``bytes``, ``str``                             length-prefixed bytes, UTF-8 text
``H256``, ``H512``                             32 and 64 bytes as they are
NewTypes on any of these                       the same, under a name of their own
``Annotated[bytes, FixedLen(n)]``              n bytes as they are
``Annotated[int, Compact(bits)]``              compact integer below 2**bits
``tuple[T, ...]``                              Vec<T>; ``MaxLen(n)`` or ``FixedLen(n)`` may
                                               be put on it with ``Annotated``
``tuple[A, B]``                                a tuple
``T | None``                                   Option<T>
a dataclass                                    a struct: its fields in order
``A | B`` of dataclasses with ``@variant(i)``  an enum with fields, tagged by one byte (by two
                                               with ``@variant(i, j)``: an enum of enums)
a class with ``__scale_members__``             the same, of these dataclasses
``Annotated[T, FormOf(U)]``                    a ``T`` in the form of ``U``
an ``enum.Enum`` of integers                   an enum without fields
``BitVec``                                     BitVec<u8, Lsb0>; ``MaxLen(n)`` bounds its bits
=============================================  ==========================================

:mod:`parahost.primitives.scale.functions` makes an encoder and a decoder of a shape; metadata
describes one. Types do not contain themselves.
"""

from __future__ import annotations

import dataclasses
import enum
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from parahost.primitives import basic
from parahost.primitives.scale.bitvec import BitVec
from parahost.primitives.scale.errors import ScaleTypeError

C = TypeVar("C", bound=type)

# What is written into annotations


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


@dataclass(frozen=True, slots=True)
class FormOf:
    """On any type: the form of another, as of an enum of some of the type's members."""

    type: Any


def variant(*tag: int, name: str | None = None, unnamed: bool = False) -> Callable[[C], C]:
    """Give a dataclass its tag as a member of an enum with fields: one byte, or several for an
    enum of enums that is written as one union.

    For metadata: ``name`` is the variant's, where it is not the class's; ``unnamed`` says that the
    fields have no names there, as in Rust's tuple variants.
    """

    def mark(cls: C) -> C:
        cls.__scale_tag__ = bytes(tag)  # type: ignore[attr-defined]
        cls.__scale_name__ = name or cls.__name__  # type: ignore[attr-defined]
        cls.__scale_unnamed__ = unnamed  # type: ignore[attr-defined]
        return cls

    return mark


# Shapes


@dataclass(frozen=True, slots=True)
class Integer:
    """An unsigned integer of a fixed size."""

    bits: int


@dataclass(frozen=True, slots=True)
class CompactInteger:
    """An integer below ``2**bits`` in as few bytes as it needs."""

    bits: int


@dataclass(frozen=True, slots=True)
class Bool:
    pass


@dataclass(frozen=True, slots=True)
class FixedBytes:
    """So many bytes as they are."""

    length: int


@dataclass(frozen=True, slots=True)
class Bytes:
    """A length and so many bytes; ``max_length`` is ``None`` where nothing bounds them."""

    max_length: int | None = None


@dataclass(frozen=True, slots=True)
class Text:
    """The same, in UTF-8."""

    max_length: int | None = None


@dataclass(frozen=True, slots=True)
class Bits:
    """A length and so many bits."""

    max_length: int | None = None


@dataclass(frozen=True, slots=True)
class Nothing:
    """``None``, in no bytes."""


@dataclass(frozen=True, slots=True)
class Named:
    """Another shape under a name of its own, as ``ParaId`` is for ``U32``."""

    name: str
    module: str
    inner: ScaleShape


@dataclass(frozen=True, slots=True)
class Vec:
    item: ScaleShape
    max_length: int | None = None


@dataclass(frozen=True, slots=True)
class Array:
    item: ScaleShape
    length: int


@dataclass(frozen=True, slots=True)
class Tuple:
    """Values in a row."""

    members: tuple[ScaleShape, ...]


@dataclass(frozen=True, slots=True)
class Option:
    inner: ScaleShape


@dataclass(frozen=True, slots=True)
class Struct:
    """A dataclass and what its fields are made of."""

    cls: type
    fields: tuple[tuple[str, ScaleShape], ...]


@dataclass(frozen=True, slots=True)
class Enum:
    """One of several structs, each with its tag before it. All tags have the same length."""

    variants: tuple[tuple[bytes, Struct], ...]


@dataclass(frozen=True, slots=True)
class PlainEnum:
    """An ``enum.Enum`` whose members are bytes."""

    cls: type[enum.Enum]


ScaleShape = (
    Integer
    | CompactInteger
    | Bool
    | FixedBytes
    | Bytes
    | Text
    | Bits
    | Nothing
    | Named
    | Vec
    | Array
    | Tuple
    | Option
    | Struct
    | Enum
    | PlainEnum
)

_PLAIN: dict[Any, ScaleShape] = {
    basic.U8: Integer(8),
    basic.U16: Integer(16),
    basic.U32: Integer(32),
    basic.U64: Integer(64),
    basic.U128: Integer(128),
    basic.H256: FixedBytes(32),
    basic.H512: FixedBytes(64),
    bool: Bool(),
    bytes: Bytes(),
    str: Text(),
    BitVec: Bits(),
    type(None): Nothing(),
}


@cache
def shape_of(type_: Any) -> ScaleShape:
    """What a type's form is made of.

    :raises ScaleTypeError: when the type has no SCALE form.
    """
    plain = _PLAIN.get(type_)
    if plain is not None:
        return plain
    if isinstance(type_, typing.NewType):
        return Named(type_.__name__, type_.__module__ or "", shape_of(type_.__supertype__))
    origin = get_origin(type_)
    if origin is Annotated:
        return _annotated(type_)
    if origin is tuple:
        return _tuple(get_args(type_))
    if origin in (Union, types.UnionType):
        return _union(get_args(type_))
    if isinstance(type_, type):
        if members := vars(type_).get("__scale_members__"):
            return _enum(members)
        if issubclass(type_, enum.Enum):
            return _plain_enum(type_)
        if dataclasses.is_dataclass(type_):
            return _struct(type_)
    raise ScaleTypeError(f"no SCALE form for {type_!r}")


def _annotated(type_: Any) -> ScaleShape:
    inner, *notes = get_args(type_)
    if (form := next((note for note in notes if isinstance(note, FormOf)), None)) is not None:
        return shape_of(form.type)
    bound = next((n for n in notes if isinstance(n, (Compact, MaxLen, FixedLen))), None)
    if bound is None:
        return shape_of(inner)
    if isinstance(bound, Compact):
        return CompactInteger(bound.bits)
    unbounded = shape_of(inner)
    while isinstance(unbounded, Named):
        unbounded = unbounded.inner
    match unbounded, bound:
        case Bytes(None), FixedLen(length):
            return FixedBytes(length)
        case Vec(item, None), FixedLen(length):
            return Array(item, length)
        case ((Bytes(None) | Text(None) | Bits(None) | Vec(_, None)), MaxLen(length)):
            return dataclasses.replace(unbounded, max_length=length)
    raise ScaleTypeError(f"{bound} does not go with {inner!r}")


def _tuple(args: tuple[Any, ...]) -> ScaleShape:
    if len(args) == 2 and args[1] is Ellipsis:
        return Vec(shape_of(args[0]))
    return Tuple(tuple(shape_of(arg) for arg in args))


def _union(args: tuple[Any, ...]) -> ScaleShape:
    if type(None) in args:
        rest = tuple(arg for arg in args if arg is not type(None))
        return Option(shape_of(rest[0]) if len(rest) == 1 else _union(rest))
    return _enum(args)


def _enum(members: tuple[type, ...]) -> Enum:
    variants: dict[bytes, Struct] = {}
    width = len(getattr(members[0], "__scale_tag__", b""))
    for cls in members:
        tag = getattr(cls, "__scale_tag__", b"")
        if not tag or len(tag) != width or tag in variants:
            raise ScaleTypeError(f"{cls!r} has no tag of its own in {members!r}")
        variants[tag] = _struct(cls)
    return Enum(tuple(variants.items()))


def _plain_enum(cls: type[enum.Enum]) -> PlainEnum:
    if not all(isinstance(member.value, int) and 0 <= member.value < 256 for member in cls):
        raise ScaleTypeError(f"{cls!r} is not an enum of bytes")
    return PlainEnum(cls)


def _struct(cls: type) -> Struct:
    hints = typing.get_type_hints(cls, include_extras=True)
    fields = dataclasses.fields(cls)
    return Struct(cls, tuple((field.name, shape_of(hints[field.name])) for field in fields))
