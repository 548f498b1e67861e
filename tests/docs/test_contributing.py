"""The examples in CONTRIBUTING.md do what it says."""

from __future__ import annotations

import importlib.util
import sys
from enum import IntEnum
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from parahost.primitives.basic import H256
from parahost.runtime import pallets
from parahost.runtime.description import describe
from parahost.runtime.dispatch import ModuleRefusal, refusal_of
from parahost.runtime.errors import BadOrigin
from parahost.runtime.module import call_weight, encode_call
from parahost.runtime.origin import AccountId, NoOrigin, Signed
from parahost.runtime.storage import Overlay, State
from parahost.runtime.system import System
from parahost.runtime.weights import micros, nanos

TEXT = (Path(__file__).parents[2] / "docs" / "CONTRIBUTING.md").read_text()
ALICE = AccountId(H256(bytes(32)))


@pytest.fixture
def remarks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The chapter's module, with its number in the table."""
    numbers = {pallet.name: pallet.value for pallet in pallets.Pallet} | {"Remarks": 72}
    monkeypatch.setattr(pallets, "Pallet", IntEnum("Pallet", numbers))
    path = tmp_path / "remarks.py"
    path.write_text(TEXT.split("```python\n")[1].split("```")[0])
    spec = importlib.util.spec_from_file_location("remarks", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "remarks", module)
    spec.loader.exec_module(module)
    return module


def test_a_call_is_made_and_told(remarks: ModuleType) -> None:
    store, system = Overlay(State.from_raw({})), System()
    module, call = remarks.Remarks(system), remarks.Remark(b"good day")
    assert encode_call(call) == bytes((72, 0, 8 << 2)) + b"good day"
    assert call_weight(call) == micros(50) + nanos(15) * 8
    module.dispatch(store, Signed(ALICE), call)
    assert module.last.get(store, ALICE) == b"good day"
    assert [record.event for record in system.block_events(store)] == [remarks.Remarked(ALICE)]


def test_what_is_wrong_is_refused(remarks: ModuleType) -> None:
    store, module = Overlay(State.from_raw({})), remarks.Remarks(System())
    with pytest.raises(BadOrigin):
        module.dispatch(store, NoOrigin(), remarks.Remark(b""))
    with pytest.raises(remarks.TooLong) as refused:
        module.dispatch(store, Signed(ALICE), remarks.Remark(bytes(65)))
    assert refusal_of(refused.value) == ModuleRefusal(72, bytes(4))  # type: ignore[arg-type]
    assert store.changes() == {}


def test_the_module_describes_itself(remarks: ModuleType) -> None:
    (described,) = describe((remarks.Remarks,))
    assert (described.index, described.name) == (72, "Remarks")
    everything: tuple[Any, ...] = (
        *described.storage,
        *described.constants,
        *described.calls,
        *described.events,
        *described.errors,
    )
    assert [each.name for each in everything] == [
        "Last",
        "MaxLength",
        "remark",
        "Remarked",
        "TooLong",
    ]
    assert all(each.documentation for each in everything)
