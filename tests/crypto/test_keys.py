"""Secret URIs, and the signatures of the keys that they name."""

import json
from pathlib import Path
from typing import Any

import pytest
import sr25519 as schnorrkel
from hypothesis import given, settings
from hypothesis import strategies as st

from parahost.crypto import ed25519, sr25519
from parahost.crypto.secret_uri import (
    DEV_PHRASE,
    Junction,
    SecretUriError,
    parse_secret_uri,
    phrase_from_entropy,
    seed_from_phrase,
)

VECTORS = json.loads((Path(__file__).parents[1] / "vectors/secret_uris.json").read_text())
ALICE_SEED = "0xe5be9a5092b81bca64be81d212e7f2f9eba183bb7a90954f7b76361f6edb5c0a"
SOME_KEYS = [sr25519.Keypair.from_uri(uri) for uri in ("//Alice", "//Bob/soft", "/1//2/3")]


@pytest.mark.parametrize(
    ("uri", "public"),
    [
        # The development accounts that every Substrate chain knows.
        (DEV_PHRASE, "46ebddef8cd9bb167dc30878d7113b7e168e6f0646beffd77d69d39bad76b47a"),
        ("//Alice", "d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d"),
        ("//Alice//stash", "be5ddb1579b72e84524fc29e78609e3caf42e85aa118ebfe0b0ad404b5bdd25f"),
        ("//Bob", "8eaf04151687736326c9fea17e25fc5287613693c912909cb226aa4794f26a48"),
        (ALICE_SEED, "d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d"),
        # From sp-core's own tests of soft and numbered junctions.
        ("/Alice", "d6c71059dbbe9ad2b0ed3f289738b800836eb425544ce694825285b958ca755e"),
    ],
)
def test_sr25519_keys_of_substrate(uri: str, public: str) -> None:
    assert sr25519.Keypair.from_uri(uri).public.hex() == public


@pytest.mark.parametrize(
    ("uri", "public"),
    [
        ("//Alice", "88dc3417d5058ec4b4503e0c12ea1a0a89be200fe98922423d4334014fa6b0ee"),
        ("//Bob", "d17c2d7823ebf260fd138f2d7e27d114c0145d968b5ff5006125f2414fadae69"),
    ],
)
def test_ed25519_keys_of_substrate(uri: str, public: str) -> None:
    assert ed25519.Keypair.from_uri(uri).public.hex() == public


@settings(max_examples=25, deadline=None)
@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32), st.booleans())
def test_derivation_is_schnorrkels(seed: bytes, chain_code: bytes, hard: bool) -> None:
    parent = sr25519.Keypair.from_seed(seed)
    public, secret = schnorrkel.pair_from_seed(seed)
    assert parent.public == public
    derive = schnorrkel.hard_derive_keypair if hard else schnorrkel.derive_keypair
    _, expected, _ = derive((chain_code, public, secret), b"")
    junction = Junction(hard, chain_code)
    child = parent.derive(junction)
    assert child.public == expected
    assert sr25519.verify(child.public, b"m", sr25519.sign(child, b"m"))


@pytest.mark.parametrize(
    "uri", ["not a phrase", "0x1234", "0x" + "zz" * 32, "//", "///", " ".join(["abandon"] * 12)]
)
def test_what_means_no_key_is_refused_without_telling_it(uri: str) -> None:
    if uri == "///":  # the development phrase with an empty password
        assert parse_secret_uri(uri) == parse_secret_uri("")
        return
    with pytest.raises(SecretUriError) as refused:
        parse_secret_uri(uri)
    assert len(uri) < 4 or uri not in str(refused.value)


def test_junctions() -> None:
    """Numbers are u64, other names strings; what is longer than 32 bytes is hashed."""
    number, name, long = parse_secret_uri("//42/ab//" + "x" * 40).junctions
    assert (number.hard, name.hard, long.hard) == (True, False, True)
    assert number.chain_code == (42).to_bytes(32, "little")
    assert name.chain_code == b"\x08ab".ljust(32, b"\x00")
    assert len(long.chain_code) == 32
    assert long.chain_code != parse_secret_uri("//" + "x" * 41).junctions[0].chain_code


def test_a_password_makes_another_key() -> None:
    keys = {sr25519.Keypair.from_uri(uri).public for uri in ("//A", "//A///p", "//A///q")}
    assert len(keys) == 3


def test_other_phrases_have_keys_too() -> None:
    """From the vectors of substrate-bip39, whose password is ``Substrate``."""
    phrase = " ".join(["abandon"] * 11 + ["about"])
    seed = parse_secret_uri(f"{phrase}///Substrate").seed
    assert seed.hex() == "44e9d125f037ac1d51f0a7d3649689d422c2af8b1ec8e00d71db4d7bf6d127e3"


@pytest.mark.parametrize("length", [16, 20, 24, 28, 32])
def test_phrases_from_entropy(length: int) -> None:
    phrase = phrase_from_entropy(bytes(range(length)))
    assert len(phrase.split()) == length * 3 // 4
    assert sr25519.Keypair.from_uri(phrase) == sr25519.Keypair.from_uri(f" {phrase}  ")
    with pytest.raises(ValueError):
        phrase_from_entropy(bytes(length + 1))


def test_ed25519_has_no_soft_junctions() -> None:
    with pytest.raises(SecretUriError, match="soft"):
        ed25519.Keypair.from_uri("//Alice/soft")


def test_secrets_do_not_show() -> None:
    for module in (sr25519, ed25519):
        shown = repr(module.Keypair.from_uri("//Alice"))
        assert "secret" not in shown
        assert "scalar" not in shown
        assert "nonce" not in shown


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(SOME_KEYS), st.binary(max_size=500))
def test_sr25519_signatures_are_schnorrkels_and_repeatable(
    keypair: sr25519.Keypair, message: bytes
) -> None:
    signature = sr25519.sign(keypair, message)
    assert schnorrkel.verify(signature, message, keypair.public)
    assert sr25519.sign(keypair, message) == signature
    other = sr25519.sign(keypair, message + b"x")
    assert other[:32] != signature[:32], "two messages with one nonce give the key away"
    assert not sr25519.verify(keypair.public, message + b"x", signature)


@pytest.mark.parametrize("module", [sr25519, ed25519])
@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=40), st.binary(max_size=80), st.integers(0, 511), st.integers(0, 255))
def test_verify_answers_no_to_garbage(
    module: Any, public: bytes, signature: bytes, bit: int, key_bit: int
) -> None:
    assert module.verify(public, b"message", signature) is False
    keypair = module.Keypair.from_uri("//Alice")
    good = module.sign(keypair, b"message")
    assert module.verify(keypair.public, b"message", good) is True
    flipped = (int.from_bytes(good, "little") ^ 1 << bit).to_bytes(64, "little")
    assert module.verify(keypair.public, b"message", flipped) is False
    wrong = (int.from_bytes(keypair.public, "little") ^ 1 << key_bit).to_bytes(32, "little")
    assert module.verify(wrong, b"message", good) is False


@pytest.mark.parametrize("case", VECTORS["uris"], ids=lambda case: case["public_hex"][:8])
def test_secret_uris_mean_the_keys_that_others_read(case: dict[str, str]) -> None:
    scheme = {"ed25519": ed25519, "sr25519": sr25519}[case["scheme"]]
    assert scheme.Keypair.from_uri(case["uri"]).public.hex() == case["public_hex"]


@pytest.mark.parametrize("case", VECTORS["bip39"], ids=lambda case: case["entropy_hex"][:8])
def test_phrases_mean_the_seeds_that_others_read(case: dict[str, str]) -> None:
    """Substrate's seed is the first half of what BIP-39 would give."""
    assert phrase_from_entropy(bytes.fromhex(case["entropy_hex"])) == case["phrase"]
    assert seed_from_phrase(case["phrase"], case["password"]).hex() == case["seed_hex"][:64]
