"""A node's form, both ways, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from parahost.trie import HashedValue, NodeDecodeError, NodeForm, decode_node

partials = st.text("0123456789abcdef", max_size=20) | st.integers(0, 700).map(lambda n: "a" * n)
hashes = st.binary(min_size=32, max_size=32)
node_values = st.binary(max_size=80) | hashes.map(HashedValue)
references = st.none() | st.binary(min_size=1, max_size=32)
leaves = st.builds(NodeForm, partials, node_values, st.just(()))
branches = st.builds(
    NodeForm,
    partials,
    st.none() | node_values,
    st.tuples(*[references] * 16).filter(any),
)
forms = leaves | branches


@given(forms)
def test_round_trip(form: NodeForm) -> None:
    assert decode_node(form.encode()) == form


@pytest.mark.parametrize(
    ("form", "encoded"),
    [
        (NodeForm("", b"", ()), "40 00"),
        (NodeForm("a", b"v", ()), "41 0a 0476"),
        (NodeForm("ab", b"v", ()), "42 ab 0476"),
        (NodeForm("a" * 62, b"v", ()), "7e" + "aa" * 31 + "0476"),
        (NodeForm("a" * 63, b"v", ()), "7f 00 0a" + "aa" * 31 + "0476"),
        (NodeForm("a" * 318, b"v", ()), "7f ff 00" + "aa" * 159 + "0476"),
        (NodeForm("a", HashedValue(bytes(32)), ()), "21 0a" + "00" * 32),
        (NodeForm("", None, (b"x", *[None] * 14, b"y")), "80 0180 0478 0479"),
        (NodeForm("", b"v", (b"x", *[None] * 15)), "c0 0100 0476 0478"),
        (
            NodeForm("", HashedValue(bytes(32)), (b"x", *[None] * 15)),
            "10 0100" + "00" * 32 + "0478",
        ),
    ],
)
def test_known_forms(form: NodeForm, encoded: str) -> None:
    assert form.encode() == bytes.fromhex(encoded)
    assert decode_node(bytes.fromhex(encoded)) == form


def test_the_empty_trie_has_no_node() -> None:
    assert decode_node(b"\x00") is None


@pytest.mark.parametrize(
    ("encoded", "reason"),
    [
        ("", "no bytes"),
        ("01", "no kind of node"),
        ("0f", "no kind of node"),
        ("0000", "no kind of node"),
        ("7f ff", "header does not end"),
        ("42", "partial key"),
        ("41 1a 00", "padding nibble"),
        ("41 0a", "value: nothing left"),
        ("41 0a 08 76", "value: 2 bytes wanted"),
        ("41 0a 0100", "shortest form"),
        ("41 0a 04 76 00", "1 bytes left over"),
        ("21 0a" + "00" * 31, "value hash"),
        ("80 0000", "without children"),
        ("80 01", "children bitmap"),
        ("80 0100 00", "child 0 has 0 bytes"),
        ("80 0100 84" + "00" * 33, "child 0 has 33 bytes"),
    ],
)
def test_refused(encoded: str, reason: str) -> None:
    with pytest.raises(NodeDecodeError, match=reason):
        decode_node(bytes.fromhex(encoded))


def mutated(form: NodeForm, at: int, byte: int, cut: int) -> bytes:
    data = bytearray(form.encode())
    data[at % len(data)] = byte
    return bytes(data[: len(data) - cut])


hostile = st.binary(max_size=100) | st.builds(
    mutated, forms, st.integers(0, 1000), st.integers(0, 255), st.integers(0, 3)
)


@given(hostile)
@example(b"\x41\x0a\xff" + b"\xff" * 67)
@example(b"\x41\x0a\x03")
def test_any_bytes_decode_to_a_node_of_that_form_or_are_refused(data: bytes) -> None:
    try:
        form = decode_node(data)
    except NodeDecodeError as error:
        assert 0 <= error.offset <= len(data)
    else:
        assert data == (b"\x00" if form is None else form.encode())
