"""Extrinsics: Substrate's bytes, what the signature covers, and garbage."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scalecodec.base import RuntimeConfiguration, ScaleBytes
from scalecodec.type_registry import load_type_registry_preset

from parahost.crypto import sr25519
from parahost.primitives.basic import H256, H512, U32, Hash, HeadData, ParaId, ValidationCode
from parahost.primitives.hashing import blake2_256
from parahost.primitives.header import Extrinsic
from parahost.primitives.scale import decode_compact, encode
from parahost.runtime.errors import MalformedExtrinsic, UnknownAddress
from parahost.runtime.executive import extrinsics_root
from parahost.runtime.extrinsic import (
    Era,
    Extra,
    ExtrinsicSignature,
    MortalEra,
    UncheckedExtrinsic,
    decode_extrinsic,
    inherent,
    signed,
    signing_payload,
)
from parahost.runtime.module import RuntimeCall, name_of
from parahost.runtime.modules import INHERENTS
from parahost.runtime.pallets import Pallet
from parahost.runtime.parachains.configuration import SetMaxCodeSize
from parahost.runtime.parachains.inclusion_inherent import InclusionCall
from parahost.runtime.parathreads import Claim
from parahost.runtime.registrar import Register
from parahost.runtime.session import SetKeys
from parahost.runtime.signers import (
    AccountAddress,
    Address20,
    Address32,
    EcdsaSignature,
    Ed25519Signature,
    IndexAddress,
    MultiAddress,
    RawAddress,
    Sr25519Signature,
)
from parahost.runtime.sudo import SudoCall
from parahost.runtime.timestamp import SetTimestamp
from parahost.runtime.transaction_validity import UnknownReason
from tests.runtime.world import account, key, session_keys
from tests.verifying import VERIFIER

POLKADOT = json.loads(
    (Path(__file__).parent.parent / "vectors" / "polkadot_block_19772575.json").read_text()
)
"""Its origin is in the file."""
GENESIS_HASH = Hash(H256(b"\x07" * 32))
ERA_HASH = Hash(H256(b"\x08" * 32))

calls = st.one_of(
    st.integers(0, 2**64 - 1).map(SetTimestamp),
    st.integers(0, 2**32 - 1).map(lambda n: Claim(ParaId(U32(n)))),
    st.integers(0, 2**32 - 1).map(lambda n: SudoCall(SetMaxCodeSize(U32(n)))),
    st.tuples(st.binary(max_size=40), st.binary(max_size=400), st.booleans()).map(
        lambda t: SudoCall(Register(ParaId(U32(7)), HeadData(t[0]), ValidationCode(t[1]), t[2]))
    ),
    st.just(SetKeys(session_keys("Alice"))),
)


@st.composite
def eras(draw: st.DrawFn) -> Era:
    if draw(st.booleans()):
        return None
    period = 1 << draw(st.integers(2, 16))
    quantum = max(period >> 12, 1)
    return MortalEra(period, draw(st.integers(0, period // quantum - 1)) * quantum)


signatures = st.builds(
    ExtrinsicSignature,
    st.binary(min_size=32, max_size=32),
    st.one_of(
        st.builds(Ed25519Signature, st.binary(min_size=64, max_size=64)),
        st.builds(Sr25519Signature, st.binary(min_size=64, max_size=64)),
        st.builds(EcdsaSignature, st.binary(min_size=65, max_size=65)),
    ),
    st.builds(Extra, eras(), st.integers(0, 2**32 - 1), st.integers(0, 2**128 - 1)),
)


@cache
def scalecodec_types() -> RuntimeConfiguration:
    config = RuntimeConfiguration()
    config.update_type_registry(load_type_registry_preset("core"))
    return config


def polkadot_extrinsics() -> list[Extrinsic]:
    """Without their length prefixes."""
    found = []
    for text in POLKADOT["extrinsics_hex"]:
        raw = bytes.fromhex(text)
        length, start = decode_compact(raw, 0)
        assert start + length == len(raw)
        found.append(Extrinsic(raw[start:]))
    return found


def test_extrinsics_root_of_a_polkadot_block() -> None:
    assert extrinsics_root(tuple(polkadot_extrinsics())).hex() == POLKADOT["extrinsics_root"]


def test_inherents_of_a_polkadot_block() -> None:
    """Its timestamp reads as ours; its parachains inherent has the number of ours."""
    timestamp, paras, *_ = polkadot_extrinsics()
    call = decode_extrinsic(timestamp).call
    assert isinstance(call, SetTimestamp)
    assert inherent(call) == timestamp
    assert paras[:3] == bytes((0x04, 54, 0))
    assert [each.pallet for each in INHERENTS] == [
        Pallet(3, "Timestamp"),
        Pallet(54, "ParaInherent"),
    ]


def test_parachains_inherent_of_a_polkadot_block_reads_as_ours() -> None:
    paras = polkadot_extrinsics()[POLKADOT["paras_inherent_extrinsic_index"]]
    decoded = decode_extrinsic(paras)
    assert isinstance(decoded.call, InclusionCall)
    assert len(decoded.call.data.bitfields) == POLKADOT["n_bitfields"]
    assert decoded.encode() == paras


@given(calls, st.none() | signatures)
def test_round_trip(call: RuntimeCall, signature: ExtrinsicSignature | None) -> None:
    extrinsic = UncheckedExtrinsic(call, signature)
    assert decode_extrinsic(extrinsic.encode()) == extrinsic


@given(eras())
def test_eras_are_substrates(era: Era) -> None:
    theirs = scalecodec_types().create_scale_object("Era")
    value = "00" if era is None else {"period": era.period, "phase": era.phase}
    ours = decode_extrinsic(
        UncheckedExtrinsic(
            SetTimestamp(1),
            ExtrinsicSignature(account("Alice"), Sr25519Signature(H512(bytes(64))), Extra(era, 0)),
        ).encode()
    )
    assert ours.signature is not None and ours.signature.extra.era == era
    encoded = UncheckedExtrinsic(SetTimestamp(1), ours.signature).encode()[99:]
    length = 1 if era is None else 2
    if era is not None:
        assert theirs.encode(value) == ScaleBytes(encoded[:length])
        assert (theirs.birth(1_000_000), theirs.death(1_000_000)) == (
            era.birth(1_000_000),
            era.death(1_000_000),
        )
    else:
        assert encoded[:1] == b"\0"


def test_mortal_era_by_hand() -> None:
    """Period 64 with phase 42 is a502 in Substrate."""
    signature = ExtrinsicSignature(
        account("Alice"), Sr25519Signature(H512(bytes(64))), Extra(MortalEra(64, 42), 5)
    )
    assert UncheckedExtrinsic(SetTimestamp(1), signature).encode()[99:102].hex() == "a50214"


@pytest.mark.parametrize(("period", "phase"), [(2, 0), (63, 0), (131072, 0), (8, 8), (65536, 1)])
def test_eras_that_have_no_encoding(period: int, phase: int) -> None:
    with pytest.raises(ValueError, match=r"period|phase"):
        MortalEra(period, phase)


@given(st.integers(0, 2**32 - 1), st.integers(2, 16))
def test_an_era_around_a_block_holds_it(block: int, logarithm: int) -> None:
    era = MortalEra.around(block, 1 << logarithm)
    assert era.birth(block) <= block < era.death(block)
    assert block - era.birth(block) < 16


@given(st.binary(max_size=300))
def test_garbage_is_malformed(data: bytes) -> None:
    _decode_or_refuse(data)


@given(calls, st.none() | signatures, st.data())
def test_damaged_extrinsics_are_malformed_or_others(
    call: RuntimeCall, signature: ExtrinsicSignature | None, data: st.DataObject
) -> None:
    raw = bytearray(UncheckedExtrinsic(call, signature).encode())
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= data.draw(st.integers(1, 255))
    _decode_or_refuse(bytes(raw))
    with pytest.raises(MalformedExtrinsic):
        decode_extrinsic(UncheckedExtrinsic(call, signature).encode()[:-1])


def _decode_or_refuse(data: bytes) -> None:
    """Garbage is refused as such; what is taken has exactly these bytes."""
    try:
        decoded = decode_extrinsic(data)
    except (MalformedExtrinsic, UnknownAddress):
        return
    assert decoded.encode() == data


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x04",
        b"\x84",
        b"\x05\x03\x00\x04",
        b"\x84\x05" + bytes(140),
        b"\x84\x00" + bytes(32) + b"\x03" + bytes(140),
        b"\x04\x03\x00\x04\x00",
        b"\x04" + b"\xff\x00" * 5000,
    ],
    ids=[
        "empty",
        "short",
        "cut",
        "version",
        "sixth address",
        "fourth signature",
        "left over",
        "nested sudo",
    ],
)
def test_malformed(raw: bytes) -> None:
    with pytest.raises(MalformedExtrinsic):
        decode_extrinsic(raw)


def test_long_payloads_are_hashed() -> None:
    extra = Extra(None, 0)
    short = signing_payload(
        encode(Claim(ParaId(U32(1))), RuntimeCall), extra, GENESIS_HASH, ERA_HASH
    )
    assert short.endswith(bytes((1, 0, 0, 0, 1, 0, 0, 0)) + GENESIS_HASH + ERA_HASH)
    assert short[:6] == encode(Claim(ParaId(U32(1))), RuntimeCall)
    assert short[6:9] == bytes(3)

    def payload_of(code_size: int) -> bytes:
        code = ValidationCode(bytes(code_size))
        call = SudoCall(Register(ParaId(U32(1)), HeadData(b""), code, True))
        return signing_payload(encode(call, RuntimeCall), extra, GENESIS_HASH, ERA_HASH)

    longest = next(size for size in range(256) if len(payload_of(size + 1)) == 32)
    assert len(payload_of(longest)) == 256
    hashed_call = SudoCall(
        Register(ParaId(U32(1)), HeadData(b""), ValidationCode(bytes(longest + 1)), True)
    )
    plain = (
        encode(hashed_call, RuntimeCall)
        + bytes(3)
        + bytes((1, 0, 0, 0, 1, 0, 0, 0))
        + GENESIS_HASH
        + ERA_HASH
    )
    assert payload_of(longest + 1) == blake2_256(plain)


def test_signing() -> None:
    call = Claim(ParaId(U32(1)))
    alice = key("Alice")
    extrinsic = signed(
        call,
        account("Alice"),
        lambda payload: sr25519.sign(alice, payload),
        nonce=3,
        genesis_hash=GENESIS_HASH,
    )
    decoded = decode_extrinsic(extrinsic)
    assert decoded.signature is not None
    assert decoded.signature.extra == Extra(None, 3)
    payload = signing_payload(encode(call, RuntimeCall), Extra(None, 3), GENESIS_HASH, GENESIS_HASH)
    assert decoded.signature.signature.is_of(account("Alice"), payload, VERIFIER)


@pytest.mark.parametrize(
    "address",
    [
        IndexAddress(),
        RawAddress(b"Alice"),
        Address32(H256(bytes(32))),
        Address20(bytes(20)),
    ],
    ids=lambda address: type(address).__name__,
)
def test_only_an_account_id_leads_to_a_signer(address: MultiAddress) -> None:
    ours = encode(AccountAddress(account("Alice")), MultiAddress)
    alice = account("Alice")
    extrinsic = signed(
        Claim(ParaId(U32(1))), alice, lambda _: bytes(64), nonce=0, genesis_hash=GENESIS_HASH
    )
    assert extrinsic[1:34] == ours
    foreign = extrinsic[:1] + encode(address, MultiAddress) + extrinsic[34:]
    with pytest.raises(UnknownAddress) as refused:
        decode_extrinsic(foreign)
    assert refused.value.address == address
    assert refused.value.reason is UnknownReason.CANNOT_LOOKUP


def test_names_for_people() -> None:
    assert name_of(SetTimestamp(1)) == "Timestamp.set"
    assert name_of(Claim) == "Parathreads.claim"
