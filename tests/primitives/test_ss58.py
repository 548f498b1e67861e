"""Addresses: the registry's, another implementation's, and typing errors."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scalecodec.utils import ss58 as theirs

from parahost.primitives.ss58 import (
    MAX_PREFIX,
    SS58_PREFIX,
    Address,
    BadAddress,
    parse_account,
    ss58_decode,
    ss58_encode,
)

ALICE = bytes.fromhex("d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d")
TREASURY = b"modlpy/trsry".ljust(32, b"\0")
prefixes = st.integers(0, MAX_PREFIX).filter(lambda prefix: prefix not in (46, 47))
accounts = st.binary(min_size=32, max_size=32)


@pytest.mark.parametrize(
    ("account", "prefix", "address"),
    [
        (ALICE, 42, "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"),
        (ALICE, 0, "15oF4uVJwmo4TdGW7VfQxNLavjCXviqxT9S1MgbjMNHr6Sp5"),
        (ALICE, 2, "HNZata7iMYWmk5RvZRTiAsSDhV8366zq2YGb3tLH5Upf74F"),
        (TREASURY, 0, "13UVJyLnbVp9RBZYFwFGyDvVd1y27Tt8tkntv6Q7JVPhFsTB"),
    ],
    ids=["Substrate", "Polkadot", "Kusama", "a module's account"],
)
def test_known_addresses(account: bytes, prefix: int, address: str) -> None:
    assert ss58_encode(account, prefix) == address
    assert ss58_decode(address) == Address(account, prefix)  # type: ignore[arg-type]
    assert parse_account(address, prefix) == account


@given(accounts, prefixes)
def test_another_implementation_reads_and_writes_the_same(account: bytes, prefix: int) -> None:
    address = ss58_encode(account, prefix)
    assert address == theirs.ss58_encode(account, prefix)
    assert theirs.ss58_decode(address, valid_ss58_format=prefix) == account.hex()
    assert ss58_decode(address) == Address(account, prefix)  # type: ignore[arg-type]


@given(accounts, prefixes, st.data())
def test_a_mistyped_letter_is_noticed(account: bytes, prefix: int, data: st.DataObject) -> None:
    address = ss58_encode(account, prefix)
    place = data.draw(st.integers(0, len(address) - 1))
    letter = data.draw(st.characters(codec="utf-8").filter(lambda it: it != address[place]))
    try:
        read = ss58_decode(address[:place] + letter + address[place + 1 :])
    except BadAddress:
        return
    # One in 65536 passes the checksum; what is read is then what that text says.
    assert ss58_encode(read.account, read.prefix) != address


@given(st.text(max_size=80))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    try:
        read = ss58_decode(text)
    except BadAddress:
        return
    assert ss58_encode(read.account, read.prefix) == text


def test_what_a_person_may_type() -> None:
    assert parse_account("0x" + ALICE.hex()) == ALICE
    polkadots = ss58_encode(ALICE, 0)
    for typed, why in {
        polkadots: "of network 0, this one is 42",
        "0x1234": "32 bytes, not 2",
        "0xzz": "not hex",
        "": "empty",
        "//Alice": "no letter of base58",
        ss58_encode(ALICE)[:-1]: "first byte is reserved",
        "1" * 65: "too long",
    }.items():
        with pytest.raises(BadAddress, match=why):
            parse_account(typed)


@pytest.mark.parametrize("prefix", [-1, 46, 47, MAX_PREFIX + 1])
def test_prefixes_that_no_network_has(prefix: int) -> None:
    with pytest.raises(ValueError, match="prefix"):
        ss58_encode(ALICE, prefix)


def test_ours_is_substrates() -> None:
    assert SS58_PREFIX == 42
