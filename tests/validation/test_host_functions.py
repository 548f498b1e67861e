"""Host functions as guests call them, against the libraries they stand for."""

import ast
import hashlib
import json
from pathlib import Path
from typing import Any

import coincurve
import pytest
import sr25519
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from parahost.crypto.hashing import blake2_256, keccak_256
from parahost.ports.validation import ExecutionKind, Failed, Returned
from parahost.primitives import scale
from parahost.trie import HashFunction, StateVersion, Trie, ordered_root
from parahost.validation import InProcessHost, host_functions
from parahost.validation.host_functions import HOST_FUNCTIONS
from parahost.validation.metering import MAX_INSTRUCTIONS
from tests.validation.guests import ECHO, IMPORTED_MEMORY, guest, imported, span

MESSAGE = b"what was signed"
HOST = InProcessHost()
VECTORS = json.loads((Path(__file__).parents[1] / "vectors/host_api.json").read_text())
"""Calls of host functions with the results that other hosts gave."""


def import_all() -> str:
    return "".join(
        imported(name, function.parameters, function.results)
        for name, function in HOST_FUNCTIONS.items()
    )


def call(body: str, params: bytes, memory: str = IMPORTED_MEMORY) -> Returned | Failed:
    code = guest(body, before=import_all(), memory=memory)
    outcome = HOST.run(code, params, ExecutionKind.BACKING)
    assert isinstance(outcome, Returned | Failed)
    return outcome


def bytes_of(body: str, params: bytes) -> bytes:
    outcome = call(body, params)
    assert isinstance(outcome, Returned), outcome
    return outcome.result


ARGUMENT = ECHO
"""The parameters, as a span."""


def at(offset: int) -> str:
    return f"(i32.add (local.get $ptr) (i32.const {offset}))"


def span_at(offset: int, length: int) -> str:
    return f"(i64.or (i64.extend_i32_u {at(offset)}) (i64.const {length << 32}))"


def returns_pointer(call_text: str, length: int) -> str:
    return f"(i64.or (i64.extend_i32_u {call_text}) (i64.const {length << 32}))"


def returns_i32(call_text: str) -> str:
    return f"(i32.store (i32.const 0) {call_text}) {span(0, 4)}"


@pytest.mark.guide("A102")
def test_a_blob_that_imports_its_memory_and_all_host_functions_runs() -> None:
    """As Cumulus parachains do: these are the types with which they declare the functions that
    they replace inside themselves, or that only their nodes call."""
    assert len(HOST_FUNCTIONS) >= 35
    unprovided = "".join(
        imported(f"ext_{name}", parameters, results)
        for name, parameters, results in (
            ("crypto_sr25519_generate_version_1", "il", "i"),
            ("default_child_storage_clear_prefix_version_2", "lll", "l"),
            ("default_child_storage_read_version_1", "llli", "l"),
            ("default_child_storage_root_version_2", "li", "l"),
            ("offchain_index_set_version_1", "ll", ""),
            ("storage_append_version_1", "ll", ""),
            ("storage_changes_root_version_1", "l", "l"),
            ("storage_clear_prefix_version_2", "ll", "l"),
            ("storage_commit_transaction_version_1", "", ""),
            ("storage_exists_version_1", "l", "i"),
            ("storage_get_version_1", "l", "l"),
            ("storage_proof_size_storage_proof_size_version_1", "", "l"),
            ("storage_read_version_1", "lli", "l"),
            ("storage_root_version_1", "", "l"),
            ("storage_root_version_2", "i", "l"),
        )
    )
    declared = import_all() + unprovided
    code = guest(ECHO, before=declared, memory='(import "env" "memory" (memory 17))')
    outcome = HOST.run(code, MESSAGE, ExecutionKind.BACKING)
    assert isinstance(outcome, Returned) and outcome.result == MESSAGE
    calls = guest("(call $ext_storage_root_version_1)", before=declared, memory=IMPORTED_MEMORY)
    outcome = HOST.run(calls, MESSAGE, ExecutionKind.BACKING)
    assert isinstance(outcome, Failed)
    assert "ext_storage_root_version_1 is not provided" in outcome.reason


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("blake2_128", hashlib.blake2b(MESSAGE, digest_size=16).hexdigest()),
        ("blake2_256", hashlib.blake2b(MESSAGE, digest_size=32).hexdigest()),
        ("sha2_256", hashlib.sha256(MESSAGE).hexdigest()),
        ("twox_64", "2df3a7a35c8dbe3d"),
        ("twox_128", "2df3a7a35c8dbe3dec29ce4b036f116d"),
        (
            "twox_256",
            "2df3a7a35c8dbe3dec29ce4b036f116dbc5eb596b43db405286ce161735f6ee5",
        ),
        (
            "keccak_256",
            "c2c5820203f981669812bb0d217bc665809c60bfcc447c09ae7e82cae32c8733",
        ),
        (
            "keccak_512",
            "d4ce4e2cdb624f4c55fabc265f3ce6678ef57c5e944155a024444f0f294b5994"
            "bb603c0316e44f1b646aa6299a9f4f9be4f78ece7f5f1667d482c67d34836b12",
        ),
    ],
)
def test_hashing(name: str, expected: str) -> None:
    length = len(expected) // 2
    body = returns_pointer(f"(call $ext_hashing_{name}_version_1 {ARGUMENT})", length)
    assert bytes_of(body, MESSAGE).hex() == expected


def ed25519_case() -> tuple[str, bytes, bytes]:
    key = Ed25519PrivateKey.from_private_bytes(bytes(32))
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return "ed25519", key.sign(MESSAGE), public


def sr25519_case() -> tuple[str, bytes, bytes]:
    pair = sr25519.pair_from_seed(bytes(32))
    return "sr25519", sr25519.sign(pair, MESSAGE), pair[0]


def ecdsa_case() -> tuple[str, bytes, bytes]:
    key = coincurve.PrivateKey(bytes(31) + b"\1")
    digest = hashlib.blake2b(MESSAGE, digest_size=32).digest()
    return "ecdsa", key.sign_recoverable(digest, hasher=None), key.public_key.format()


CASES = [ed25519_case(), sr25519_case(), ecdsa_case()]
VERSIONS = {"ed25519": (1,), "sr25519": (1, 2), "ecdsa": (1, 2)}


@pytest.mark.parametrize(("scheme", "signature", "public"), CASES, ids=[case[0] for case in CASES])
def test_verification(scheme: str, signature: bytes, public: bytes) -> None:
    params = signature + public + MESSAGE
    message = span_at(len(signature) + len(public), len(MESSAGE))
    spoiled = bytes([params[0] ^ 1]) + params[1:]
    for version in VERSIONS[scheme]:
        body = returns_i32(
            f"(call $ext_crypto_{scheme}_verify_version_{version} {at(0)} {message}"
            f" {at(len(signature))})"
        )
        assert bytes_of(body, params) == b"\1\0\0\0"
        assert bytes_of(body, spoiled) == bytes(4)
        assert bytes_of(body, b"\xff" * len(params)) == bytes(4)


@pytest.mark.parametrize(("scheme", "signature", "public"), CASES, ids=[case[0] for case in CASES])
def test_batches_answer_at_their_end(scheme: str, signature: bytes, public: bytes) -> None:
    params = signature + public + MESSAGE
    message = span_at(len(signature) + len(public), len(MESSAGE))
    verify = (
        f"(call $ext_crypto_{scheme}_batch_verify_version_1 {at(0)} {message} {at(len(signature))})"
    )
    body = f"""
    (call $ext_crypto_start_batch_verify_version_1)
    (i32.store8 (i32.const 0) {verify})
    (i32.store8 (i32.const 1) (call $ext_crypto_finish_batch_verify_version_1))
    (i32.store8 (i32.const 2) {verify})
    {span(0, 3)}
    """
    assert bytes_of(body, params) == b"\1\1\1"
    spoiled = bytes([params[0] ^ 1]) + params[1:]
    assert bytes_of(body, spoiled) == bytes(3)


def verdicts(scheme: str, signature: bytes, public: bytes, message: bytes) -> list[bool]:
    """What versions 1 and 2 of a verification say."""
    text = span_at(len(signature) + len(public), len(message))
    return [
        bytes_of(
            returns_i32(
                f"(call $ext_crypto_{scheme}_verify_version_{version} {at(0)} {text}"
                f" {at(len(signature))})"
            ),
            signature + public + message,
        )
        == b"\1\0\0\0"
        for version in (1, 2)
    ]


def test_only_version_1_takes_sr25519_signatures_from_before_the_audit() -> None:
    """The signature is Substrate's: one by an old schnorrkel-js, in the tests of sp-core."""
    public = sr25519.pair_from_seed(bytes(32))[0]
    signature = bytes.fromhex(
        "28a854d54903e056f89581c691c1f7d2ff39f8f896c9e9c22475e60902cc2b35"
        "47199e0e91fa32902028f2ca2355e8cdd16cfe19ba5e8b658c94aa80f3b81a00"
    )
    assert verdicts("sr25519", signature, public, b"SUBSTRATE") == [True, False]
    assert verdicts("sr25519", signature, public, b"SUBSTRATA") == [False, False]
    marked = signature[:63] + bytes([signature[63] | 0x80])
    assert verdicts("sr25519", marked, public, b"SUBSTRATE") == [False, False]
    unreduced = signature[:63] + bytes([signature[63] | 0x10])
    assert verdicts("sr25519", unreduced, public, b"SUBSTRATE") == [False, False]
    no_mark = sr25519.sign(sr25519.pair_from_seed(bytes(32)), b"SUBSTRATE")
    no_mark = no_mark[:63] + bytes([no_mark[63] & 0x7F])
    assert verdicts("sr25519", no_mark, public, b"SUBSTRATE") == [False, False]


ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def small_signature(digest: bytes) -> tuple[bytes, bytes]:
    """A valid signature whose s is 1, so that s plus the group's order still has 32 bytes, and the
    public key that it recovers to."""
    r = coincurve.PrivateKey(bytes(31) + b"\7").public_key.format()[1:]
    signature = r + (1).to_bytes(32, "big") + b"\0"
    public = coincurve.PublicKey.from_signature_and_message(signature, digest, hasher=None)
    return signature, public.format()


def test_only_version_1_takes_ecdsa_signatures_beyond_the_order() -> None:
    digest = hashlib.blake2b(MESSAGE, digest_size=32).digest()
    signature, public = small_signature(digest)
    beyond = signature[:32] + (ORDER + 1).to_bytes(32, "big") + b"\0"
    assert verdicts("ecdsa", signature, public, MESSAGE) == [True, True]
    assert verdicts("ecdsa", beyond, public, MESSAGE) == [True, False]
    assert verdicts("ecdsa", beyond[:64] + b"\4", public, MESSAGE) == [False, False]
    recover = f"(call $ext_crypto_secp256k1_ecdsa_recover_compressed_version_1 {at(0)} {at(65)})"
    assert bytes_of(recover, beyond + digest) == b"\0" + public
    assert bytes_of(recover.replace("version_1", "version_2"), beyond + digest) == b"\1\0"


def test_ecdsa_recovery() -> None:
    key = coincurve.PrivateKey(bytes(31) + b"\7")
    digest = hashlib.sha256(MESSAGE).digest()
    signature = key.sign_recoverable(digest, hasher=None)
    order = ORDER.to_bytes(32, "big")
    for version in (1, 2):
        plain = f"(call $ext_crypto_secp256k1_ecdsa_recover_version_{version} {at(0)} {at(65)})"
        short = plain.replace("recover_", "recover_compressed_")
        assert bytes_of(plain, signature + digest) == b"\0" + key.public_key.format(False)[1:]
        assert bytes_of(short, signature + digest) == b"\0" + key.public_key.format()
        ethereum = signature[:64] + bytes([signature[64] + 27])
        assert bytes_of(short, ethereum + digest) == b"\0" + key.public_key.format()
        assert bytes_of(plain, order + signature[32:] + digest) == (b"\1\2", b"\1\0")[version - 1]
        assert bytes_of(plain, order + signature[32:64] + b"\5" + digest) == b"\1\1"
        assert bytes_of(plain, signature[:64] + b"\5" + digest) == b"\1\1"
        assert bytes_of(plain, bytes(65) + digest) == b"\1\2"
    prehashed = f"(call $ext_crypto_ecdsa_verify_prehashed_version_1 {at(0)} {at(65)} {at(97)})"
    params = signature + digest + key.public_key.format()
    assert bytes_of(returns_i32(prehashed), params) == b"\1\0\0\0"
    assert bytes_of(returns_i32(prehashed), params[:-1] + b"\0") == bytes(4)
    assert bytes_of(returns_i32(prehashed), ethereum + params[65:]) == bytes(4)


HASHERS = [("blake2_256", blake2_256), ("keccak_256", keccak_256)]
PAIRS = tuple[tuple[bytes, bytes], ...]


@pytest.mark.parametrize(("name", "hasher"), HASHERS)
def test_trie_roots(name: str, hasher: HashFunction) -> None:
    entries = {bytes([i]) * (i % 5 + 1): bytes([i]) * i for i in range(60)}
    items = [bytes([i]) * i for i in range(40)]
    encoded, listed = (
        scale.encode(tuple(entries.items()), PAIRS),
        scale.encode(items, tuple[bytes, ...]),
    )
    for version in StateVersion:
        argument = f"{ARGUMENT} (i32.const {version.value})"
        root = returns_pointer(f"(call $ext_trie_{name}_root_version_2 {argument})", 32)
        expected = Trie(version, hasher=hasher).insert_many(dict(entries)).root
        assert bytes_of(root, encoded) == bytes_of(root, encoded + b"behind it") == expected
        ordered = returns_pointer(f"(call $ext_trie_{name}_ordered_root_version_2 {argument})", 32)
        assert bytes_of(ordered, listed) == ordered_root(items, version, hasher)
    first = returns_pointer(f"(call $ext_trie_{name}_root_version_1 {ARGUMENT})", 32)
    assert (
        bytes_of(first, encoded)
        == Trie(StateVersion.V0, hasher=hasher).insert_many(dict(entries)).root
    )
    first = returns_pointer(f"(call $ext_trie_{name}_ordered_root_version_1 {ARGUMENT})", 32)
    assert bytes_of(first, listed) == ordered_root(items, StateVersion.V0, hasher)


def test_trie_roots_of_nonsense_trap() -> None:
    root = returns_pointer(
        f"(call $ext_trie_blake2_256_root_version_2 {ARGUMENT} (i32.const 1))", 32
    )
    for params in (b"", b"\x02", b"\x04\xff", b"\xff" * 5):
        outcome = call(root, params)
        assert isinstance(outcome, Failed) and "malformed list" in outcome.reason
    version = root.replace("(i32.const 1)", "(i32.const 2)")
    outcome = call(version, b"\0")
    assert isinstance(outcome, Failed) and "no state version 2" in outcome.reason


def test_keys_of_a_trie_may_be_long_and_nest_deeply() -> None:
    keys = [b"\xff" * length for length in range(1200)]
    encoded = scale.encode([(key, b"v") for key in keys], PAIRS)
    root = returns_pointer(
        f"(call $ext_trie_blake2_256_root_version_2 {ARGUMENT} (i32.const 1))", 32
    )
    assert bytes_of(root, encoded) == Trie().insert_many(dict.fromkeys(keys, b"v")).root


@pytest.mark.parametrize(
    ("function", "params"),
    [
        ("root_version_1", scale.encode([(bytes(40_000), b"")] * 200, PAIRS)),
        ("ordered_root_version_1", scale.encode([b""] * 80_001, tuple[bytes, ...])),
    ],
)
def test_a_tries_entries_are_counted_before_it_is_made(function: str, params: bytes) -> None:
    body = returns_pointer(f"(call $ext_trie_keccak_256_{function} {ARGUMENT})", 32)
    outcome = call(body, params)
    assert (
        isinstance(outcome, Failed) and f"{MAX_INSTRUCTIONS:,} instructions was" in outcome.reason
    )


@pytest.mark.parametrize(("name", "hasher"), HASHERS)
def test_proofs_of_a_tries_entries(name: str, hasher: HashFunction) -> None:
    """A trie of two entries; the leaf of "b" is hashed into its parent, and so left out there."""
    value = bytes(range(60))

    def top(*children: bytes) -> bytes:
        return bytes.fromhex("81060600") + b"".join(scale.encode(c, bytes) for c in children)

    short = bytes.fromhex("40") + scale.encode(b"va", bytes)
    long = {
        StateVersion.V0: bytes.fromhex("40") + scale.encode(value, bytes),
        StateVersion.V1: bytes.fromhex("20") + hasher(value),
    }
    for version in StateVersion:
        root = hasher(top(short, hasher(long[version])))
        assert root == Trie(version, hasher=hasher).insert_many({b"a": b"va", b"b": value}).root
        proof = scale.encode([top(short, b""), b"\x40\0"], tuple[bytes, ...])
        params = root + b"b" + value + proof
        arguments = f"{at(0)} {span_at(33 + 60, len(proof))} {span_at(32, 1)} {span_at(33, 60)}"
        told = f"{arguments} (i32.const {version.value})"
        second = f"(call $ext_trie_{name}_verify_proof_version_2 {told})"
        first = f"(call $ext_trie_{name}_verify_proof_version_1 {arguments})"
        assert bytes_of(returns_i32(second), params) == b"\1\0\0\0"
        assert bytes_of(returns_i32(second), params + b"behind it") == b"\1\0\0\0"
        by_first = bytes_of(returns_i32(first), params)
        assert by_first == (b"\1\0\0\0" if version is StateVersion.V0 else bytes(4))
        for spoilt in range(len(params) - len(proof)):
            if spoilt % 7 == 0:
                wrong = params[:spoilt] + bytes([params[spoilt] ^ 1]) + params[spoilt + 1 :]
                assert bytes_of(returns_i32(second), wrong) == bytes(4)
    outcome = call(returns_i32(first), params[: 33 + 60] + b"\xfc" * len(proof))
    assert isinstance(outcome, Failed) and "malformed list" in outcome.reason
    outcome = call(returns_i32(second.replace("const 1", "const 2")), params)
    assert isinstance(outcome, Failed) and "no state version 2" in outcome.reason


def test_the_guests_last_words_explain_a_trap() -> None:
    log = f"(call $ext_logging_log_version_1 (i32.const 0) (i64.const 0) {ARGUMENT}) unreachable"
    outcome = call(log, b"out of\ncheese")
    assert isinstance(outcome, Failed)
    assert outcome.reason.endswith("(the function logged: error : out of cheese)")
    panic = f"(call $ext_panic_handler_abort_on_panic_version_1 {ARGUMENT}) (i64.const 0)"
    outcome = call(panic, b"no cheese")
    assert isinstance(outcome, Failed)
    assert outcome.reason == "the function panicked (the function logged: no cheese)"


@pytest.mark.parametrize("name", ["print_utf8", "print_hex"])
def test_printing_goes_nowhere_but_checks_bounds(name: str) -> None:
    good = f"(call $ext_misc_{name}_version_1 {ARGUMENT}) {ARGUMENT}"
    assert bytes_of(good, b"x") == b"x"
    bad = f"(call $ext_misc_{name}_version_1 {span(2**31, 2**30)}) {ARGUMENT}"
    outcome = call(bad, b"x")
    assert isinstance(outcome, Failed) and "outside the memory" in outcome.reason


def test_malloc_and_free_serve_the_guest() -> None:
    body = """
    (local $first i32)
    (local.set $first (call $ext_allocator_malloc_version_1 (i32.const 5)))
    (call $ext_allocator_free_version_1 (local.get $first))
    (i32.store8 (i32.const 0)
      (i32.eq (local.get $first) (call $ext_allocator_malloc_version_1 (i32.const 8))))
    """
    assert bytes_of(body + span(0, 1), b"x" * 100) == b"\1"
    twice = body + "(call $ext_allocator_free_version_1 (i32.const 8)) (i64.const 0)"
    outcome = call(twice, b"")
    assert isinstance(outcome, Failed) and "not an allocation's" in outcome.reason


@pytest.mark.parametrize("case", VECTORS["hashing"], ids=lambda case: case["function"])
def test_hashing_answers_as_other_hosts(case: dict[str, str]) -> None:
    length = len(case["output"]) // 2
    body = returns_pointer(f"(call $ext_hashing_{case['function']}_version_1 {ARGUMENT})", length)
    assert bytes_of(body, case["input"].encode()).hex() == case["output"]


def roots_by_both_versions(function: str, params: bytes) -> set[str]:
    """The root under state version 0, by the function's versions 1 and 2."""
    arguments = (ARGUMENT, f"{ARGUMENT} (i32.const 0)")
    return {
        bytes_of(
            returns_pointer(f"(call $ext_trie_{function}_version_{version} {argument})", 32), params
        ).hex()
        for version, argument in enumerate(arguments, 1)
    }


@pytest.mark.parametrize("case", VECTORS["trie_root_v0"], ids=lambda case: case["root"][:8])
def test_trie_roots_answer_as_other_hosts(case: dict[str, Any]) -> None:
    entries = [(key.encode(), value.encode()) for key, value in case["entries"]]
    params = scale.encode(entries, tuple[tuple[bytes, bytes], ...])
    assert roots_by_both_versions("blake2_256_root", params) == {case["root"]}


@pytest.mark.parametrize("case", VECTORS["ordered_root_v0"], ids=lambda case: case["root"][:8])
def test_ordered_roots_answer_as_other_hosts(case: dict[str, Any]) -> None:
    params = scale.encode([value.encode() for value in case["values"]], tuple[bytes, ...])
    assert roots_by_both_versions("blake2_256_ordered_root", params) == {case["root"]}


def test_what_is_imported_when_called_is_known() -> None:
    """A confined worker can open no file: it must have imported it before."""
    known = set(host_functions._IMPORTED_WHEN_CALLED)
    room = Path(host_functions.__file__).parent
    for file in room.glob("*.py"):
        tree = ast.parse(file.read_text())
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
        for node in (inner for function in functions for inner in ast.walk(function)):
            if isinstance(node, ast.Import):
                found = {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                module = str(node.module)
                named = {f"{module}.{alias.name}" for alias in node.names}
                found = named if named & known else {module}
            else:
                continue
            assert found <= known, f"{file.name}:{node.lineno}"
