"""A para is deregistered and another registered under its number in one session: nothing of the old
one's reaches into the new one, whichever item of the state it was in."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from dataclasses import is_dataclass, replace
from typing import Any

import pytest

from parahost.primitives.basic import (
    U32,
    BlockNumber,
    HeadData,
    ParaId,
    ValidationCode,
    ValidationCodeHash,
)
from parahost.primitives.hashing import blake2_256
from parahost.primitives.runtime_api import OccupiedCoreAssumption
from parahost.runtime import api
from parahost.runtime.parachains.past_code import UseCurrent
from parahost.runtime.parathreads import Claim
from parahost.runtime.registrar import Deregister, Register
from parahost.runtime.storage import Overlay, StorageMap
from parahost.runtime.storage.declarations import StorageItem
from tests.runtime.pipeline import COLLATOR, inherent_data
from tests.runtime.world import GENESIS, SHARED_RUNTIME, Chain, para

CHAIN, THREAD = ParaId(U32(100)), ParaId(U32(200))
OLD_CODE = para(100)[1].validation_code
NEW_CODE, NEW_HEAD = ValidationCode(b"\0asm of the new life"), HeadData(b"head of the new life")
PARAS = SHARED_RUNTIME.modules.parachains.paras
CONFIG = replace(GENESIS.configuration, parathread_retries=U32(9))

HISTORY = {
    "System.Events",  # what happened in the block
    "Validity.RemoteCandidates",  # of other forks, as long as they are disputed
    "RemoteDisputes.Remote",
    "Validity.Included",  # may be checked and disputed, with its session and code
    "Paras.PastCode",  # what it is checked with
    "Paras.PastCodePruning",
    "Paras.PastCodeMeta",  # which of it held when; see the last test
}
"""Items that may speak of what was."""


# Which items speak of a para: by their types


def parts(type_: Any) -> tuple[Any, ...]:
    """The types that a value of the type is made of."""
    if is_dataclass(type_) and isinstance(type_, type):
        return tuple(typing.get_type_hints(type_).values())
    return typing.get_args(type_)


def speaks_of_paras(type_: Any) -> bool:
    return type_ is ParaId or any(speaks_of_paras(part) for part in parts(type_))


def paras_in(type_: Any, value: Any) -> Iterator[ParaId]:
    """The paras that a value of the type names."""
    if type_ is ParaId:
        yield value
    elif is_dataclass(value):
        hints = typing.get_type_hints(type(value))
        for field, hint in hints.items():
            if not field.startswith("_"):
                yield from paras_in(hint, getattr(value, field))
    elif isinstance(value, tuple) and (inner := typing.get_args(type_)):
        for place, element in enumerate(value):
            repeated = inner[-1] is Ellipsis or len(inner) != len(value)
            yield from paras_in(inner[0] if repeated else inner[place], element)


def per_para_items() -> list[StorageItem[Any, Any]]:
    """Every storage item of the runtime that can hold something of a para."""
    found = []
    for module in SHARED_RUNTIME.modules:
        for item in module.storage_items:
            types = [item.value_type]
            if isinstance(item, StorageMap):
                types += [type_ for type_, _ in item.keys_and_hashers]
            if any(speaks_of_paras(type_) for type_ in types):
                found.append(item)
    return found


def said_of(chain: Chain, item: Any, para_id: ParaId) -> list[Any]:
    """What the item holds of the para: entries of a map, elements of a list, or the value."""
    if isinstance(item, StorageMap):
        key_types: Any = tuple.__class_getitem__(tuple(type_ for type_, _ in item.keys_and_hashers))
        entries = [
            (key if isinstance(key, tuple) else (key,), value)
            for key, value in item.iterate(chain.state)
        ]
        return [
            (key, value)
            for key, value in entries
            if para_id in (*paras_in(key_types, key), *paras_in(item.value_type, value))
        ]
    value = item.get(chain.state)
    if isinstance(value, tuple):
        element = typing.get_args(item.value_type)[0]
        return [each for each in value if para_id in paras_in(element, each)]
    return [value] if para_id in paras_in(item.value_type, value) else []


# Lives


def run_old_life(chain: Chain, para_id: ParaId, *, backed: bool) -> set[str]:
    """Everything that a para can leave behind; gives the items that spoke of it."""
    spoke: set[str] = set()

    def look() -> None:
        spoke.update(str(item) for item in per_para_items() if said_of(chain, item, para_id))

    chain.step()
    store = Overlay(chain.state)
    for version, expected_at in ((b"1", 1), (b"2", 2)):
        code = ValidationCode(b"\0asm " + version)
        PARAS.schedule_code_upgrade(store, para_id, code, BlockNumber(U32(expected_at)))
        if version == b"1":
            PARAS.note_new_head(store, para_id, HeadData(b"old"), BlockNumber(U32(1)))
    chain.state = store.commit()
    chain.step(chain.signed(COLLATOR, Claim(THREAD)))
    look()
    if backed:
        chain.step(data=inherent_data(chain))
        look()
    return spoke


def reregister(chain: Chain, para_id: ParaId, *, parachain: bool, lives: bool) -> None:
    """The old one goes, if it lives, and the new one comes, with the next session."""
    call = Register(para_id, NEW_HEAD, NEW_CODE, parachain)
    if lives:
        chain.step(chain.sudo(Deregister(para_id)))
    while chain.header.number < 4:
        chain.step()
    chain.step(chain.sudo(call))
    while api.session_index_for_child(chain.state) == 0:
        chain.step()


def second_life(para_id: ParaId, *, parachain: bool, backed: bool) -> tuple[Chain, set[str]]:
    chain = Chain(replace(GENESIS, configuration=CONFIG, epoch_length=7))
    spoke = run_old_life(chain, para_id, backed=backed)
    reregister(chain, para_id, parachain=parachain, lives=True)
    return chain, spoke


def first_life(para_id: ParaId, *, parachain: bool) -> Chain:
    others = tuple((id_, args) for id_, args in GENESIS.paras if id_ != para_id)
    chain = Chain(replace(GENESIS, configuration=CONFIG, epoch_length=7, paras=others))
    reregister(chain, para_id, parachain=parachain, lives=False)
    return chain


@pytest.mark.guide("A14", "A16", "A17")
@pytest.mark.parametrize("backed", [True, False], ids=["pending", "waiting"])
@pytest.mark.parametrize(
    ("para_id", "parachain"), [(CHAIN, True), (THREAD, False), (CHAIN, False), (THREAD, True)]
)
def test_a_second_life_begins_as_a_first_one(
    para_id: ParaId, parachain: bool, backed: bool
) -> None:
    second, _ = second_life(para_id, parachain=parachain, backed=backed)
    first = first_life(para_id, parachain=parachain)
    assert second.header.number == first.header.number
    for item in per_para_items():
        if str(item) not in HISTORY:
            assert said_of(second, item, para_id) == said_of(first, item, para_id), item
    second.steps(3)


def test_the_lives_above_leave_something_in_every_item() -> None:
    """Else an item could be added that the test above does not look at."""
    spoke: set[str] = set()
    for para_id in (CHAIN, THREAD):
        for backed in (True, False):
            spoke |= second_life(para_id, parachain=True, backed=backed)[1]
    coming = {"Paras.UpcomingParas", "Paras.UpcomingParasGenesis", "Paras.OutgoingParas"}
    within_a_block = {"ParaScheduler.Scheduled", "Validity.IncludedNow"}
    judged = {"Validity.Included", "Validity.RemoteCandidates", "RemoteDisputes.Remote"}
    expected = {str(item) for item in per_para_items()} - coming - within_a_block - judged
    assert spoke == expected


@pytest.mark.guide("A14", "A20")
def test_the_new_life_is_judged_by_its_own_code_and_the_old_code_stays_for_checks() -> None:
    chain, _ = second_life(CHAIN, parachain=True, backed=True)
    free = OccupiedCoreAssumption.FREE
    assert api.validation_code(chain.state, CHAIN, free) == NEW_CODE
    data = api.persisted_validation_data(chain.state, CHAIN, free)
    assert data is not None and data.parent_head == NEW_HEAD
    criteria = api.acceptance_criteria(chain.state, CHAIN, free)
    assert criteria is not None and criteria.new_code_allowed_from == 0
    born = chain.header.number
    meta = PARAS.past_code_meta.get(chain.state, CHAIN)
    assert meta.code_at(BlockNumber(U32(born))) == UseCurrent()
    code_at = [
        PARAS.validation_code_at(chain.state, CHAIN, BlockNumber(U32(at))) for at in range(born + 2)
    ]
    assert code_at == [OLD_CODE] * 2 + [b"\0asm 1"] * (born - 2) + [NEW_CODE] * 2
    chain.step(data=inherent_data(chain))
    chain.step(data=inherent_data(chain))
    (record,) = (
        record
        for record in api.included_candidates(chain.state)
        if record.receipt.descriptor.para_id == CHAIN
    )
    assert record.receipt.descriptor.validation_code_hash == blake2_256(NEW_CODE)
    old_hash = ValidationCodeHash(blake2_256(b"\0asm 1"))
    assert api.validation_code_by_hash(chain.state, old_hash) == b"\0asm 1"
