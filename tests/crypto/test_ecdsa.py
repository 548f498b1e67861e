"""ECDSA as Substrate has it: keys that subkey knows, signatures that name their key, garbage."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parahost.crypto import ecdsa
from parahost.crypto.hashing import blake2_256
from parahost.crypto.secret_uri import SecretUriError
from parahost.primitives.ss58 import ss58_encode

ALICE = ecdsa.Keypair.from_uri("//Alice")


@pytest.mark.parametrize(
    ("uri", "public", "address"),
    [
        (
            "//Alice",
            "020a1091341fe5664bfa1782d5e04779689068c916b04cb365ec3153755684d9a1",
            "5C7C2Z5sWbytvHpuLTvzKunnnRwQxft1jiqrLD5rhucQ5S9X",
        ),
        (
            "//Bob",
            "0390084fdbf27d2b79d26a4f13f0ccd982cb755a661969143c37cbc49ef5b91f27",
            "5DVskgSC9ncWQpxFMeUn45NU43RUq93ByEge6ApbnLk6BR9N",
        ),
    ],
)
def test_known_keys(uri: str, public: str, address: str) -> None:
    key = ecdsa.Keypair.from_uri(uri)
    assert key.public.hex() == public
    assert ss58_encode(ecdsa.account_of(key.public)) == address


@given(st.binary(max_size=300))
def test_a_signature_is_its_keys_and_no_others(message: bytes) -> None:
    signature = ecdsa.sign(ALICE, message)
    assert len(signature) == 65
    assert signature == ecdsa.sign(ALICE, message)
    account = ecdsa.account_of(ALICE.public)
    assert ecdsa.verify(account, message, signature)
    assert not ecdsa.verify(account, message + b"\0", signature)
    assert not ecdsa.verify(bytes(32), message, signature)
    assert not ecdsa.verify(ALICE.public, message, signature), "the account is the key's hash"


def test_recovery_ids_of_ethereum_are_taken() -> None:
    signature = ecdsa.sign(ALICE, b"message")
    account = ecdsa.account_of(ALICE.public)
    assert ecdsa.verify(account, b"message", signature[:64] + bytes((signature[64] + 27,)))
    for recovery_id in (4, 26, 31, 255):
        assert not ecdsa.verify(account, b"message", signature[:64] + bytes((recovery_id,)))


@given(st.binary(min_size=60, max_size=70))
def test_garbage_is_no_signature(signature: bytes) -> None:
    assert not ecdsa.verify(ecdsa.account_of(ALICE.public), b"message", signature)


def test_why_no_key_is_recovered() -> None:
    digest = blake2_256(b"message")
    signature = ecdsa.sign(ALICE, b"message")
    with pytest.raises(ecdsa.BadRecoveryId):
        ecdsa.recover(digest, signature[:64] + b"\4")
    with pytest.raises(ecdsa.BadScalars):
        ecdsa.recover(digest, ecdsa.GROUP_ORDER.to_bytes(32, "big") + signature[32:])
    with pytest.raises(ecdsa.Unrecoverable):
        ecdsa.recover(digest, bytes(65))


def test_there_are_no_soft_junctions() -> None:
    with pytest.raises(SecretUriError):
        ecdsa.Keypair.from_uri("//Alice/soft")
