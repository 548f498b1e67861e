"""A chain's metadata as a client reads it, versions 14 and 15, with what it needs found by name."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, TypeVar

from parahost.primitives.errors import InputError, OperationalError
from parahost.primitives.scale import ScaleDecodeError, decode
from parahost.runtime.metadata.layouts import (
    MAGIC,
    ConstantEntry,
    MetadataV14,
    MetadataV15,
    PalletV14,
    StorageEntry,
)
from parahost.runtime.metadata.portable import (
    CompositeDef,
    Primitive,
    PrimitiveDef,
    TypeId,
    TypeInfo,
    TypeVariant,
    VariantDef,
)

T = TypeVar("T")

BITS: Final = {
    kind: int(kind.name[1:])
    for kind in Primitive
    if kind.name[0] in "UI" and kind.name[1:].isdigit()
}
"""How many bits the numbers have."""


class UnreadableMetadata(OperationalError):
    """What the node has sent is no metadata of a version that is read here."""


class UnknownName(InputError):
    """The chain has nothing of that name; ``known`` is what it has."""

    def __init__(self, what: str, name: str, known: list[str]) -> None:
        super().__init__(f"the chain has no {what} {name}; it has {', '.join(known) or 'none'}")
        self.name = name
        self.known = known


@dataclass(frozen=True)
class RuntimeMetadata:
    """What a chain's runtime has. Of numbers of types, :attr:`types` tells the types."""

    content: MetadataV14 | MetadataV15
    types: dict[TypeId, TypeInfo] = field(repr=False)

    @classmethod
    def read(cls, raw: bytes) -> RuntimeMetadata:
        """From the bytes that nodes hand out.

        :raises UnreadableMetadata: when it is of another version, or none.
        """
        if raw[:4] != MAGIC or raw[4:5] not in (b"\x0e", b"\x0f"):
            raise UnreadableMetadata(f"metadata of version 14 or 15 is expected, not {raw[:5]!r}")
        layout: Any = MetadataV14 | MetadataV15
        try:
            content = decode(layout, raw[4:])
        except ScaleDecodeError as error:
            raise UnreadableMetadata(f"the node's metadata cannot be read: {error}") from error
        return cls(content, {each.id: each.type for each in content.types})

    # Modules

    @cached_property
    def pallets(self) -> dict[str, PalletV14]:
        """The modules by name."""
        return {pallet.name: pallet for pallet in self.content.pallets}

    def pallet(self, name: str) -> PalletV14:
        """:raises UnknownName: when there is no such module."""
        return _find("pallet", name, self.pallets)

    def call(self, pallet: str, name: str) -> tuple[int, TypeVariant]:
        """A call, with its module's number.

        :raises UnknownName: when there is no such call.
        """
        found = self.pallet(pallet)
        return found.index, _find(f"call in {pallet}:", name, self._variants(found.calls))

    def storage(self, pallet: str, name: str) -> StorageEntry:
        """:raises UnknownName: when there is no such storage item."""
        storage = self.pallet(pallet).storage
        entries = storage.entries if storage else ()
        return _find(f"storage item in {pallet}:", name, {each.name: each for each in entries})

    def constant(self, pallet: str, name: str) -> ConstantEntry:
        """:raises UnknownName: when there is no such constant."""
        constants = {each.name: each for each in self.pallet(pallet).constants}
        return _find(f"constant in {pallet}:", name, constants)

    def error(self, pallet_index: int, index: int) -> tuple[str, str]:
        """A module's error by its numbers: its full name, and what it means."""
        pallet = next((each for each in self.content.pallets if each.index == pallet_index), None)
        found = {} if pallet is None else self._variants(pallet.error)
        error = next((each for each in found.values() if each.index == index), None)
        if pallet is None or error is None:
            return f"error {index} of pallet {pallet_index}", ""
        return f"{pallet.name}.{error.name}", " ".join(error.docs)

    @cached_property
    def calls_type(self) -> TypeId:
        """The enum of all modules' calls."""
        if isinstance(self.content, MetadataV15):
            return self.content.extrinsic.call_type
        parameters = self.types[self.content.extrinsic.type].type_params
        found = next((each.type for each in parameters if each.name == "Call"), None)
        if found is None:
            raise UnreadableMetadata("the metadata does not say what a call is")
        return found

    def _variants(self, type_id: TypeId | None) -> dict[str, TypeVariant]:
        if type_id is None:
            return {}
        definition = self.types[type_id].type_def
        variants = definition.variants if isinstance(definition, VariantDef) else ()
        return {variant.name: variant for variant in variants}

    # What a type is

    def is_byte(self, type_id: TypeId) -> bool:
        """Whether it is a byte, of which vectors and arrays are bytes."""
        return self.types[type_id].type_def == PrimitiveDef(Primitive.U8)

    def is_plain_option(self, info: TypeInfo) -> bool:
        """Whether ``None`` and a value tell all; not so when the value itself may be ``None``."""
        if info.path != ("Option",) or not isinstance(info.type_def, VariantDef):
            return False
        some = next(each for each in info.type_def.variants if each.name == "Some")
        inner = self.types[some.fields[0].type]
        return inner.path != ("Option",) and not self.is_empty(some.fields[0].type)

    def compact_bits(self, type_id: TypeId) -> int:
        """How many bits the number has that is written in compact form; 0 when it is nothing."""
        definition = self.types[type_id].type_def
        while isinstance(definition, CompositeDef) and len(definition.fields) == 1:
            definition = self.types[definition.fields[0].type].type_def
        if isinstance(definition, PrimitiveDef) and definition.primitive in BITS:
            return BITS[definition.primitive]
        return 0

    def is_empty(self, type_id: TypeId) -> bool:
        """Whether values of the type have no bytes."""
        definition = self.types[type_id].type_def
        if isinstance(definition, CompositeDef):
            return all(self.is_empty(each.type) for each in definition.fields)
        return getattr(definition, "fields", None) == ()


def is_called(info: TypeInfo, name: str) -> bool:
    """Whether a type's own name is this one."""
    return info.path[-1:] == (name,)


def is_account(info: TypeInfo) -> bool:
    """Whether people know values of the type by addresses."""
    return is_called(info, "AccountId32")


def _find(what: str, name: str, known: dict[str, T]) -> T:
    if name not in known:
        raise UnknownName(what, name, sorted(known))
    return known[name]
