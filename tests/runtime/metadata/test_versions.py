"""V15 and V16, which scalecodec does not know by itself: by their layouts in its own words."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parahost.primitives.basic import U32
from parahost.primitives.scale import shape_of
from parahost.runtime.api_trait import ApiMethod, ApiTrait
from parahost.runtime.description import describe
from parahost.runtime.metadata import METADATA_VERSIONS, encode_metadata
from parahost.runtime.runtime_apis import RUNTIME_APIS
from tests.runtime.metadata.reference import reference
from tests.runtime.metadata.values import as_scalecodec, encoded, plain, values

NEWER = (15, 16)
METHODS = [
    pytest.param(trait, method, id=f"{trait.name}_{method.name}")
    for trait in RUNTIME_APIS
    for method in trait.methods
]


def test_all_versions_tell_the_same_of_storage() -> None:
    """Their types have other numbers, as other things come first; all else is equal."""

    def told(version: int) -> list[Any]:
        return [
            (pallet["name"], entry["name"], entry["modifier"], entry["default"])
            for pallet in reference(version).value["pallets"]
            for entry in (pallet["storage"] or {"entries": []})["entries"]
        ]

    assert told(14) == told(15) == told(16)
    assert len(told(14)) > 60


@pytest.mark.parametrize("version", NEWER)
def test_modules_are_told_with_their_documentation(version: int) -> None:
    pallets = reference(version).value["pallets"]
    assert [(each["index"], each["name"]) for each in pallets] == [
        (module.index, module.name) for module in describe()
    ]
    assert all(" ".join(each["docs"]) for each in pallets)


@pytest.mark.parametrize("version", NEWER)
def test_the_extrinsic_is_told_in_parts(version: int) -> None:
    told = reference(version)
    extrinsic, types = told.value["extrinsic"], told.value["types"]["types"]
    outer = told.value["outer_enums"]
    assert extrinsic["call"] == outer["call"]
    paths = {each["id"]: "::".join(each["type"]["path"]) for each in types}
    assert paths[extrinsic["address"]] == "sp_runtime::multiaddress::MultiAddress"
    assert paths[extrinsic["signature"]] == "sp_runtime::MultiSignature"
    assert [paths[outer[kind]] for kind in ("call", "event", "error")] == [
        "parahost_runtime::RuntimeCall",
        "parahost_runtime::RuntimeEvent",
        "parahost_runtime::RuntimeError",
    ]
    assert [each["identifier"] for each in extrinsic["extensions"]] == list(
        reference(14).metadata.get_signed_extensions()
    )


def test_the_formats_of_extrinsics() -> None:
    assert reference(15).value["extrinsic"]["version"] == 4
    assert reference(16).value["extrinsic"]["versions"] == "\x04", "bytes that can be text"
    assert reference(16).value["extrinsic"]["by_version"] == [(0, list(range(7)))]


@pytest.mark.parametrize("version", NEWER)
@pytest.mark.parametrize(("trait", "method"), METHODS)
@settings(max_examples=5)
@given(data=st.data())
def test_runtime_apis(
    version: int, trait: ApiTrait, method: ApiMethod, data: st.DataObject
) -> None:
    """What they take and give is read as we have written it."""
    told = reference(version)
    apis = {each["name"]: each for each in told.value["apis"]}
    assert list(apis) == [each.name for each in RUNTIME_APIS]
    assert apis[trait.name].get("version", trait.version) == trait.version
    found = next(each for each in apis[trait.name]["methods"] if each["name"] == method.name)
    assert [each["name"] for each in found["inputs"]] == [name for name, _ in method.inputs]
    assert " ".join(found["docs"])
    types = [each["type"] for each in found["inputs"]] + [found["output"]]
    forms = [type_ for _, type_ in method.inputs] + [method.output]
    for type_id, form in zip(types, forms, strict=True):
        shape = shape_of(form)
        value = data.draw(values(shape))
        assert plain(told.decode(type_id, encoded(value, shape))) == as_scalecodec(value, shape)


@pytest.mark.parametrize("version", METADATA_VERSIONS)
def test_types_are_numbered_in_order_and_each_is_told_once(version: int) -> None:
    types = reference(version).value["types"]["types"]
    assert [each["id"] for each in types] == list(range(len(types)))
    paths = [tuple(each["type"]["path"]) for each in types]
    named = [path for path in paths if path and path != ("Option",)]
    assert len(set(named)) == len(named)


HASHES = """
from hashlib import sha256
from parahost.runtime.metadata import METADATA_VERSIONS, encode_metadata
from parahost.runtime.runtime_apis import RUNTIME_APIS
for version in METADATA_VERSIONS:
    print(sha256(encode_metadata(version, RUNTIME_APIS)).hexdigest())
"""


def test_metadata_is_the_same_in_each_process() -> None:
    def hashes(seed: str) -> list[str]:
        run = subprocess.run(
            [sys.executable, "-c", HASHES],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        return run.stdout.split()

    made = [encode_metadata(version, RUNTIME_APIS) for version in METADATA_VERSIONS]
    assert [sha256(each).hexdigest() for each in made] == hashes("1") == hashes("2")


def test_what_no_api_declares_is_not_told() -> None:
    def nothing(_state: object) -> U32:
        """A number."""
        return U32(0)

    alone = ApiTrait.of("Alone", U32(1), "By itself.", {"nothing": nothing})
    raw = encode_metadata(15, (alone,))
    assert b"Alone" in raw and b"nothing" in raw
    assert b"ParachainHost" not in raw


@pytest.mark.parametrize("version", METADATA_VERSIONS)
def test_documentation_is_markdown(version: int) -> None:
    assert not re.search(rb":\w+:`|``", encode_metadata(version, RUNTIME_APIS))
