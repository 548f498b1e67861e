"""The overlay against a plain dict that is copied at each transaction."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from parahost.runtime.storage import Overlay, State, StateVersion

keys = st.binary(min_size=1, max_size=3).map(lambda key: bytes(byte & 0x11 for byte in key))
values = st.binary(max_size=40)
contents = st.dictionaries(keys, values, max_size=10)


class OverlayModel(RuleBasedStateMachine):
    @initialize(content=contents, version=st.sampled_from(StateVersion))
    def begin_block(self, content: dict[bytes, bytes], version: StateVersion) -> None:
        self.version = version
        self.content = content
        self.parent = State.from_raw(content, version)
        self.overlay = Overlay(self.parent)
        self.model = dict(content)
        self.outer: list[dict[bytes, bytes]] = []

    @rule(key=keys, value=values)
    def put(self, key: bytes, value: bytes) -> None:
        self.overlay.put_raw(key, value)
        self.model[key] = value

    @rule(key=keys)
    def remove(self, key: bytes) -> None:
        self.overlay.put_raw(key, None)
        self.model.pop(key, None)

    @rule()
    def begin(self) -> None:
        self.overlay.begin_transaction()
        self.outer.append(dict(self.model))

    @precondition(lambda self: self.outer)
    @rule()
    def keep(self) -> None:
        self.overlay.commit_transaction()
        self.outer.pop()

    @precondition(lambda self: self.outer)
    @rule()
    def undo(self) -> None:
        self.overlay.rollback_transaction()
        self.model = self.outer.pop()

    @rule(key=keys, prefix=keys)
    def read(self, key: bytes, prefix: bytes) -> None:
        assert self.overlay.get_raw(key) == self.model.get(key)
        expected = sorted(key for key in self.model if key.startswith(prefix))
        assert list(self.overlay.keys(prefix)) == expected

    @invariant()
    def delta_and_parent(self) -> None:
        delta = self.overlay.changes()
        assert list(delta) == sorted(delta)
        assert delta == {
            key: self.model.get(key)
            for key in {*self.content, *self.model}
            if self.content.get(key) != self.model.get(key)
        }
        assert dict(self.parent.items_raw()) == self.content

    @precondition(lambda self: not self.outer)
    @rule()
    def end_block(self) -> None:
        delta = self.overlay.changes()
        state = self.overlay.commit()
        assert dict(state.items_raw()) == self.model
        assert list(state.keys()) == sorted(self.model)
        anew = State.from_raw(self.model, self.version)
        again = self.parent.apply(delta)
        assert state.root == anew.root == again.root
        assert dict(again.items_raw()) == self.model
        assert all(again.get_raw(key) == value for key, value in self.model.items())
        self.parent, self.content = state, dict(self.model)
        self.overlay = Overlay(state)


TestOverlayModel = OverlayModel.TestCase
TestOverlayModel.settings = settings(max_examples=60, stateful_step_count=30)


def test_a_transaction_that_raises_changes_nothing() -> None:
    overlay = Overlay(State.from_raw({b"a": b"1"}))
    with pytest.raises(RuntimeError, match="failed"), overlay.transaction():
        overlay.put_raw(b"a", b"2")
        with overlay.transaction():
            overlay.put_raw(b"b", b"3")
        assert overlay.get_raw(b"b") == b"3"
        raise RuntimeError("failed")
    assert overlay.changes() == {}
    with overlay.transaction():
        overlay.put_raw(b"a", None)
    assert overlay.changes() == {b"a": None}


def test_a_block_cannot_end_inside_a_transaction() -> None:
    overlay = Overlay(State.from_raw({}))
    overlay.begin_transaction()
    with pytest.raises(AssertionError, match="transaction is open"):
        overlay.commit()


def test_a_block_without_effect_gives_the_same_trie() -> None:
    parent = State.from_raw({b"a": b"1"})
    overlay = Overlay(parent)
    overlay.put_raw(b"a", b"2")
    overlay.put_raw(b"a", b"1")
    overlay.put_raw(b"b", None)
    assert overlay.commit().trie is parent.trie


@given(contents, contents)
def test_forks_do_not_see_each_other(left: dict[bytes, bytes], right: dict[bytes, bytes]) -> None:
    parent = State.from_raw({b"\x00": b"parent", b"\x01": b"parent"})
    forks = [Overlay(parent), Overlay(parent)]
    for overlay, writes in zip(forks, (left, right), strict=True):
        for key, value in writes.items():
            overlay.put_raw(key, value)
    base = dict(parent.items_raw())
    for overlay, writes in zip(forks, (left, right), strict=True):
        assert dict(overlay.commit().items_raw()) == base | writes
