"""A list in the state against a plain one, with transactions that are undone."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parahost.primitives.basic import U32
from parahost.primitives.scale import encode
from parahost.runtime.module import Module
from parahost.runtime.pallets import Pallet
from parahost.runtime.storage import Overlay, State, StorageList, StorageValue
from parahost.runtime.storage.cell import Cell


class Log(Module, pallet=Pallet(0, "System")):
    lines = StorageList("Lines", U32)


class PlainLog(Module, pallet=Pallet(0, "System")):
    lines = StorageValue("Lines", tuple[U32, ...], default=())


steps = st.lists(
    st.one_of(st.sampled_from(["begin", "undo", "keep", "read", "kill"]), st.integers(0, 255)),
    max_size=40,
)


@given(st.lists(st.integers(0, 9), max_size=3), steps)
def test_it_is_a_tuple_whatever_is_undone(start: list[int], steps: list[Any]) -> None:
    first = Overlay(State.from_raw({}))
    for number in start:
        Log.lines.append(first, U32(number))
    parent = first.commit()
    store, model, undo = Overlay(parent), list(start), list[list[int]]()
    for step in steps:
        if step == "begin":
            store.begin_transaction()
            undo.append(list(model))
        elif step == "undo" and undo:
            store.rollback_transaction()
            model = undo.pop()
        elif step == "keep" and undo:
            store.commit_transaction()
            undo.pop()
        elif step == "read":
            assert Log.lines.get(store) == tuple(model)
        elif step == "kill":
            Log.lines.kill(store)
            model = []
        elif isinstance(step, int):
            Log.lines.append(store, U32(step))
            model.append(step)
    for _ in undo:
        store.commit_transaction()
    assert PlainLog.lines.get(store) == Log.lines.get(store) == tuple(model)
    after = store.commit()
    assert Log.lines.get(parent) == tuple(start)
    if model:
        assert after.get_raw(Log.lines.prefix) == encode(tuple(model), tuple[U32, ...])
        assert Log.lines.get(State.from_raw(dict(after.items_raw()))) == tuple(model)


def test_what_is_there_is_neither_read_nor_copied_by_an_append(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = Overlay(State.from_raw({}))
    with monkeypatch.context() as within:
        within.setattr(Cell, "decoded", None)
        within.setattr(Cell, "raw", None)
        for number in range(100_000):
            Log.lines.append(store, U32(number))
    assert Log.lines.get(store) == tuple(range(100_000))
