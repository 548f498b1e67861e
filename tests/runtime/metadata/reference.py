"""Our metadata as scalecodec reads it, which py-substrate-interface is built on."""

from __future__ import annotations

from functools import cache
from typing import Any

from scalecodec.base import RuntimeConfigurationObject, ScaleBytes
from scalecodec.type_registry import load_type_registry_preset

from parahost.runtime.metadata import encode_metadata
from parahost.runtime.runtime_apis import RUNTIME_APIS

COMPACT = "Compact<u32>"
LINES = "Vec<Text>"


def struct(**fields: str) -> dict[str, Any]:
    return {"type": "struct", "type_mapping": [[name, form] for name, form in fields.items()]}


EXTRINSIC_PARTS = {"address": COMPACT, "call": COMPACT, "signature": COMPACT}
LAYOUTS = {
    "Extension": struct(identifier="Text", type=COMPACT, implicit=COMPACT),
    "Parameter": struct(name="Text", type=COMPACT),
    "OuterEnums": struct(call=COMPACT, event=COMPACT, error=COMPACT),
    "Custom": struct(name="Text", type=COMPACT, value="Bytes"),
    # V15
    "PalletV15": struct(
        name="Text",
        storage="Option<StorageMetadataV14>",
        calls=f"Option<{COMPACT}>",
        event=f"Option<{COMPACT}>",
        constants="Vec<PalletConstantMetadataV14>",
        error=f"Option<{COMPACT}>",
        index="u8",
        docs=LINES,
    ),
    "ExtrinsicV15": struct(
        version="u8", **EXTRINSIC_PARTS, extra=COMPACT, extensions="Vec<Extension>"
    ),
    "MethodV15": struct(name="Text", inputs="Vec<Parameter>", output=COMPACT, docs=LINES),
    "ApiV15": struct(name="Text", methods="Vec<MethodV15>", docs=LINES),
    "MetadataV15": struct(
        types="PortableRegistry",
        pallets="Vec<PalletV15>",
        extrinsic="ExtrinsicV15",
        runtime_type=COMPACT,
        apis="Vec<ApiV15>",
        outer_enums="OuterEnums",
        custom="Vec<Custom>",
    ),
    # V16. Nothing of ours is deprecated: each such field is the first variant of an enum.
    "Deprecation": {"type": "enum", "type_mapping": [["NotDeprecated", "Null"]]},
    "EnumV16": struct(type=COMPACT, deprecations="Vec<(u8, Deprecation)>"),
    "EntryV16": struct(
        name="Text",
        modifier="StorageEntryModifierV13",
        type="StorageEntryTypeV14",
        default="Bytes",
        docs=LINES,
        deprecation="Deprecation",
    ),
    "StorageV16": struct(prefix="Text", entries="Vec<EntryV16>"),
    "ConstantV16": struct(
        name="Text", type=COMPACT, value="Bytes", docs=LINES, deprecation="Deprecation"
    ),
    "PalletV16": struct(
        name="Text",
        storage="Option<StorageV16>",
        calls="Option<EnumV16>",
        event="Option<EnumV16>",
        constants="Vec<ConstantV16>",
        error="Option<EnumV16>",
        associated_types="Vec<Null>",
        view_functions="Vec<Null>",
        index="u8",
        docs=LINES,
        deprecation="Deprecation",
    ),
    "ExtrinsicV16": struct(
        versions="Vec<u8>",
        **EXTRINSIC_PARTS,
        by_version=f"Vec<(u8, Vec<{COMPACT}>)>",
        extensions="Vec<Extension>",
    ),
    "MethodV16": struct(
        name="Text",
        inputs="Vec<Parameter>",
        output=COMPACT,
        docs=LINES,
        deprecation="Deprecation",
    ),
    "ApiV16": struct(
        name="Text",
        methods="Vec<MethodV16>",
        docs=LINES,
        version=COMPACT,
        deprecation="Deprecation",
    ),
    "MetadataV16": struct(
        types="PortableRegistry",
        pallets="Vec<PalletV16>",
        extrinsic="ExtrinsicV16",
        apis="Vec<ApiV16>",
        outer_enums="OuterEnums",
        custom="Vec<Custom>",
    ),
}
"""What frame-metadata says of V15 and V16, in scalecodec's words; it knows V14 by itself."""


class Reference:
    """scalecodec, told of the types in some metadata."""

    def __init__(self, version: int) -> None:
        self._config = RuntimeConfigurationObject()
        self._config.update_type_registry(load_type_registry_preset("core"))
        raw = encode_metadata(version, RUNTIME_APIS)
        if version == 14:
            self.metadata = self._read("MetadataVersioned", raw)
            self._config.add_portable_registry(self.metadata)
            self.value = self.metadata.value[1]["V14"]
        else:
            self._config.update_type_registry_types(LAYOUTS)
            assert raw[:5] == b"meta" + bytes((version,))
            self.metadata = self._read(f"MetadataV{version}", raw[5:])
            types = self.metadata.value_object["types"].value_object["types"].value_object
            self._config.update_from_scale_info_types(types)
            self.value = self.metadata.value

    def decode(self, type_id: int, data: bytes) -> Any:
        """A value of the type with that number; it takes all of ``data``."""
        return self.decode_as(f"scale_info::{type_id}", data)

    def decode_as(self, type_string: str, data: bytes) -> Any:
        return self._read(type_string, data, metadata=self.metadata).value

    def encode_as(self, type_string: str, value: Any) -> bytes:
        scale = self._config.create_scale_object(type_string, metadata=self.metadata)
        return bytes(scale.encode(value).data)

    def _read(self, type_string: str, data: bytes, **context: Any) -> Any:
        scale = self._config.create_scale_object(type_string, ScaleBytes(data), **context)
        scale.decode()
        assert scale.data.offset == len(data), f"{type_string} ends too early"
        return scale


@cache
def reference(version: int) -> Reference:
    return Reference(version)
