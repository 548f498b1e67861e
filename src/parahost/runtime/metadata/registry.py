"""The types that metadata speaks of, told from the SCALE shapes that our codec is made of."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable
from typing import Any

from parahost.primitives.basic import U8, U32
from parahost.primitives.scale import ScaleTypeError, shape_of
from parahost.primitives.scale.shapes import (
    Array,
    Bits,
    Bool,
    Bytes,
    CompactInteger,
    Enum,
    FixedBytes,
    Integer,
    Named,
    Nothing,
    Option,
    PlainEnum,
    ScaleShape,
    Struct,
    Text,
    Tuple,
    Vec,
)
from parahost.runtime.documentation import (
    attribute_documentation,
    class_documentation,
    name_documentation,
)
from parahost.runtime.metadata.names import LSB0, TypeName, name_of, spelled
from parahost.runtime.metadata.portable import (
    ArrayDef,
    BitSequenceDef,
    CompactDef,
    CompositeDef,
    Lines,
    PortableRegistry,
    PortableType,
    Primitive,
    PrimitiveDef,
    SequenceDef,
    TupleDef,
    TypeDef,
    TypeField,
    TypeId,
    TypeInfo,
    TypeParameter,
    TypeVariant,
    VariantDef,
)

_BYTE = Integer(8)


class TypeRegistry:
    """Numbers types in the order of their first use."""

    def __init__(self) -> None:
        self._ids: dict[Hashable, TypeId] = {}
        self._types: list[TypeInfo | None] = []

    def registered(self) -> PortableRegistry:
        """All types that have been asked for, with all that they are made of."""
        return tuple(
            PortableType(number, info)
            for number, info in enumerate(self._types)
            if info is not None
        )

    def id_of_type(self, type_: Any) -> TypeId:
        """:raises ScaleTypeError: when the type has no SCALE form."""
        return self.id_of(shape_of(type_))

    def id_of(self, shape: ScaleShape) -> TypeId:
        """The number of what has this shape."""
        shape = without_bounds(shape)
        return self.register(shape, lambda: self._info(shape))

    def register(self, key: Hashable, info: Callable[[], TypeInfo]) -> TypeId:
        """The number of what goes by ``key``; ``info`` tells of it if it comes up first."""
        known = self._ids.get(key)
        if known is None:
            known = self._ids[key] = len(self._types)
            self._types.append(None)
            self._types[known] = info()  # what it is made of comes after it, and may be itself
        return known

    def named(self, name: TypeName, definition: TypeDef, docs: str = "") -> TypeInfo:
        """What is to be told of a type."""
        parameters = tuple(
            TypeParameter(parameter, self.id_of_type(type_)) for parameter, type_ in name.parameters
        )
        return TypeInfo(name.path, parameters, definition, lines(docs))

    def field(self, name: str | None, shape: ScaleShape, docs: str = "") -> TypeField:
        """What is to be told of a field. Where its name is a word of Python, as ``class`` is, our
        source has an underscore behind it."""
        told = name if name is None else name.rstrip("_")
        return TypeField(told, self.id_of(shape), spelled(shape), lines(docs))

    # Shapes

    def _info(self, shape: ScaleShape) -> TypeInfo:
        if isinstance(shape, Option):
            return self._option(shape)
        return self.named(name_of(shape), self._definition(shape), _documentation(shape))

    def _definition(self, shape: ScaleShape) -> TypeDef:
        match shape:
            case Integer(bits):
                return PrimitiveDef(Primitive[f"U{bits}"])
            case CompactInteger(bits):
                return CompactDef(self.id_of(Integer(bits)))
            case Bool():
                return PrimitiveDef(Primitive.BOOL)
            case Text():
                return PrimitiveDef(Primitive.STR)
            case Bits():
                return BitSequenceDef(
                    self.id_of(_BYTE),
                    self.register(LSB0, lambda: self.named(LSB0, CompositeDef(()))),
                )
            case Nothing():
                return TupleDef(())
            case Named(inner=inner):
                return CompositeDef((self.field(None, inner),))
            case Vec(item):
                return SequenceDef(self.id_of(item))
            case Array(item, length):
                return ArrayDef(U32(length), self.id_of(item))
            case Tuple(members):
                return TupleDef(tuple(self.id_of(member) for member in members))
            case Struct():
                return CompositeDef(self._fields(shape))
            case Enum(variants):
                return VariantDef(tuple(self._variant(*each) for each in variants))
            case PlainEnum(cls):
                return VariantDef(_plain_variants(cls))
        raise ScaleTypeError(f"metadata has no form for {shape!r}")

    def _option(self, shape: Option) -> TypeInfo:
        inner = self.id_of(shape.inner)
        some = TypeField(None, inner, None, ())
        return TypeInfo(
            name_of(shape).path,
            (TypeParameter("T", inner),),
            VariantDef(
                (TypeVariant("None", (), U8(0), ()), TypeVariant("Some", (some,), U8(1), ()))
            ),
            (),
        )

    def _fields(self, shape: Struct, *, unnamed: bool = False) -> tuple[TypeField, ...]:
        documented = attribute_documentation(shape.cls)
        return tuple(
            self.field(None if unnamed else name, field, documented.get(name, ""))
            for name, field in shape.fields
        )

    def _variant(self, tag: bytes, shape: Struct) -> TypeVariant:
        cls: Any = shape.cls
        if len(tag) > 1:
            raise ScaleTypeError(f"{cls!r} is in an enum of enums, which nobody has named")
        fields = self._fields(shape, unnamed=cls.__scale_unnamed__)
        return TypeVariant(cls.__scale_name__, fields, U8(tag[0]), lines(class_documentation(cls)))


def _documentation(shape: ScaleShape) -> str:
    match shape:
        case Struct(cls) | PlainEnum(cls):
            return class_documentation(cls)
        case Named(name, module):
            return name_documentation(module, name)
    return ""


def _plain_variants(cls: Any) -> tuple[TypeVariant, ...]:
    documented = attribute_documentation(cls)
    return tuple(
        TypeVariant(
            member.name.title().replace("_", ""),
            (),
            U8(member.value),
            lines(documented.get(member.name, "")),
        )
        for member in cls
    )


def without_bounds(shape: ScaleShape) -> ScaleShape:
    """A shape as metadata knows it: no lengths at most, and bytes as vectors of numbers."""
    match shape:
        case Bytes():
            return Vec(_BYTE)
        case FixedBytes(length):
            return Array(_BYTE, length)
        case CompactInteger(bits):
            return CompactInteger(next(width for width in (8, 16, 32, 64, 128) if bits <= width))
        case Text():
            return Text()
        case Bits():
            return Bits()
        case Vec(item):
            return Vec(without_bounds(item))
        case Array(item, length):
            return Array(without_bounds(item), length)
        case Tuple(members):
            return Tuple(tuple(map(without_bounds, members)))
        case Option(inner):
            return Option(without_bounds(inner))
    return shape


def lines(text: str) -> Lines:
    """Documentation as metadata has it: in Markdown, line by line."""
    plain = re.sub(r":\w+:`[~.]*([^`]*)`", r"`\1`", text).replace("``", "`")
    return tuple(plain.splitlines())
