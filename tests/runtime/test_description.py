"""What the modules declare can be described without a second list of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from parahost.primitives.basic import U32
from parahost.primitives.scale import decode, shape_of
from parahost.primitives.scale.functions import codec_for
from parahost.primitives.scale.shapes import (
    Array,
    Enum,
    FixedBytes,
    Integer,
    Named,
    Option,
    ScaleShape,
    Struct,
    Tuple,
    Vec,
)
from parahost.primitives.values import dataclass
from parahost.runtime.description import ModuleDescription, describe
from parahost.runtime.errors import ModuleError
from parahost.runtime.module import Constant, Module, RuntimeCall, RuntimeEvent, call, event
from parahost.runtime.modules import MODULE_TABLE, module_table
from parahost.runtime.pallets import Pallet
from parahost.runtime.storage import Hasher, StorageValue
from parahost.runtime.system import UNKNOWN_ACCOUNT, AccountInfo
from parahost.runtime.weights import micros
from tests.constructed import constructed_in

DESCRIBED = {module.name: module for module in describe()}


def test_each_event_is_deposited_and_each_error_raised_somewhere() -> None:
    declared = {
        told.__name__ for module in MODULE_TABLE for told in (*module.events, *module.errors)
    }
    assert len(declared) > 40
    assert declared - constructed_in("runtime") == set()


def declarations(module: ModuleDescription) -> Iterator[Any]:
    yield from (*module.storage, *module.constants)
    yield from (*module.calls, *module.events, *module.errors)


def shapes(module: ModuleDescription) -> Iterator[ScaleShape]:
    for item in module.storage:
        yield from (item.value, *(shape for shape, _ in item.keys))
    yield from (constant.shape for constant in module.constants)
    for each in (*module.calls, *module.events):
        yield from (field.shape for field in each.fields)


def parts(shape: ScaleShape) -> Iterator[ScaleShape]:
    """A shape and all that it is made of."""
    yield shape
    match shape:
        case Named(inner=inner) | Option(inner) | Vec(inner) | Array(inner):
            yield from parts(inner)
        case Tuple(members):
            for member in members:
                yield from parts(member)
        case Struct(_, fields):
            for _, field in fields:
                yield from parts(field)
        case Enum(variants):
            for _, each in variants:
                yield from parts(each)


@pytest.mark.parametrize("module", DESCRIBED.values(), ids=DESCRIBED)
def test_everything_has_documentation(module: ModuleDescription) -> None:
    assert module.documentation
    assert [each.name for each in declarations(module) if not each.documentation] == []


@pytest.mark.parametrize("module", DESCRIBED.values(), ids=DESCRIBED)
def test_every_type_can_be_described(module: ModuleDescription) -> None:
    """Down to its leaves it is one of the shapes, and values have their form by it alone."""
    for shape in shapes(module):
        assert all(isinstance(part, ScaleShape) for part in parts(shape))
        assert codec_for(shape)
    for constant in module.constants:
        value, end = codec_for(constant.shape).decode_from(constant.value, 0)
        assert end == len(constant.value)
        assert value is not None


def test_all_modules_are_there_by_their_numbers() -> None:
    """Tools know them by these: a number must not change."""
    assert [(module.index, module.name) for module in describe()] == [
        (0, "System"),
        (2, "Babe"),
        (3, "Timestamp"),
        (5, "Balances"),
        (6, "Authorship"),
        (7, "Staking"),
        (8, "Offences"),
        (9, "Session"),
        (11, "Grandpa"),
        (32, "TransactionPayment"),
        (51, "Configuration"),
        (53, "ParaInclusion"),
        (54, "ParaInherent"),
        (55, "ParaScheduler"),
        (56, "Paras"),
        (57, "Initializer"),
        (62, "ParasDisputes"),
        (63, "ParasSlashing"),
        (70, "Registrar"),
        (71, "Parathreads"),
        (73, "ValidityParameters"),
        (74, "Validity"),
        (75, "Approvals"),
        (76, "RemoteDisputes"),
        (77, "Contradictions"),
        (255, "Sudo"),
    ]


def a_module(index: int, name: str) -> type[Module]:
    return type(name, (Module,), {}, pallet=Pallet(index, name))


@pytest.mark.parametrize(
    ("pallets", "why"),
    [
        ([(7, "One"), (7, "Other")], "two modules have one index"),
        ([(7, "One"), (8, "One")], "two modules have one name"),
        ([(7, "One"), (9, "Other"), (8, "Third")], "comes after"),
    ],
)
def test_modules_of_one_number_or_name_are_no_table(
    pallets: list[tuple[int, str]], why: str
) -> None:
    with pytest.raises(TypeError, match=why):
        module_table(*(a_module(index, name) for index, name in pallets))


def test_classes_may_share_a_number_as_one_module() -> None:
    parts = a_module(7, "One"), a_module(7, "One")
    assert module_table(*parts) == parts


def test_an_item_a_call_an_event_an_error_and_a_constant() -> None:
    account = next(item for item in DESCRIBED["System"].storage if item.name == "Account")
    assert [hasher for _, hasher in account.keys] == [Hasher.BLAKE2_128_CONCAT]
    assert account.value == shape_of(AccountInfo)
    assert account.default is not None
    assert decode(AccountInfo, account.default) == UNKNOWN_ACCOUNT

    (claim,) = DESCRIBED["Parathreads"].calls
    assert (claim.index, claim.name) == (0, "claim")
    assert [(field.name, field.shape) for field in claim.fields] == [
        ("para", Named("ParaId", "parahost.primitives.basic", Integer(32)))
    ]
    (claimed,) = DESCRIBED["Parathreads"].events
    assert claimed.fields[1].shape == FixedBytes(32)
    assert [(error.index, error.name) for error in DESCRIBED["ParaScheduler"].errors] == [
        (0, "ClaimExists"),
        (1, "QueueFull"),
    ]
    (max_pov_size,) = DESCRIBED["Configuration"].constants
    assert decode(U32, max_pov_size.value) == 10 * 1024 * 1024


def test_two_classes_with_one_number_are_one_module() -> None:
    names = [item.name for item in DESCRIBED["Paras"].storage]
    assert {"Heads", "UpgradeGoAheadSignal"} <= set(names)


# What a module may not declare


@call(0, "speak", weight=micros(1))
@dataclass(frozen=True, slots=True)
class Speak(RuntimeCall):
    pass


@event(0)
@dataclass(frozen=True, slots=True)
class Spoken(RuntimeEvent):
    pass


@event(0)
@dataclass(frozen=True, slots=True)
class Heard(RuntimeEvent):
    pass


class Mute(ModuleError, index=0):
    pass


class Deaf(ModuleError, index=0):
    pass


@pytest.mark.parametrize(
    "declared",
    [
        {"events": (Spoken, Heard)},
        {"errors": (Mute, Deaf)},
        {"one": Constant("One", U32, U32(1)), "other": Constant("One", U32, U32(2))},
        {"one": StorageValue("One", U32), "other": StorageValue("One", U32)},
        {"calls": (Speak,)},
    ],
    ids=["events", "errors", "constants", "storage", "a call without an entry point"],
)
def test_a_number_or_a_name_is_given_once(declared: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        type("Twice", (Module,), declared, pallet=Pallet(255, "Sudo"))
