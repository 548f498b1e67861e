"""The genesis block and chain specs: round trips, and one clear line for what is malformed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parahost.primitives.basic import U32, HeadData, ValidationCode
from parahost.runtime import api
from parahost.runtime.babe import Babe
from parahost.runtime.chain_spec import BadChainSpec, ChainSpec
from parahost.runtime.genesis import BadGenesis, GenesisConfig, genesis_header
from parahost.runtime.parachains.configuration import DEFAULT_CONFIGURATION, Configuration
from parahost.runtime.parachains.paras import ParaGenesisArgs
from parahost.trie import StateVersion, ordered_root
from tests.runtime.world import EPOCH_SLOTS, GENESIS, SLOT_MS, Chain, account, para, validators

SPEC = ChainSpec.of("Test net", "test-net", GENESIS.build(), ("/ip4/127.0.0.1/tcp/30333",))
TEXT = SPEC.to_json()


# Genesis


def test_the_same_config_has_the_same_genesis() -> None:
    assert GENESIS.build().root == GENESIS.build().root
    other = replace(GENESIS, epoch_length=6)
    assert other.build().root != GENESIS.build().root


def test_header_is_substrates() -> None:
    header = genesis_header(GENESIS.build())
    assert (header.number, header.parent_hash, header.digest) == (0, bytes(32), ())
    assert header.extrinsics_root == ordered_root((), StateVersion.V0)
    assert header.extrinsics_root.hex() == (
        "03170a2e7597b7b7e3d84c05391d139a62b157e78786d8c082f29dcf4c111314"
    )


def test_what_the_founders_decided_is_in_the_state() -> None:
    state = GENESIS.build()
    babe = api.babe_configuration(state)
    assert (babe.slot_duration, babe.epoch_length, babe.c) == (SLOT_MS, EPOCH_SLOTS, (1, 4))
    assert api.session_validators(state) == api.queued_validators(state) == GENESIS.validators
    assert [key for key, _ in api.grandpa_authorities(state)] == [
        validator.keys.grandpa for validator in GENESIS.validators
    ]
    assert api.validators(state) == tuple(v.keys.para_validator for v in GENESIS.validators)
    assert api.session_index_for_child(state) == 0
    assert len(api.availability_cores(state)) == 3
    assert len(api.validator_groups(state).groups) == 3


@pytest.mark.parametrize(
    ("config", "part"),
    [
        (replace(GENESIS, validators=()), "validators"),
        (replace(GENESIS, validators=validators("Alice", "Alice")), "validators"),
        (
            replace(
                GENESIS,
                validators=(
                    *validators("Alice"),
                    replace(validators("Alice")[0], account=account("Bob")),
                ),
            ),
            "validators",
        ),
        (replace(GENESIS, slot_duration_ms=0), "slot_duration_ms"),
        (replace(GENESIS, slot_duration_ms=600_001), "slot_duration_ms"),
        (replace(GENESIS, epoch_length=0), "epoch_length"),
        (replace(GENESIS, epoch_length=2**64), "epoch_length"),
        (replace(GENESIS, c=(0, 1)), "c"),
        (replace(GENESIS, c=(1, 2**64)), "c"),
        (replace(GENESIS, paras=tuple(para(number) for number in range(201))), "paras"),
        (replace(GENESIS, c=(3, 2)), "c"),
        (replace(GENESIS, paras=(para(7), para(7))), "paras"),
        (
            replace(
                GENESIS,
                paras=((para(7)[0], ParaGenesisArgs(HeadData(b""), ValidationCode(b""), True)),),
            ),
            "paras",
        ),
        (
            replace(
                GENESIS,
                paras=(
                    (
                        para(7)[0],
                        ParaGenesisArgs(HeadData(bytes(1 << 20)), para(7)[1].validation_code, True),
                    ),
                ),
            ),
            "paras",
        ),
        (
            replace(
                GENESIS,
                configuration=replace(DEFAULT_CONFIGURATION, chain_availability_period=U32(0)),  # type: ignore[arg-type]
            ),
            "configuration",
        ),
    ],
)
def test_what_makes_no_chain_is_refused(config: GenesisConfig, part: str) -> None:
    with pytest.raises(BadGenesis) as refusal:
        config.build()
    assert refusal.value.part == part
    assert "\n" not in str(refusal.value)


def test_one_validator_is_a_chain() -> None:
    chain = Chain(replace(GENESIS, validators=validators("Alice")))
    chain.steps(2 * EPOCH_SLOTS)


# Chain specs


def test_spec_round_trip() -> None:
    spec = ChainSpec.from_json(TEXT, "spec.json")
    assert spec == SPEC
    assert spec.to_json() == TEXT
    assert spec.genesis_state().root == GENESIS.build().root
    assert spec.genesis_hash() == genesis_header(GENESIS.build()).hash()


def test_a_chain_starts_from_a_spec() -> None:
    chain = Chain()
    chain.state = ChainSpec.from_json(TEXT, "spec.json").genesis_state()
    chain.steps(2)


def test_unknown_keys_of_other_implementations_are_ignored() -> None:
    spec = json.loads(TEXT)
    spec |= {"forkBlocks": None, "badBlocks": None, "consensusEngine": None}
    assert ChainSpec.from_json(json.dumps(spec), "spec.json") == SPEC


def changed(change: Callable[[dict[str, Any]], object]) -> str:
    spec = json.loads(TEXT)
    change(spec)
    return json.dumps(spec)


CONFIGURATION = f"0x{Configuration.current.prefix.hex()}"
AUTHORITIES = f"0x{Babe.authorities.prefix.hex()}"


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("", "line 1, column 1"),
        ('{"name": "x",\n oops}', "line 2, column 2"),
        ("[]", "(whole file)"),
        ("[" * 100_000, "(whole file)"),
        ('{"name": "x", "name": "y"}', "name"),
        (changed(lambda spec: spec.pop("name")), "name"),
        (changed(lambda spec: spec.update(name=3)), "name"),
        (changed(lambda spec: spec.update(id="../../etc")), "id"),
        (changed(lambda spec: spec.update(chainType="Test")), "chainType"),
        (changed(lambda spec: spec.update(bootNodes="here")), "bootNodes"),
        (changed(lambda spec: spec.update(bootNodes=[1])), "bootNodes"),
        (changed(lambda spec: spec.update(properties=[1])), "properties"),
        (changed(lambda spec: spec.update(protocolId=1)), "protocolId"),
        (changed(lambda spec: spec.pop("genesis")), "genesis"),
        (changed(lambda spec: spec["genesis"].pop("raw")), "genesis.raw"),
        (changed(lambda spec: spec["genesis"]["raw"].update(top=[])), "genesis.raw.top"),
        (changed(lambda spec: spec["genesis"]["raw"].update(top={})), "genesis.raw.top"),
        (
            changed(
                lambda spec: spec["genesis"]["raw"]["top"].update({CONFIGURATION: f"0x{'00' * 44}"})
            ),
            f"genesis.raw.top.{CONFIGURATION}",
        ),
        (
            changed(lambda spec: spec["genesis"]["raw"]["top"].update({"ff": "0x"})),
            "genesis.raw.top",
        ),
        (
            changed(lambda spec: spec["genesis"]["raw"]["top"].update({"0xff": "0x1"})),
            "genesis.raw.top.0xff",
        ),
        (
            changed(lambda spec: spec["genesis"]["raw"]["top"].pop(AUTHORITIES)),
            "genesis.raw.top",
        ),
        (
            changed(lambda spec: spec["genesis"]["raw"]["top"].update({AUTHORITIES: "0x00"})),
            "genesis.raw.top",
        ),
        (
            changed(lambda spec: spec["genesis"]["raw"]["top"].update({AUTHORITIES: "0x04ff"})),
            f"genesis.raw.top.{AUTHORITIES}",
        ),
    ],
)
def test_malformed_specs_are_refused_in_one_line(text: str, key: str) -> None:
    with pytest.raises(BadChainSpec) as refusal:
        ChainSpec.from_json(text, "some/spec.json")
    assert refusal.value.key == key
    message = str(refusal.value)
    assert message.startswith("some/spec.json: ")
    assert "\n" not in message and len(message) < 400


def test_a_storage_key_in_two_spellings_is_refused() -> None:
    upper = AUTHORITIES[:2] + AUTHORITIES[2:].upper()
    text = changed(lambda spec: spec["genesis"]["raw"]["top"].update({upper: "0x00"}))
    with pytest.raises(BadChainSpec, match="twice"):
        ChainSpec.from_json(text, "spec.json")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["name", "id", "genesis", "raw", "top", "bootNodes", "properties"]),
                inner,
                max_size=4,
            )
        ),
    )
)
def test_any_json_is_a_spec_or_refused(value: Any) -> None:
    with pytest.raises(BadChainSpec):
        ChainSpec.from_json(json.dumps(value), "spec.json")


def test_unreadable_items_are_named() -> None:
    broken = dict(SPEC.top) | {Babe.slot_duration.prefix: b"\1\2\3"}
    with pytest.raises(BadChainSpec, match="SlotDuration is unreadable"):
        ChainSpec.from_json(replace(SPEC, top=broken).to_json(), "spec.json")
