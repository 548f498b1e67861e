"""Signed extrinsics that chains have published: read as ours, and what they sign verifies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from parahost.primitives.hashing import blake2_256
from parahost.primitives.header import Extrinsic
from parahost.primitives.scale import decode_compact, encode
from parahost.runtime.extrinsic import (
    Envelope,
    ExtrinsicSignature,
    encode_extra,
    open_envelope,
)
from parahost.runtime.signers import AccountAddress, MultiAddress, MultiSignature
from tests.verifying import VERIFIER

PUBLISHED = json.loads(
    (Path(__file__).parent.parent / "vectors" / "signed_extrinsics.json").read_text()
)["extrinsics"]
COMPLETE = [each for each in PUBLISHED if "genesis_hash" in each]
"""Those of which all is known that their signatures cover."""


def opened(vector: Any) -> tuple[Extrinsic, Envelope, ExtrinsicSignature]:
    raw = bytes.fromhex(vector["extrinsic"])
    length, start = decode_compact(raw, 0)
    assert start + length == len(raw)
    envelope = open_envelope(raw[start:])
    assert envelope.signature is not None
    return Extrinsic(raw[start:]), envelope, envelope.signature


def payload(vector: Any, signature: ExtrinsicSignature, call: bytes) -> bytes:
    covered = b"".join(
        (
            call,
            encode_extra(signature.extra),
            bytes.fromhex(vector["extra_behind"]),
            vector["spec_version"].to_bytes(4, "little"),
            vector["transaction_version"].to_bytes(4, "little"),
            bytes.fromhex(vector["genesis_hash"]),
            bytes.fromhex(vector["era_hash"]),
            bytes.fromhex(vector["implicit_behind"]),
        )
    )
    return blake2_256(covered) if len(covered) > 256 else covered


def test_there_are_as_many_as_told() -> None:
    assert (len(PUBLISHED), len(COMPLETE)) == (29, 24)
    schemes = {type(opened(each)[2].signature).__name__ for each in PUBLISHED}
    assert schemes == {"Ed25519Signature", "Sr25519Signature"}


@pytest.mark.parametrize("vector", PUBLISHED, ids=lambda each: each["extrinsic"][72:80])
def test_a_published_envelope_is_read_and_written_the_same(vector: Any) -> None:
    raw, envelope, signature = opened(vector)
    before = b"".join(
        (
            b"\x84",
            encode(AccountAddress(signature.signer), MultiAddress),
            encode(signature.signature, MultiSignature),
            encode_extra(signature.extra),
        )
    )
    assert before + envelope.call_bytes == raw
    assert envelope.length == len(raw)


@pytest.mark.parametrize("vector", COMPLETE, ids=lambda each: each["extrinsic"][72:80])
def test_a_published_signature_verifies_for_what_it_covers_alone(vector: Any) -> None:
    _, envelope, signature = opened(vector)
    behind = bytes.fromhex(vector["extra_behind"])
    assert envelope.call_bytes.startswith(behind)
    call = envelope.call_bytes[len(behind) :]
    message = payload(vector, signature, call)
    assert signature.signature.is_of(signature.signer, message, VERIFIER)
    for other in (payload(vector, signature, call + b"\0"), message[:-1], b""):
        assert not signature.signature.is_of(signature.signer, other, VERIFIER)
