"""Types against a block of the Polkadot network (origin: tests/vectors/README.md)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from parahost.crypto import sr25519
from parahost.primitives.availability import availability_threshold
from parahost.primitives.header import Header
from parahost.primitives.inherent import ParachainsInherentData
from parahost.primitives.scale import decode, decode_compact, encode

VECTOR = json.loads(
    (Path(__file__).parent.parent / "vectors" / "polkadot_block_19772575.json").read_text()
)


@pytest.fixture(scope="module")
def inherent_bytes() -> bytes:
    extrinsic = bytes.fromhex(VECTOR["extrinsics_hex"][VECTOR["paras_inherent_extrinsic_index"]])
    length, start = decode_compact(extrinsic, 0)
    assert length == len(extrinsic) - start
    assert extrinsic[start : start + 3].hex() == "04" + VECTOR["call_index"]
    return extrinsic[start + 3 :]


@pytest.fixture(scope="module")
def inherent(inherent_bytes: bytes) -> ParachainsInherentData:
    found: ParachainsInherentData = decode(ParachainsInherentData, inherent_bytes)
    return found


@pytest.mark.guide("A110")
def test_the_header_has_its_published_hash() -> None:
    header = decode(Header, bytes.fromhex(VECTOR["header_hex"]))
    assert header.hash().hex() == VECTOR["header_hash"]
    assert header.number == VECTOR["number"]
    assert header.parent_hash.hex() == VECTOR["parent_hash"]


@pytest.mark.guide("A112", "A113", "A114")
def test_the_paras_inherent_decodes_to_its_last_byte(
    inherent: ParachainsInherentData, inherent_bytes: bytes
) -> None:
    assert encode(inherent) == inherent_bytes
    assert len(inherent.bitfields) == VECTOR["n_bitfields"]
    assert inherent.parent_header.hash().hex() == VECTOR["parent_hash"]


@pytest.mark.guide("A114", "A116")
def test_candidate_and_commitments_hashes_are_those_of_the_network(
    inherent: ParachainsInherentData,
) -> None:
    ours = {
        backed.candidate.descriptor.para_id: backed.candidate
        for backed in inherent.backed_candidates
    }
    assert len(ours) == len(VECTOR["candidates_backed"])
    for published in VECTOR["candidates_backed"]:
        candidate = ours[published["para_id"]]
        assert candidate.hash().hex() == published["candidate_hash"]
        assert candidate.commitments.hash().hex() == published["commitments_hash_onchain"]
        assert candidate.to_plain().hash() == candidate.hash()
        descriptor = candidate.descriptor
        assert descriptor.signature_payload().hex() == published["collator_signature_payload_hex"]
        assert sr25519.verify(
            descriptor.collator, descriptor.signature_payload(), descriptor.signature
        )


@pytest.mark.guide("A43", "A116")
def test_the_availability_rule_gives_what_that_block_included(
    inherent: ParachainsInherentData,
) -> None:
    cores = VECTOR["bitfield_bits"]
    tally = [0] * cores
    for signed in inherent.bitfields:
        for core in signed.bitfield.ones():
            tally[core] += 1
    enough = availability_threshold(VECTOR["n_bitfields"])
    available = {core for core in range(cores) if tally[core] >= enough}
    assert available == {included["core_index"] for included in VECTOR["candidates_included"]}
