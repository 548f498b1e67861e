"""Metadata of each version, made from what the modules and the Runtime APIs declare."""

from __future__ import annotations

from typing import TypeVar

from parahost.primitives.basic import U8
from parahost.primitives.scale.shapes import Tuple
from parahost.runtime.api_trait import ApiTrait
from parahost.runtime.description import ModuleDescription, StorageDescription
from parahost.runtime.extrinsic import (
    EXTRINSIC_VERSION,
    SIGNED_EXTENSIONS,
)
from parahost.runtime.metadata.layouts import (
    ApiEntry,
    ApiEntryV16,
    ApiMethodEntry,
    ApiMethodEntryV16,
    ConstantEntry,
    ConstantEntryV16,
    EnumEntry,
    ExtensionEntry,
    ExtrinsicV14,
    ExtrinsicV15,
    ExtrinsicV16,
    FunctionParameter,
    MapEntry,
    MetadataV14,
    MetadataV15,
    MetadataV16,
    OuterEnums,
    PalletStorage,
    PalletStorageV16,
    PalletV14,
    PalletV15,
    PalletV16,
    PlainEntry,
    StorageEntry,
    StorageEntryV16,
    StorageHasher,
    StorageModifier,
)
from parahost.runtime.metadata.portable import TypeId
from parahost.runtime.metadata.registry import lines
from parahost.runtime.metadata.runtime_types import CALL, ERROR, EVENT, RuntimeTypes
from parahost.runtime.signers import MultiAddress, MultiSignature

Described = tuple[ModuleDescription, ...]
S = TypeVar("S", bound=StorageEntry)
C = TypeVar("C", bound=ConstantEntry)
M = TypeVar("M", bound=ApiMethodEntry)
NOTHING_STORED = b"\0"
"""An ``Option`` without a value."""


def metadata_v14(modules: Described, _traits: tuple[ApiTrait, ...]) -> MetadataV14:
    """The last version without the Runtime APIs."""
    types = RuntimeTypes(modules)
    return MetadataV14(
        pallets=tuple(_pallet_v14(types, module) for module in modules),
        extrinsic=ExtrinsicV14(types.extrinsic(), U8(EXTRINSIC_VERSION), _extensions(types)),
        runtime_type=types.runtime(),
        types=types.registered(),
    )


def metadata_v15(modules: Described, traits: tuple[ApiTrait, ...]) -> MetadataV15:
    """With the Runtime APIs, the modules' documentation and the enums of all modules."""
    types = RuntimeTypes(modules)
    types.extrinsic()
    return MetadataV15(
        pallets=tuple(_pallet_v15(types, module) for module in modules),
        extrinsic=ExtrinsicV15(
            version=U8(EXTRINSIC_VERSION),
            address_type=types.id_of_type(MultiAddress),
            call_type=types.outer(CALL),
            signature_type=types.id_of_type(MultiSignature),
            extra_type=types.extra(),
            signed_extensions=_extensions(types),
        ),
        runtime_type=types.runtime(),
        apis=tuple(
            ApiEntry(trait.name, _methods(types, trait, ApiMethodEntry), lines(trait.documentation))
            for trait in traits
        ),
        outer_enums=_outer_enums(types),
        custom=(),
        types=types.registered(),
    )


def metadata_v16(modules: Described, traits: tuple[ApiTrait, ...]) -> MetadataV16:
    """With the versions of the Runtime APIs, and room for what we do not have: view functions,
    associated types, deprecations."""
    types = RuntimeTypes(modules)
    types.extrinsic()
    return MetadataV16(
        pallets=tuple(_pallet_v16(types, module) for module in modules),
        extrinsic=ExtrinsicV16(
            versions=(U8(EXTRINSIC_VERSION),),
            address_type=types.id_of_type(MultiAddress),
            call_type=types.outer(CALL),
            signature_type=types.id_of_type(MultiSignature),
            extensions_by_version=((U8(0), tuple(range(len(SIGNED_EXTENSIONS)))),),
            transaction_extensions=_extensions(types),
        ),
        apis=tuple(
            ApiEntryV16(
                trait.name,
                _methods(types, trait, ApiMethodEntryV16),
                lines(trait.documentation),
                trait.version,
            )
            for trait in traits
        ),
        outer_enums=_outer_enums(types),
        custom=(),
        types=types.registered(),
    )


# Described


def _pallet_v14(types: RuntimeTypes, module: ModuleDescription) -> PalletV14:
    return PalletV14(
        name=module.name,
        storage=_storage(types, module),
        calls=types.inner(module, CALL),
        event=types.inner(module, EVENT),
        constants=_constants(types, module, ConstantEntry),
        error=types.inner(module, ERROR),
        index=U8(module.index),
    )


def _pallet_v15(types: RuntimeTypes, module: ModuleDescription) -> PalletV15:
    return PalletV15(
        name=module.name,
        storage=_storage(types, module),
        calls=types.inner(module, CALL),
        event=types.inner(module, EVENT),
        constants=_constants(types, module, ConstantEntry),
        error=types.inner(module, ERROR),
        index=U8(module.index),
        docs=lines(module.documentation),
    )


def _pallet_v16(types: RuntimeTypes, module: ModuleDescription) -> PalletV16:
    entries = _entries(types, module, StorageEntryV16)
    return PalletV16(
        name=module.name,
        storage=PalletStorageV16(module.name, entries) if entries else None,
        calls=_enum(types.inner(module, CALL)),
        event=_enum(types.inner(module, EVENT)),
        constants=_constants(types, module, ConstantEntryV16),
        error=_enum(types.inner(module, ERROR)),
        associated_types=(),
        view_functions=(),
        index=U8(module.index),
        docs=lines(module.documentation),
    )


def _enum(type_: TypeId | None) -> EnumEntry | None:
    return None if type_ is None else EnumEntry(type_)


def _storage(types: RuntimeTypes, module: ModuleDescription) -> PalletStorage | None:
    entries = _entries(types, module, StorageEntry)
    return PalletStorage(module.name, entries) if entries else None


def _entries(types: RuntimeTypes, module: ModuleDescription, entry: type[S]) -> tuple[S, ...]:
    return tuple(
        entry(
            name=item.name,
            modifier=StorageModifier.OPTIONAL if item.default is None else StorageModifier.DEFAULT,
            type=_entry_type(types, item),
            default=NOTHING_STORED if item.default is None else item.default,
            docs=lines(item.documentation),
        )
        for item in module.storage
    )


def _entry_type(types: RuntimeTypes, item: StorageDescription) -> PlainEntry | MapEntry:
    if not item.keys:
        return PlainEntry(types.id_of(item.value))
    shapes = tuple(shape for shape, _ in item.keys)
    return MapEntry(
        hashers=tuple(StorageHasher[hasher.name] for _, hasher in item.keys),
        key=types.id_of(shapes[0] if len(shapes) == 1 else Tuple(shapes)),
        value=types.id_of(item.value),
    )


def _constants(types: RuntimeTypes, module: ModuleDescription, entry: type[C]) -> tuple[C, ...]:
    return tuple(
        entry(
            name=constant.name,
            type=types.id_of(constant.shape),
            value=constant.value,
            docs=lines(constant.documentation),
        )
        for constant in module.constants
    )


# Extrinsics and Runtime APIs


def _extensions(types: RuntimeTypes) -> tuple[ExtensionEntry, ...]:
    return tuple(
        ExtensionEntry(each.identifier, types.extension(each.extra), types.extension(each.implicit))
        for each in SIGNED_EXTENSIONS
    )


def _methods(types: RuntimeTypes, trait: ApiTrait, entry: type[M]) -> tuple[M, ...]:
    return tuple(
        entry(
            name=method.name,
            inputs=tuple(
                FunctionParameter(name, types.id_of_type(type_)) for name, type_ in method.inputs
            ),
            output=types.id_of_type(method.output),
            docs=lines(method.documentation),
        )
        for method in trait.methods
    )


def _outer_enums(types: RuntimeTypes) -> OuterEnums:
    return OuterEnums(types.outer(CALL), types.outer(EVENT), types.outer(ERROR))
