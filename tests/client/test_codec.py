"""Values by metadata: what is written is read the same, by us, by the runtime and by scalecodec."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parahost.client import BadValue, MetadataCodec, RuntimeMetadata, UnknownName
from parahost.client.metadata import UnreadableMetadata
from parahost.primitives.basic import H256, U32, U128, HeadData, ParaId, ValidationCode
from parahost.primitives.scale import ScaleDecodeError, decode, encode
from parahost.runtime.balances import TransferKeepAlive
from parahost.runtime.metadata import encode_metadata
from parahost.runtime.module import RuntimeCall, encode_call
from parahost.runtime.origin import AccountId
from parahost.runtime.registrar import Register
from parahost.runtime.runtime_apis import RUNTIME_APIS
from parahost.runtime.signers import AccountAddress, Address20
from parahost.runtime.sudo import SudoCall
from parahost.runtime.system import UNKNOWN_ACCOUNT, AccountInfo
from tests.client.random_values import values
from tests.runtime.metadata.reference import reference
from tests.runtime.world import account

V14, V15 = (RuntimeMetadata.read(encode_metadata(each, RUNTIME_APIS)) for each in (14, 15))
CODEC = MetadataCodec(V15, 42)
ALICE = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"
SOME = settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def is_inhabited(metadata: RuntimeMetadata, type_id: int) -> bool:
    return getattr(metadata.types[type_id].type_def, "variants", (None,)) != ()


@pytest.mark.parametrize("type_id", [each for each in V15.types if is_inhabited(V15, each)])
@SOME
@given(data=st.data())
def test_each_type_is_written_and_read_the_same(type_id: int, data: st.DataObject) -> None:
    value = data.draw(values(V15, type_id))
    raw = CODEC.encode(type_id, value)
    assert CODEC.decode(type_id, raw) == value
    with pytest.raises(ScaleDecodeError):
        CODEC.decode(type_id, raw + b"\0")
    if raw:
        with pytest.raises(ScaleDecodeError):
            CODEC.decode(type_id, raw[:-1])


@pytest.mark.parametrize("type_id", [each for each in V14.types if is_inhabited(V14, each)])
@SOME
@given(data=st.data())
def test_scalecodec_reads_what_is_written(type_id: int, data: st.DataObject) -> None:
    """Each type that version 14 names, for random values; it takes all of the bytes."""
    value = data.draw(values(V14, type_id))
    raw = MetadataCodec(V14, 42).encode(type_id, value)
    if raw:
        reference(14).decode(type_id, raw)


@given(st.binary(max_size=120), st.sampled_from(sorted(V15.types)))
def test_garbage_is_refused_or_read(raw: bytes, type_id: int) -> None:
    try:
        value = CODEC.decode(type_id, raw)
    except ScaleDecodeError:
        return
    assert CODEC.encode(type_id, value) == raw


def test_a_compact_number_has_the_bits_of_its_type() -> None:
    """A nonce of 32 bits, in a form in which larger numbers are written too."""
    extensions = V15.content.extrinsic.signed_extensions
    nonce = next(each.type for each in extensions if each.identifier == "CheckNonce")
    assert CODEC.decode(nonce, b"\x03" + b"\xff" * 4) == 2**32 - 1
    with pytest.raises(ScaleDecodeError, match="more than 32 bits"):
        CODEC.decode(nonce, b"\x07" + bytes(4) + b"\x01")


# By the runtime


def test_a_call_is_the_runtimes() -> None:
    ours = TransferKeepAlive(AccountAddress(account("Alice")), U128(10**12))
    assert CODEC.encode_call("Balances", "transfer_keep_alive", [ALICE, 10**12]) == encode_call(
        ours
    )
    assert CODEC.decode(V15.calls_type, encode_call(ours)) == {
        "Balances": {"transfer_keep_alive": {"dest": {"Id": ALICE}, "value": 10**12}}
    }
    made = CODEC.encode_call("Registrar", "register", [7, "0x01", b"\0asm", False])
    register = Register(ParaId(U32(7)), HeadData(b"\1"), ValidationCode(b"\0asm"), False)
    assert made == encode_call(register)
    inner = CODEC.decode(V15.calls_type, made)
    assert CODEC.encode_call("Sudo", "sudo", [inner]) == encode_call(SudoCall(register))
    other = CODEC.encode_call("Balances", "transfer_all", [{"Address20": "0x" + "11" * 20}, True])
    read: Any = decode(RuntimeCall, other)
    assert read.dest == Address20(b"\x11" * 20)


def test_an_account_is_read() -> None:
    entry = V15.storage("System", "Account")
    told = CODEC.decode(entry.type.value, encode(UNKNOWN_ACCOUNT, AccountInfo))
    assert told["data"] == {"free": 0, "reserved": 0, "frozen": 0, "flags": 1 << 127}
    assert (told["nonce"], told["providers"]) == (0, 0)


def test_accounts_are_written_from_what_people_have() -> None:
    dest = V15.call("Sudo", "set_key")[1].fields[0].type
    public = AccountId(H256(account("Alice")))
    text: Any
    for text in (ALICE, "0x" + public.hex(), bytes(public)):
        assert CODEC.encode(dest, text) == public
    for text in (ALICE[:-1] + "Z", "Alice", "0x12", 5, None):
        with pytest.raises(BadValue, match="no address"):
            CODEC.encode(dest, text)
    assert MetadataCodec(V15, 0).decode(dest, public).startswith("15oF4uVJ")


# What does not fit


@pytest.mark.parametrize(
    ("name", "arguments", "why"),
    [
        ("Balances.transfer_all", [ALICE], r"dest: .*keep_alive: bool"),
        ("Balances.transfer_all", [ALICE, 1], "keep_alive: true or false"),
        ("Balances.transfer_keep_alive", [ALICE, -1], "value: -1 is not from 0"),
        ("Balances.transfer_keep_alive", [ALICE, 2**128], "is not from 0"),
        ("Balances.transfer_keep_alive", [ALICE, "much"], "a number is expected"),
        ("Balances.transfer_keep_alive", [{"Ip": 1}, 1], "dest: 'Ip' is none of Id, Index"),
        ("Balances.transfer_keep_alive", ["Bob", 1], "no address"),
        ("Parathreads.claim", [2**32], "para: 4294967296"),
        ("Parathreads.claim", [True], "a number is expected"),
        ("System.remark", [[1, 2]], "bytes are expected"),
        ("System.remark", ["0xz"], "not hex"),
        ("Session.set_keys", [{"grandpa": "0x00"}], "an object with"),
    ],
)
def test_what_does_not_fit_is_told_with_its_place(
    name: str, arguments: list[Any], why: str
) -> None:
    with pytest.raises(BadValue, match=why):
        pallet, call = name.split(".")
        CODEC.encode_call(pallet, call, arguments)


@pytest.mark.parametrize(
    ("pallet", "name", "why"),
    [("Balance", "transfer", "Balances"), ("Balances", "transfer", "transfer_all")],
)
def test_a_name_that_is_not_there_is_told_with_those_that_are(
    pallet: str, name: str, why: str
) -> None:
    with pytest.raises(UnknownName, match=why):
        CODEC.encode_call(pallet, name, [])


def test_calls_in_calls_end_somewhere() -> None:
    call: Any = {"System": {"remark": {"remark": b""}}}
    for _ in range(100):
        call = {"Sudo": {"sudo": {"call": call}}}
    with pytest.raises(BadValue, match="too deep"):
        CODEC.encode(V15.calls_type, call)
    with pytest.raises(ScaleDecodeError, match="too deep"):
        CODEC.decode(V15.calls_type, b"\xff\0" * 1000)


@pytest.mark.parametrize("raw", [b"", b"meta", b"meta\x0d", b"meta\x0f\xff", b"atem\x0f"])
def test_what_is_no_metadata(raw: bytes) -> None:
    with pytest.raises(UnreadableMetadata):
        RuntimeMetadata.read(raw)


def test_errors_have_names() -> None:
    assert V15.error(70, 0)[0] == "Registrar.InvalidCode"
    assert V15.error(70, 99)[0] == "error 99 of pallet 70"
    assert V15.error(199, 0)[0] == "error 0 of pallet 199"
