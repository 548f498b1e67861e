"""Everything that the modules declare, as plain data with documentation: what metadata is made of.

Types are SCALE shapes. Documentation is what stands in the source: a class's docstring, or the
string under an attribute.
"""

from __future__ import annotations

from itertools import groupby
from typing import Any

from parahost.primitives.scale import encode, shape_of
from parahost.primitives.scale.shapes import ScaleShape, Struct
from parahost.primitives.values import dataclass
from parahost.runtime.documentation import attribute_documentation, class_documentation
from parahost.runtime.errors import ModuleError
from parahost.runtime.module import Constant, Module, RuntimeCall, RuntimeEvent
from parahost.runtime.modules import MODULE_TABLE
from parahost.runtime.storage import Hasher, StorageItem, StorageMap


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    shape: ScaleShape
    documentation: str


@dataclass(frozen=True, slots=True)
class Variant:
    """A call, an event or an error, with its number in the module."""

    index: int
    name: str
    fields: tuple[Field, ...]
    documentation: str


@dataclass(frozen=True, slots=True)
class StorageDescription:
    """A storage item. ``keys``: each part of a map's key with its hasher. ``default``: the SCALE
    form of what an absent value reads as; ``None`` when the item is optional."""

    name: str
    keys: tuple[tuple[ScaleShape, Hasher], ...]
    value: ScaleShape
    default: bytes | None
    documentation: str


@dataclass(frozen=True, slots=True)
class FixedValue:
    """A constant and the SCALE form of its value."""

    name: str
    shape: ScaleShape
    value: bytes
    documentation: str


@dataclass(frozen=True, slots=True)
class ModuleDescription:
    """All that goes by one number of the table."""

    index: int
    name: str
    storage: tuple[StorageDescription, ...]
    calls: tuple[Variant, ...]
    events: tuple[Variant, ...]
    errors: tuple[Variant, ...]
    constants: tuple[FixedValue, ...]
    documentation: str


def describe(modules: tuple[type[Module], ...] = MODULE_TABLE) -> tuple[ModuleDescription, ...]:
    """The modules in the order of their numbers. Classes that share one are described together."""
    return tuple(
        _together(tuple(classes)) for _, classes in groupby(modules, lambda each: each.pallet)
    )


def _together(classes: tuple[type[Module], ...]) -> ModuleDescription:
    pallet = classes[0].pallet
    return ModuleDescription(
        index=pallet.index,
        name=pallet.name,
        storage=tuple(_item(cls, item) for cls in classes for item in cls.storage_items),
        calls=tuple(_call(made) for cls in classes for made in cls.calls),
        events=tuple(_event(told) for cls in classes for told in cls.events),
        errors=tuple(_error(error) for cls in classes for error in cls.errors),
        constants=tuple(_constant(cls, each) for cls in classes for each in cls.constants),
        documentation="\n\n".join(class_documentation(cls) for cls in classes),
    )


def _call(made: type[RuntimeCall]) -> Variant:
    declared = made.declared
    return Variant(declared.index, declared.name, _fields(made), class_documentation(made))


def _event(told: type[RuntimeEvent]) -> Variant:
    return Variant(told.index, told.__name__, _fields(told), class_documentation(told))


def _error(error: type[ModuleError]) -> Variant:
    return Variant(error.index, error.__name__, (), class_documentation(error))


def _item(cls: type[Module], item: StorageItem[Any, Any]) -> StorageDescription:
    keys = item.keys_and_hashers if isinstance(item, StorageMap) else ()
    return StorageDescription(
        name=item.name,
        keys=tuple((shape_of(type_), hasher) for type_, hasher in keys),
        value=shape_of(item.value_type),
        default=None if item.is_optional else encode(item.default, item.value_type),
        documentation=_under(cls, item),
    )


def _constant(cls: type[Module], constant: Constant[Any]) -> FixedValue:
    return FixedValue(
        constant.name,
        shape_of(constant.type),
        encode(constant.value, constant.type),
        _under(cls, constant),
    )


def _fields(cls: type) -> tuple[Field, ...]:
    documented, shape = attribute_documentation(cls), shape_of(cls)
    assert isinstance(shape, Struct), "calls and events are dataclasses"
    return tuple(Field(name, field, documented.get(name, "")) for name, field in shape.fields)


def _under(cls: type, declared: object) -> str:
    """The documentation of what is declared as an attribute of a class."""
    name = next(name for name, value in vars(cls).items() if value is declared)
    return attribute_documentation(cls).get(name, "")
