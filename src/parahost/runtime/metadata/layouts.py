"""Metadata V14, V15 and V16 as they are encoded: the forms of the crate frame-metadata."""

from __future__ import annotations

from enum import IntEnum

from parahost.primitives.basic import H256, U8
from parahost.primitives.scale import encode, variant
from parahost.primitives.values import dataclass
from parahost.runtime.metadata.portable import Lines, PortableRegistry, TypeId

MAGIC = b"meta"

# Storage


class StorageModifier(IntEnum):
    """What an absent value reads as."""

    OPTIONAL = 0
    """Nothing."""
    DEFAULT = 1
    """The entry's default."""


class StorageHasher(IntEnum):
    """How a part of a map's key becomes part of a storage key."""

    BLAKE2_128 = 0
    BLAKE2_256 = 1
    BLAKE2_128_CONCAT = 2
    TWOX_128 = 3
    TWOX_256 = 4
    TWOX_64_CONCAT = 5
    IDENTITY = 6


@variant(0)
@dataclass(frozen=True, slots=True)
class PlainEntry:
    value: TypeId


@variant(1)
@dataclass(frozen=True, slots=True)
class MapEntry:
    """With several hashers, the key is a tuple of as many parts."""

    hashers: tuple[StorageHasher, ...]
    key: TypeId
    value: TypeId


@dataclass(frozen=True, slots=True)
class StorageEntry:
    name: str
    modifier: StorageModifier
    type: PlainEntry | MapEntry
    default: bytes
    docs: Lines


@dataclass(frozen=True, slots=True)
class PalletStorage:
    prefix: str
    entries: tuple[StorageEntry, ...]


# Modules


@dataclass(frozen=True, slots=True)
class ConstantEntry:
    name: str
    type: TypeId
    value: bytes
    docs: Lines


@dataclass(frozen=True, slots=True)
class PalletV14:
    """A module. ``calls``, ``event`` and ``error``: the enums of what it has of each."""

    name: str
    storage: PalletStorage | None
    calls: TypeId | None
    event: TypeId | None
    constants: tuple[ConstantEntry, ...]
    error: TypeId | None
    index: U8


@dataclass(frozen=True, slots=True)
class PalletV15(PalletV14):
    docs: Lines


# Extrinsics


@dataclass(frozen=True, slots=True)
class ExtensionEntry:
    """A signed extension. ``type``: of what stands in the extrinsic; ``additional_signed``: of
    what the signature covers besides."""

    identifier: str
    type: TypeId
    additional_signed: TypeId


@dataclass(frozen=True, slots=True)
class ExtrinsicV14:
    type: TypeId
    version: U8
    signed_extensions: tuple[ExtensionEntry, ...]


@dataclass(frozen=True, slots=True)
class ExtrinsicV15:
    version: U8
    address_type: TypeId
    call_type: TypeId
    signature_type: TypeId
    extra_type: TypeId
    signed_extensions: tuple[ExtensionEntry, ...]


@dataclass(frozen=True, slots=True)
class ExtrinsicV16:
    """``extensions_by_version``: for each version of extensions, the positions of its own among
    ``transaction_extensions``. Extrinsics of format 4 have those of version 0."""

    versions: tuple[U8, ...]
    address_type: TypeId
    call_type: TypeId
    signature_type: TypeId
    extensions_by_version: tuple[tuple[U8, tuple[TypeId, ...]], ...]
    transaction_extensions: tuple[ExtensionEntry, ...]


# Runtime APIs, from V15 on


@dataclass(frozen=True, slots=True)
class FunctionParameter:
    name: str
    type: TypeId


@dataclass(frozen=True, slots=True)
class ApiMethodEntry:
    name: str
    inputs: tuple[FunctionParameter, ...]
    output: TypeId
    docs: Lines


@dataclass(frozen=True, slots=True)
class ApiEntry:
    name: str
    methods: tuple[ApiMethodEntry, ...]
    docs: Lines


@dataclass(frozen=True, slots=True)
class OuterEnums:
    """The enums of all modules' calls, events and errors."""

    call_type: TypeId
    event_type: TypeId
    error_type: TypeId


@dataclass(frozen=True, slots=True)
class CustomEntry:
    type: TypeId
    value: bytes


CustomEntries = tuple[tuple[str, CustomEntry], ...]
"""What a runtime may tell besides."""

# What is deprecated, in V16


@variant(0)
@dataclass(frozen=True, slots=True)
class NotDeprecated:
    pass


@variant(1)
@dataclass(frozen=True, slots=True)
class DeprecatedWithoutNote:
    pass


@variant(2)
@dataclass(frozen=True, slots=True)
class Deprecated:
    note: str
    since: str | None


Deprecation = NotDeprecated | DeprecatedWithoutNote | Deprecated
VariantDeprecation = DeprecatedWithoutNote | Deprecated


@dataclass(frozen=True, slots=True)
class EnumEntry:
    """The enum of a module's calls, events or errors. ``deprecations``: by the variants' tags."""

    type: TypeId
    deprecations: tuple[tuple[U8, VariantDeprecation], ...] = ()


@dataclass(frozen=True, slots=True)
class StorageEntryV16(StorageEntry):
    deprecation: Deprecation = NotDeprecated()


@dataclass(frozen=True, slots=True)
class PalletStorageV16:
    prefix: str
    entries: tuple[StorageEntryV16, ...]


@dataclass(frozen=True, slots=True)
class ConstantEntryV16(ConstantEntry):
    deprecation: Deprecation = NotDeprecated()


@dataclass(frozen=True, slots=True)
class AssociatedType:
    name: str
    type: TypeId
    docs: Lines


@dataclass(frozen=True, slots=True)
class ViewFunction:
    id: H256
    name: str
    inputs: tuple[FunctionParameter, ...]
    output: TypeId
    docs: Lines
    deprecation: Deprecation = NotDeprecated()


@dataclass(frozen=True, slots=True)
class PalletV16:
    name: str
    storage: PalletStorageV16 | None
    calls: EnumEntry | None
    event: EnumEntry | None
    constants: tuple[ConstantEntryV16, ...]
    error: EnumEntry | None
    associated_types: tuple[AssociatedType, ...]
    view_functions: tuple[ViewFunction, ...]
    index: U8
    docs: Lines
    deprecation: Deprecation = NotDeprecated()


@dataclass(frozen=True, slots=True)
class ApiMethodEntryV16(ApiMethodEntry):
    deprecation: Deprecation = NotDeprecated()


@dataclass(frozen=True, slots=True)
class ApiEntryV16:
    name: str
    methods: tuple[ApiMethodEntryV16, ...]
    docs: Lines
    version: TypeId
    deprecation: Deprecation = NotDeprecated()


# The whole


@variant(14)
@dataclass(frozen=True, slots=True)
class MetadataV14:
    """``runtime_type``: the number of a type that stands for the runtime."""

    types: PortableRegistry
    pallets: tuple[PalletV14, ...]
    extrinsic: ExtrinsicV14
    runtime_type: TypeId


@variant(15)
@dataclass(frozen=True, slots=True)
class MetadataV15:
    types: PortableRegistry
    pallets: tuple[PalletV15, ...]
    extrinsic: ExtrinsicV15
    runtime_type: TypeId
    apis: tuple[ApiEntry, ...]
    outer_enums: OuterEnums
    custom: CustomEntries


@variant(16)
@dataclass(frozen=True, slots=True)
class MetadataV16:
    types: PortableRegistry
    pallets: tuple[PalletV16, ...]
    extrinsic: ExtrinsicV16
    apis: tuple[ApiEntryV16, ...]
    outer_enums: OuterEnums
    custom: CustomEntries


AnyMetadata = MetadataV14 | MetadataV15 | MetadataV16


def prefixed(metadata: AnyMetadata) -> bytes:
    """The bytes that nodes hand out: magic, version, metadata."""
    return MAGIC + encode(metadata, AnyMetadata)
