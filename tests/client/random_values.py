"""Random values of any type that some metadata tells of, as plain Python."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from parahost.client import RuntimeMetadata
from parahost.client.metadata import BITS, is_account
from parahost.primitives.ss58 import ss58_encode
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
    VariantDef,
)

DEPTH = 7


def values(metadata: RuntimeMetadata, type_id: int, depth: int = DEPTH) -> st.SearchStrategy[Any]:
    info = metadata.types[type_id]

    def inner(each: int) -> st.SearchStrategy[Any]:
        return values(metadata, each, depth - 1)

    match info.type_def:
        case PrimitiveDef(Primitive.BOOL):
            return st.booleans()
        case PrimitiveDef(Primitive.STR):
            return st.text("abcäöü 123", max_size=8)
        case PrimitiveDef(kind):
            return st.integers(0, 2 ** BITS[kind] - 1)
        case CompactDef(number):
            return st.integers(0, 2 ** metadata.compact_bits(number) - 1)
        case SequenceDef(item) if metadata.is_byte(item):
            return st.binary(max_size=12)
        case ArrayDef(length, item) if metadata.is_byte(item):
            return st.binary(min_size=length, max_size=length)
        case SequenceDef(item):
            return st.lists(inner(item), max_size=2 if depth > 0 else 0)
        case ArrayDef(length, item):
            return st.lists(inner(item), min_size=length, max_size=length)
        case TupleDef(fields):
            return st.tuples(*map(inner, fields)).map(lambda each: list(each) or None)
        case BitSequenceDef():
            return st.lists(st.booleans(), max_size=12)
        case CompositeDef(fields):
            if is_account(info):
                return st.binary(min_size=32, max_size=32).map(ss58_encode)
            return content(metadata, fields, depth)
        case VariantDef() if info.path[-1:] == ("Era",):
            # Tag and content are one number, of which not all are eras.
            return st.sampled_from(["Immortal", {"Mortal21": 0}, {"Mortal165": 2}])
        case VariantDef(variants):
            if metadata.is_plain_option(info):
                some = variants[1].fields[0].type
                return st.none() | inner(some) if depth > 0 else st.none()
            chosen = variants if depth > 0 else variants[:1]
            if not chosen:
                return st.nothing()
            return st.sampled_from(chosen).flatmap(
                lambda each: (
                    content(metadata, each.fields, depth).map(lambda it: {each.name: it})
                    if each.fields
                    else st.just(each.name)
                )
            )
    raise AssertionError(info)


def content(
    metadata: RuntimeMetadata, fields: tuple[TypeField, ...], depth: int
) -> st.SearchStrategy[Any]:
    each = [values(metadata, field.type, depth - 1) for field in fields]
    if fields and all(field.name is not None for field in fields):
        names = [str(field.name) for field in fields]
        return st.tuples(*each).map(lambda made: dict(zip(names, made, strict=True)))
    if len(each) == 1:
        return each[0]
    return st.tuples(*each).map(lambda made: list(made) or None)
