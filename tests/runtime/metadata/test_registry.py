"""Types by number, by hand."""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, Any, ClassVar

import pytest

from parahost.primitives.basic import H256, U8, U32, Hash, ParaId
from parahost.primitives.scale import (
    BitVec,
    Compact,
    FixedLen,
    MaxLen,
    ScaleTypeError,
    encode,
    shape_of,
    variant,
)
from parahost.primitives.values import dataclass
from parahost.runtime.description import ModuleDescription, Variant, describe
from parahost.runtime.metadata.portable import (
    ArrayDef,
    CompositeDef,
    PortableRegistry,
    PortableType,
    Primitive,
    PrimitiveDef,
    SequenceDef,
    TupleDef,
    TypeField,
    TypeInfo,
    TypeParameter,
    VariantDef,
)
from parahost.runtime.metadata.registry import TypeRegistry
from parahost.runtime.metadata.runtime_types import CALL, ERROR, EVENT, RuntimeTypes
from parahost.runtime.module import RuntimeCall
from parahost.runtime.origin import AccountId
from parahost.runtime.sudo import GovernedCall
from parahost.runtime.system import EventRecord


class Colour(IntEnum):
    """What paint has."""

    DARK_RED = 3
    """Of the sea."""


@variant(1, name="Point", unnamed=True)
@dataclass(frozen=True, slots=True)
class Dot:
    """Without extent."""

    place: U8


@variant(4)
@dataclass(frozen=True, slots=True)
class Line:
    class_: Colour
    """Which one, see :class:`Colour`."""


@dataclass(frozen=True, slots=True)
class Drawing:
    shape: Dot | Line


@variant(1, 2)
@dataclass(frozen=True, slots=True)
class Nested:
    pass


def told(type_: Any) -> PortableRegistry:
    registry = TypeRegistry()
    assert registry.id_of_type(type_) == 0
    return registry.registered()


def definitions(type_: Any) -> list[Any]:
    return [each.type.type_def for each in told(type_)]


U8_DEF, U32_DEF = PrimitiveDef(Primitive.U8), PrimitiveDef(Primitive.U32)


def test_a_struct_with_an_enum_by_hand() -> None:
    """Numbers in the order of first use; variants by their tags, with the names and documentation
    that stand in the source."""
    drawing, union, byte, colour = told(Drawing)
    here = ("tests", "runtime", "metadata", "test_registry")
    assert drawing.type.path == (*here, "Drawing")
    assert drawing.type.type_def == CompositeDef((TypeField("shape", 1, "Enum", ()),))
    assert union.type.path == ()
    assert isinstance(union.type.type_def, VariantDef)
    dot, line = union.type.type_def.variants
    assert (dot.name, dot.index, dot.docs) == ("Point", 1, ("Without extent.",))
    assert dot.fields == (TypeField(None, 2, "u8", ()),)
    assert (line.name, line.index, line.docs) == ("Line", 4, ())
    assert line.fields == (TypeField("class", 3, "Colour", ("Which one, see `Colour`.",)),)
    assert byte.type.type_def == U8_DEF
    assert colour.type.docs == ("What paint has.",)
    assert isinstance(colour.type.type_def, VariantDef)
    (red,) = colour.type.type_def.variants
    assert (red.name, red.index, red.docs) == ("DarkRed", 3, ("Of the sea.",))


def test_the_bytes_of_a_registry() -> None:
    """scale-info's form of ``Vec<u8>``: two types, each with its number, path, parameters, what it
    is, documentation."""
    raw = encode(told(bytes), PortableRegistry)
    sequence, byte = "00" + "00" + "00" + "0204" + "00", "04" + "00" + "00" + "0503" + "00"
    assert raw.hex() == "08" + sequence + byte


@pytest.mark.parametrize(
    ("type_", "expected"),
    [
        (bytes, [SequenceDef(1), U8_DEF]),
        (Annotated[bytes, MaxLen(5)], [SequenceDef(1), U8_DEF]),
        (H256, [ArrayDef(U32(32), 1), U8_DEF]),
        (str, [PrimitiveDef(Primitive.STR)]),
        (bool, [PrimitiveDef(Primitive.BOOL)]),
        (type(None), [TupleDef(())]),
        (tuple[U32, U32], [TupleDef((1, 1)), U32_DEF]),
        (Annotated[tuple[U32, ...], MaxLen(3)], [SequenceDef(1), U32_DEF]),
        (Annotated[tuple[U32, ...], FixedLen(3)], [ArrayDef(U32(3), 1), U32_DEF]),
    ],
)
def test_plain_types(type_: Any, expected: list[Any]) -> None:
    assert definitions(type_) == expected


@pytest.mark.parametrize(
    ("bits", "primitive"), [(7, "U8"), (32, "U32"), (33, "U64"), (128, "U128")]
)
def test_compact_integers_are_as_wide_as_they_must(bits: int, primitive: str) -> None:
    _, inner = definitions(Annotated[int, Compact(bits)])
    assert inner == PrimitiveDef(Primitive[primitive])


def test_bits_begin_with_the_lowest() -> None:
    _, store, order = told(BitVec)
    assert store.type.type_def == U8_DEF
    assert order.type == TypeInfo(("bitvec", "order", "Lsb0"), (), CompositeDef(()), ())


def test_an_option_has_its_parameter() -> None:
    option, _ = told(U8 | None)
    assert option.type.path == ("Option",)
    assert option.type.type_params == (TypeParameter("T", 1),)


def test_what_differs_in_bounds_alone_is_one_type() -> None:
    registry = TypeRegistry()
    numbers = {
        registry.id_of_type(type_)
        for type_ in (
            tuple[tuple[bytes, ...], ...],
            tuple[Annotated[tuple[bytes, ...], MaxLen(2)], ...],
            Annotated[tuple[tuple[Annotated[bytes, MaxLen(9)], ...], ...], MaxLen(2)],
        )
    }
    assert len(numbers) == 1
    assert len(registry.registered()) == 4


def test_names_of_ours_and_of_substrate() -> None:
    para, _ = told(ParaId)
    assert para.type.path == ("parahost", "primitives", "basic", "ParaId")
    assert told(Hash)[0].type.path == ("primitive_types", "H256")
    assert told(AccountId)[0].type.path == ("sp_core", "crypto", "AccountId32")
    assert told(Hash)[0].type.docs[0].startswith("A blake2-256 hash;")


def test_a_union_of_two_tags_that_is_no_call_and_no_event_has_no_form() -> None:
    class Union:
        __scale_members__: ClassVar = (Nested,)

    with pytest.raises(ScaleTypeError, match="Nested"):
        told(Union)


# The runtime's


def runtime_types() -> RuntimeTypes:
    return RuntimeTypes(describe())


def info(types: RuntimeTypes, number: int) -> TypeInfo:
    registered: dict[int, PortableType] = {each.id: each for each in types.registered()}
    return registered[number].type


def test_some_calls_are_told_as_all() -> None:
    """A governed call has the form of a call, so tools may write it as one."""
    types = runtime_types()
    every = types.outer(CALL)
    assert types.id_of_type(GovernedCall) == types.id_of_type(RuntimeCall) == every
    assert info(types, every).path == ("parahost_runtime", "RuntimeCall")


def test_polkadot_js_finds_the_type_of_events_by_a_records_parameters() -> None:
    types = runtime_types()
    record = info(types, types.id_of_type(EventRecord))
    assert record.path == ("frame_system", "EventRecord")
    assert record.type_params == (
        TypeParameter("E", types.outer(EVENT)),
        TypeParameter("T", types.id_of_type(H256)),
    )


def test_tools_find_the_parts_of_an_extrinsic_by_its_parameters() -> None:
    types = runtime_types()
    extrinsic = info(types, types.extrinsic())
    assert [each.name for each in extrinsic.type_params] == [
        "Address",
        "Call",
        "Signature",
        "Extra",
    ]
    assert extrinsic.path[-1] == "UncheckedExtrinsic"
    address = extrinsic.type_params[0].type
    assert address is not None
    assert [each.name for each in info(types, address).type_params] == ["AccountId", "AccountIndex"]


def test_a_number_that_no_error_has_is_told_so() -> None:
    errors = tuple(Variant(index, f"E{index}", (), "") for index in (3, 1))
    module = ModuleDescription(7, "Odd", (), (), (), errors, (), "")
    types = RuntimeTypes((module,))
    number = types.inner(module, ERROR)
    assert number is not None
    definition = info(types, number).type_def
    assert isinstance(definition, VariantDef)
    assert [(each.index, each.name) for each in definition.variants] == [
        (0, "Unused0"),
        (1, "E1"),
        (2, "Unused2"),
        (3, "E3"),
    ]


def test_a_module_without_events_has_no_enum_of_them() -> None:
    module = ModuleDescription(7, "Odd", (), (), (), (), (), "")
    types = RuntimeTypes((module,))
    assert types.inner(module, EVENT) is None
    assert types.inner(module, ERROR) is None
    assert info(types, types.outer(EVENT)).type_def == VariantDef(())


def test_shapes_and_types_are_asked_alike() -> None:
    registry = TypeRegistry()
    assert registry.id_of_type(ParaId) == registry.id_of(shape_of(ParaId)) == 0
