"""States as a whole: roots, proofs and sharing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from parahost.runtime.storage import Overlay, State, StateVersion
from parahost.trie import ProofReader, Trie

contents = st.dictionaries(st.binary(max_size=4), st.binary(max_size=50), max_size=30)


@given(contents, st.sampled_from(StateVersion))
def test_root_is_the_trie_s(content: dict[bytes, bytes], version: StateVersion) -> None:
    state = State.from_raw(content.items(), version)
    assert state.root == Trie(version).insert_many(content).root
    assert state.trie.version is version


@given(contents, st.lists(st.binary(max_size=4), max_size=4))
def test_proofs_are_against_the_root(content: dict[bytes, bytes], absent: list[bytes]) -> None:
    state = State.from_raw(content)
    wanted = [*content, *absent]
    reader = ProofReader(state.root, state.prove(wanted))
    assert [reader.get(key) for key in wanted] == [state.get_raw(key) for key in wanted]


def test_a_child_shares_the_cells_that_did_not_change() -> None:
    parent = State.from_raw({bytes([index]): bytes([index]) for index in range(50)})
    store = Overlay(parent)
    store.put_raw(b"\x07", b"other")
    store.put_raw(b"\x08", None)
    child = store.commit()
    for index in range(50):
        key = bytes([index])
        assert (child.cell(key) is parent.cell(key)) == (index not in {7, 8})
    assert child.cell(b"\x08") is None
    assert parent.get_raw(b"\x07") == b"\x07"


def test_a_prefix_bounds_keys_and_items() -> None:
    state = State.from_raw({b"ab": b"1", b"abc": b"2", b"ac": b"3", b"b": b"4"})
    assert list(state.keys(b"ab")) == [b"ab", b"abc"]
    assert list(state.items_raw(b"a")) == [(b"ab", b"1"), (b"abc", b"2"), (b"ac", b"3")]
