"""scale-info's portable registry: types by number, each told by the numbers of others."""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated

from parahost.primitives.basic import U8, U32
from parahost.primitives.scale import Compact, variant
from parahost.primitives.values import dataclass

TypeId = Annotated[int, Compact(32)]
"""A type's number."""
Lines = tuple[str, ...]
"""Documentation, line by line."""
Path = tuple[str, ...]
"""A type's name, and before it where the type is defined; empty when it has no name."""


class Primitive(IntEnum):
    BOOL = 0
    CHAR = 1
    STR = 2
    U8 = 3
    U16 = 4
    U32 = 5
    U64 = 6
    U128 = 7
    U256 = 8
    I8 = 9
    I16 = 10
    I32 = 11
    I64 = 12
    I128 = 13
    I256 = 14


@dataclass(frozen=True, slots=True)
class TypeField:
    """A field of a struct or of a variant. ``type_name``: how the type is called where the field
    is declared."""

    name: str | None
    type: TypeId
    type_name: str | None
    docs: Lines


@dataclass(frozen=True, slots=True)
class TypeVariant:
    """One of an enum's variants, tagged by ``index``."""

    name: str
    fields: tuple[TypeField, ...]
    index: U8
    docs: Lines


@variant(0)
@dataclass(frozen=True, slots=True)
class CompositeDef:
    """A struct."""

    fields: tuple[TypeField, ...]


@variant(1)
@dataclass(frozen=True, slots=True)
class VariantDef:
    """An enum."""

    variants: tuple[TypeVariant, ...]


@variant(2)
@dataclass(frozen=True, slots=True)
class SequenceDef:
    type_param: TypeId


@variant(3)
@dataclass(frozen=True, slots=True)
class ArrayDef:
    len: U32
    type_param: TypeId


@variant(4)
@dataclass(frozen=True, slots=True)
class TupleDef:
    fields: tuple[TypeId, ...]


@variant(5)
@dataclass(frozen=True, slots=True)
class PrimitiveDef:
    primitive: Primitive


@variant(6)
@dataclass(frozen=True, slots=True)
class CompactDef:
    type_param: TypeId


@variant(7)
@dataclass(frozen=True, slots=True)
class BitSequenceDef:
    bit_store_type: TypeId
    bit_order_type: TypeId


TypeDef = (
    CompositeDef
    | VariantDef
    | SequenceDef
    | ArrayDef
    | TupleDef
    | PrimitiveDef
    | CompactDef
    | BitSequenceDef
)


@dataclass(frozen=True, slots=True)
class TypeParameter:
    name: str
    type: TypeId | None


@dataclass(frozen=True, slots=True)
class TypeInfo:
    """All that is known of a type."""

    path: Path
    type_params: tuple[TypeParameter, ...]
    type_def: TypeDef
    docs: Lines


@dataclass(frozen=True, slots=True)
class PortableType:
    id: TypeId
    type: TypeInfo


PortableRegistry = tuple[PortableType, ...]
"""The types in the order of their numbers."""
