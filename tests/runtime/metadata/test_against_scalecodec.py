"""What tools read by our metadata is what we have written: scalecodec decodes values of everything
that V14 names."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parahost.primitives.basic import H256, H512, U32, Hash, ParaId
from parahost.primitives.scale import encode, shape_of
from parahost.primitives.scale.shapes import ScaleShape, Tuple
from parahost.runtime.description import ModuleDescription, Variant, describe
from parahost.runtime.extrinsic import (
    Extra,
    ExtrinsicSignature,
    MortalEra,
    UncheckedExtrinsic,
    signing_payload,
)
from parahost.runtime.module import RuntimeCall, encode_call
from parahost.runtime.modules import MODULE_TABLE
from parahost.runtime.parathreads import Claim
from parahost.runtime.signers import Sr25519Signature
from parahost.runtime.storage import Hasher
from parahost.runtime.system import EventRecord, Finalization
from parahost.runtime.timestamp import SetTimestamp
from parahost.runtime.version import SPEC_VERSION, TRANSACTION_VERSION
from tests.runtime.metadata.reference import reference
from tests.runtime.metadata.values import as_scalecodec, encoded, plain, text_or_hex, values
from tests.runtime.world import account

V14 = reference(14)
MODULES = {module.name: module for module in describe()}
PALLETS = {pallet["name"]: pallet for pallet in V14.value["pallets"]}
HASHERS = {
    Hasher.IDENTITY: "Identity",
    Hasher.TWOX_64_CONCAT: "Twox64Concat",
    Hasher.BLAKE2_128_CONCAT: "Blake2_128Concat",
}
TYPES = {each["id"]: each["type"] for each in V14.value["types"]["types"]}
EVENTS_TYPE = next(
    entry["type"]["Plain"]
    for entry in PALLETS["System"]["storage"]["entries"]
    if entry["name"] == "Events"
)
each_module = pytest.mark.parametrize("module", MODULES.values(), ids=MODULES)
SOME = settings(max_examples=8)


def same(type_id: int, shape: ScaleShape, data: st.DataObject) -> None:
    """Both sides read the same in the bytes of any value."""
    value = data.draw(values(shape))
    assert plain(V14.decode(type_id, encoded(value, shape))) == as_scalecodec(value, shape)


def calls_of(module: ModuleDescription) -> list[Any]:
    return [made for cls in MODULE_TABLE if cls.pallet.name == module.name for made in cls.calls]


def events_of(module: ModuleDescription) -> list[Any]:
    return [told for cls in MODULE_TABLE if cls.pallet.name == module.name for told in cls.events]


def test_the_modules_are_there() -> None:
    assert [(pallet["index"], pallet["name"]) for pallet in V14.value["pallets"]] == [
        (module.index, module.name) for module in MODULES.values()
    ]


@each_module
@SOME
@given(data=st.data())
def test_storage(module: ModuleDescription, data: st.DataObject) -> None:
    storage = PALLETS[module.name]["storage"]
    entries = storage["entries"] if storage else []
    assert [entry["name"] for entry in entries] == [item.name for item in module.storage]
    for entry, item in zip(entries, module.storage, strict=True):
        assert storage["prefix"] == module.name
        assert " ".join(entry["documentation"])
        told = entry["type"]
        if item.keys:
            told = told["Map"]
            shapes = [shape for shape, _ in item.keys]
            key_shape = shapes[0] if len(shapes) == 1 else Tuple(tuple(shapes))
            assert told["hashers"] == [HASHERS[hasher] for _, hasher in item.keys]
            same(told["key"], key_shape, data)
            value_type = told["value"]
        else:
            value_type = told["Plain"]
        same(value_type, item.value, data)
        assert entry["modifier"] == ("Optional" if item.default is None else "Default")
        if item.default is not None:
            assert entry["default"] == text_or_hex(item.default)
            V14.decode(value_type, item.default)


@each_module
@SOME
@given(data=st.data())
def test_calls(module: ModuleDescription, data: st.DataObject) -> None:
    for made in calls_of(module):
        call = data.draw(values(shape_of(made)))
        assert plain(V14.decode_as("Call", encode_call(call))) == as_scalecodec(
            call, shape_of(RuntimeCall)
        )
    _told_as_declared(PALLETS[module.name]["calls"], module.calls)


@each_module
@SOME
@given(data=st.data())
def test_events(module: ModuleDescription, data: st.DataObject) -> None:
    for told in events_of(module):
        records = (EventRecord(Finalization(), data.draw(values(shape_of(told)))),)
        shape = shape_of(tuple[EventRecord, ...])
        assert plain(V14.decode(EVENTS_TYPE, encoded(records, shape))) == as_scalecodec(
            records, shape
        )
    _told_as_declared(PALLETS[module.name]["event"], module.events)


@each_module
def test_errors(module: ModuleDescription) -> None:
    """scalecodec finds an error by its place in the list, so no number may be without a place."""
    for error in module.errors:
        found = V14.metadata.get_module_error(module.index, error.index).value
        assert (found["index"], found["name"]) == (error.index, error.name)
        assert " ".join(found["docs"])
    told = PALLETS[module.name]["error"]
    if told is None:
        assert not module.errors
    else:
        variants = TYPES[told["ty"]]["def"]["variant"]["variants"]
        declared = [error.index for error in module.errors]
        others = [each for each in variants if each["index"] not in declared]
        assert all(each["name"] == f"Unused{each['index']}" for each in others)


@each_module
def test_constants(module: ModuleDescription) -> None:
    entries = PALLETS[module.name]["constants"]
    assert [entry["name"] for entry in entries] == [each.name for each in module.constants]
    classes = [cls for cls in MODULE_TABLE if cls.pallet.name == module.name]
    declared = [each for cls in classes for each in cls.constants]
    for entry, constant, ours in zip(entries, module.constants, declared, strict=True):
        assert entry["value"] == text_or_hex(constant.value)
        shape = shape_of(ours.type)
        assert V14.decode(entry["type"], constant.value) == as_scalecodec(ours.value, shape)
        assert " ".join(entry["documentation"])


def _told_as_declared(told: Any, declared: tuple[Variant, ...]) -> None:
    """A module's calls or events have their numbers, names, fields and documentation."""
    if not declared:
        assert told is None
        return
    variants = TYPES[told["ty"]]["def"]["variant"]["variants"]
    assert [
        (each["index"], each["name"], [field["name"] for field in each["fields"]])
        for each in variants
    ] == [
        (each.index, each.name, [field.name.rstrip("_") for field in each.fields])
        for each in declared
    ]
    assert all(" ".join(each["docs"]) for each in variants)


def test_no_type_is_left_out() -> None:
    """All that V14 names is a part of what these tests decode: storage and its keys, calls, events,
    constants, extrinsics; and the errors, of which only the numbers travel."""
    storage = [
        entry["type"] for each in PALLETS.values() for entry in (each["storage"] or NONE)["entries"]
    ]
    declared = [
        each[kind]
        for each in PALLETS.values()
        for kind in ("calls", "event", "error")
        if each[kind]
    ]
    constants = [
        {"type": constant["type"]} for each in PALLETS.values() for constant in each["constants"]
    ]
    roots = [storage, declared, constants, V14.value["extrinsic"]]
    reached: set[int] = set()
    waiting = numbers(roots)
    while waiting:
        reached.add(number := waiting.pop())
        told = TYPES[number]
        waiting |= numbers([told["def"], told["params"]]) - reached
    # Nothing is made of it: V14 has a place for the type that stands for the runtime.
    assert TYPES.keys() - reached <= {V14.value["runtime_type"]}


NONE: dict[str, list[Any]] = {"entries": []}
NAMES_OF_NUMBERS = {
    "Plain",
    "additional_signed",
    "bit_order_type",
    "bit_store_type",
    "key",
    "tuple",
    "ty",
    "type",
    "value",
}


def numbers(told: Any) -> set[int]:
    """The types that some part of the metadata speaks of."""
    found: set[int] = set()
    for each in told if isinstance(told, list) else [told]:
        for name, value in each.items() if isinstance(each, dict) else ():
            inner = value if isinstance(value, list) else [value]
            if name in NAMES_OF_NUMBERS:
                found |= {one for one in inner if isinstance(one, int)}
            found |= numbers([one for one in inner if isinstance(one, dict)])
        if isinstance(each, list):
            found |= numbers(each)
    return found


# Extrinsics


@SOME
@given(
    st.sampled_from([made for module in MODULE_TABLE for made in module.calls]),
    st.none() | st.just(MortalEra(64, 42)) | st.just(MortalEra(65536, 16)),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**128 - 1),
    st.data(),
)
def test_a_signed_extrinsic(
    made: Any, era: MortalEra | None, nonce: int, tip: int, data: st.DataObject
) -> None:
    call = data.draw(values(shape_of(made)))
    signature = ExtrinsicSignature(
        account("Alice"), Sr25519Signature(H512(bytes(range(64)))), Extra(era, nonce, tip)
    )
    raw = UncheckedExtrinsic(call, signature).encode()
    told = V14.decode_as("Extrinsic", encode(raw, bytes))
    assert told["address"] == "0x" + account("Alice").hex()
    assert told["signature"] == {"Sr25519": "0x" + bytes(range(64)).hex()}
    assert told["era"] == ("00" if era is None else (era.period, era.phase))
    assert (told["nonce"], told["tip"]) == (nonce, tip)
    assert plain(told["call"]) == as_scalecodec(call, shape_of(RuntimeCall))


def test_an_inherent() -> None:
    raw = UncheckedExtrinsic(SetTimestamp(1000)).encode()
    told = V14.decode_as("Extrinsic", encode(raw, bytes))
    assert plain(told["call"])["call_args"] == {"now": 1000}


def test_a_payload_made_by_the_signed_extensions_is_what_we_verify() -> None:
    """As tools make it: the call, each extension's part in the extrinsic, then each one's beside
    it."""
    genesis, birth = Hash(H256(b"\1" * 32)), Hash(H256(b"\2" * 32))
    parts: dict[str, tuple[Any, Any]] = {
        "CheckSpecVersion": (None, SPEC_VERSION),
        "CheckTxVersion": (None, TRANSACTION_VERSION),
        "CheckGenesis": (None, "0x" + genesis.hex()),
        "CheckMortality": ({"period": 64, "phase": 42}, "0x" + birth.hex()),
        "CheckNonce": (7, None),
        "CheckWeight": (None, None),
        "ChargeTransactionPayment": (10**20, None),
    }
    extensions = V14.metadata.get_signed_extensions()
    assert list(extensions) == list(parts)
    call = encode_call(Claim(ParaId(U32(200))))
    payload = call
    for beside, place in enumerate(("extrinsic", "additional_signed")):
        for identifier, types in extensions.items():
            value = parts[identifier][beside]
            payload += b"" if value is None else V14.encode_as(types[place], value)
    assert payload == signing_payload(call, Extra(MortalEra(64, 42), 7, 10**20), genesis, birth)
    for identifier, types in extensions.items():
        for beside, place in enumerate(("extrinsic", "additional_signed")):
            if parts[identifier][beside] is None:
                V14.decode_as(types[place], b"")
