"""Runtime APIs as clients ask them: by name, in SCALE."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parahost.primitives.basic import U8, U32, ParaId, SessionIndex, Slot, ValidatorIndex
from parahost.primitives.hashing import blake2_256
from parahost.primitives.header import BoundedExtrinsic
from parahost.primitives.runtime_api import OccupiedCoreAssumption, SessionInfo
from parahost.primitives.runtime_version import RuntimeVersion
from parahost.primitives.scale import ScaleTypeError, decode, encode, shape_of
from parahost.primitives.validity_configuration import Perbill
from parahost.runtime import api
from parahost.runtime.api_trait import ApiMethod, BadApiArguments, NeedsHost, UnknownApiFunction
from parahost.runtime.metadata import encode_metadata
from parahost.runtime.parachains.api import ParachainsApi
from parahost.runtime.parathreads import Claim
from parahost.runtime.runtime_apis import RUNTIME_APIS, state_call
from parahost.runtime.storage import Overlay, State
from parahost.runtime.version import API_VERSIONS
from tests.runtime.metadata.values import encoded, values
from tests.runtime.world import FIRST_SLOT, NAMES, SLOT_MS, Chain, account, session_keys

CHAIN = Chain()
CHAIN.step(CHAIN.signed("Alice", Claim(ParaId(U32(200)))))
CHAIN.steps(2)
PARA = ParaId(U32(100))
FUNCTIONS = {
    f"{trait.name}_{method.name}": method for trait in RUNTIME_APIS for method in trait.methods
}


class Host:
    """A node whose new keys are what was asked for."""

    def generate_key(self, key_type: bytes, seed: bytes | None) -> bytes:
        return blake2_256(key_type + (seed or b""))


def ask(name: str, arguments: bytes = b"") -> bytes:
    return state_call(name, arguments, CHAIN.state, Host())


# By Polkadot's names and forms


def test_the_version_by_hand() -> None:
    """Names, authoring, spec and impl version, the APIs by the hashes of their names, transaction
    version, state version. The hash of ``Core`` is in each Polkadot runtime."""
    raw = ask("Core_version")
    names = b"\x20parahost" * 2
    assert raw.startswith(names + bytes(4) + b"\1\0\0\0" + bytes(4) + b"\x24")
    assert bytes.fromhex("df6acb689907609b") + b"\5\0\0\0" in raw
    assert raw.endswith(b"\1\0\0\0" + b"\1")
    version = decode(RuntimeVersion, raw)
    assert len(version.apis) == len(RUNTIME_APIS)
    assert version.state_version == U8(1)


def test_the_versions_of_the_apis_are_those_of_the_table() -> None:
    assert [(trait.name, trait.version) for trait in RUNTIME_APIS] == list(API_VERSIONS.items())


def test_metadata_in_each_version() -> None:
    assert ask("Metadata_metadata_versions") == b"\x0c\x0e\0\0\0\x0f\0\0\0\x10\0\0\0"
    assert decode(bytes, ask("Metadata_metadata")) == encode_metadata(14, RUNTIME_APIS)
    for version in (14, 15, 16):
        found = decode(bytes | None, ask("Metadata_metadata_at_version", encode(U32(version), U32)))
        assert found == encode_metadata(version, RUNTIME_APIS)
    assert ask("Metadata_metadata_at_version", encode(U32(13), U32)) == b"\0"


def test_accounts_and_authorities() -> None:
    assert ask("AccountNonceApi_account_nonce", account("Alice")) == b"\1\0\0\0"
    assert ask("AccountNonceApi_account_nonce", account("Bob")) == b"\0\0\0\0"
    keys = [session_keys(name) for name in NAMES[:4]]
    weight = b"\1" + bytes(7)
    assert ask("GrandpaApi_grandpa_authorities") == b"\x10" + b"".join(
        each.grandpa + weight for each in keys
    )
    assert ask("GrandpaApi_current_set_id") == bytes(8)
    assert ask("ParachainHost_validators") == b"\x10" + b"".join(
        each.para_validator for each in keys
    )


def test_babe() -> None:
    assert ask("BabeApi_current_epoch_start") == FIRST_SLOT.to_bytes(8, "little")
    assert ask("BabeApi_configuration").startswith(SLOT_MS.to_bytes(8, "little"))
    this, following = ask("BabeApi_current_epoch"), ask("BabeApi_next_epoch")
    assert this[:8] == bytes(8) and following[:8] == b"\1" + bytes(7)
    assert decode(Slot, this[8:16]) < decode(Slot, following[8:16])


def test_session_keys() -> None:
    made = ask("SessionKeys_generate_session_keys", b"\1" + encode(b"//Seed"))
    grandpa, babe, para = (blake2_256(kind + b"//Seed") for kind in (b"gran", b"babe", b"para"))
    assert made == b"\x81\x01" + grandpa + babe + para
    told = ask("SessionKeys_decode_session_keys", made)
    assert told == b"\1\x0c\x80%bgran\x80%bbabe\x80%bpara" % (grandpa, babe, para)
    assert ask("SessionKeys_decode_session_keys", b"\x7d\x01" + made[2:-1]) == b"\0"
    with pytest.raises(NeedsHost) as refused:
        state_call("SessionKeys_generate_session_keys", b"\0", CHAIN.state)
    assert refused.value.name == "generate_session_keys"


def test_questions_with_arguments() -> None:
    arguments = encode(PARA, ParaId) + bytes((OccupiedCoreAssumption.FREE,))
    code = api.validation_code(CHAIN.state, PARA, OccupiedCoreAssumption.FREE)
    assert code is not None
    assert ask("ParachainHost_validation_code", arguments) == b"\1" + encode(code, bytes)
    session = encode(SessionIndex(U32(0)), SessionIndex)
    info = api.session_info(CHAIN.state, SessionIndex(U32(0)))
    assert decode(SessionInfo | None, ask("ParachainHost_session_info", session)) == info
    assert ask("ParachainHost_session_info", b"\xff" * 4) == b"\0"


def test_disabled_validators_ascend() -> None:
    disabled = CHAIN.runtime.modules.slashing.disabled_item
    store = Overlay(CHAIN.state)
    disabled.put(store, tuple((ValidatorIndex(U32(index)), Perbill(U32(0))) for index in (3, 0, 2)))
    found = state_call("ParachainHost_disabled_validators", b"", store.commit())
    assert found == b"\x0c" + bytes((0, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0))


def test_each_question_about_parachains_can_be_asked() -> None:
    asked = {name for name in vars(ParachainsApi) if not name.startswith("_")}
    assert {name.removeprefix("ParachainHost_") for name in FUNCTIONS} >= asked


# Whatever is asked


def argument(type_: Any) -> st.SearchStrategy[bytes]:
    """Of some type; where an extrinsic is asked for, one that can be read."""
    if type_ == BoundedExtrinsic:
        return st.just(encode(CHAIN.signed("Alice", Claim(PARA)), bytes))
    shape = shape_of(type_)
    return values(shape).map(lambda value: encoded(value, shape))


@pytest.mark.parametrize("name", FUNCTIONS)
@settings(max_examples=10)
@given(data=st.data())
def test_every_argument_has_an_answer(name: str, data: st.DataObject) -> None:
    method = FUNCTIONS[name]
    arguments = b"".join(data.draw(argument(type_)) for _, type_ in method.inputs)
    decode(method.output, ask(name, arguments))
    with pytest.raises(BadApiArguments, match=f"bad arguments of {method.name}"):
        ask(name, arguments + b"\0")
    if arguments:
        with pytest.raises(BadApiArguments):
            ask(name, arguments[:-1])


@pytest.mark.parametrize("name", FUNCTIONS)
@given(arguments=st.binary(max_size=80))
def test_garbage_is_refused_or_answered(name: str, arguments: bytes) -> None:
    try:
        decode(FUNCTIONS[name].output, ask(name, arguments))
    except BadApiArguments as error:
        assert error.name == FUNCTIONS[name].name


@pytest.mark.parametrize("name", ["", "Core", "Core_", "Core_execute_block", "core_version", "_"])
def test_nobody_answers_what_is_not_there(name: str) -> None:
    with pytest.raises(UnknownApiFunction, match=f"Exported method {name} is not found") as refused:
        ask(name)
    assert refused.value.name == name


def test_a_function_without_a_scale_form_is_no_method() -> None:
    def often(_state: State, times: int) -> U32:
        return U32(times)

    with pytest.raises(ScaleTypeError):
        ApiMethod.of("often", often)
