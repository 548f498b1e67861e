"""Inherents of Westend and of Polkadot (origin: tests/vectors/README.md), whose groups have several
sizes and whose candidates are of several parachains."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from parahost.crypto import sr25519
from parahost.primitives.availability import availability_threshold
from parahost.primitives.hashing import blake2_256
from parahost.primitives.header import Header
from parahost.primitives.inherent import ParachainsInherentData
from parahost.primitives.scale import decode, decode_compact, encode
from parahost.trie import StateVersion, ordered_root

VECTORS = Path(__file__).parents[1] / "vectors"
BLOCKS = json.loads((VECTORS / "westend_inherents.json").read_text())["blocks"]


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: str(block["number"]))
def test_inherents_of_westend(block: dict[str, Any]) -> None:
    header = decode(Header, bytes.fromhex(block["header_hex"]))
    assert "0x" + header.hash().hex() == block["hash"]
    extrinsic = bytes.fromhex(block["extrinsic_hex"])
    assert "0x" + blake2_256(extrinsic).hex() == block["extrinsic_hash"]
    _, start = decode_compact(extrinsic, 0)
    data = extrinsic[start + 3 :]
    inherent: ParachainsInherentData = decode(ParachainsInherentData, data)
    assert encode(inherent) == data
    assert inherent.parent_header.hash() == header.parent_hash
    assert len(inherent.bitfields) == block["n_bitfields"]
    assert {len(signed.bitfield) for signed in inherent.bitfields} == {block["bitfield_bits"]}
    assert [
        {
            "para_id": backed.candidate.descriptor.para_id,
            "candidate_hash": backed.candidate.hash().hex(),
            "commitments_hash": backed.candidate.commitments.hash().hex(),
        }
        for backed in inherent.backed_candidates
    ] == block["candidates"]


def test_a_later_block_of_polkadot() -> None:
    """Its groups have 5 and 6 validators, and one of 297 validators sent no bitfield."""
    block = json.loads((VECTORS / "polkadot_block_21157800.json").read_text())
    header: Header = decode(Header, bytes.fromhex(block["header_hex"]))
    assert header.hash().hex() == block["hash"] and header.number == block["number"]
    extrinsics = [bytes.fromhex(text) for text in block["extrinsics_hex"]]
    assert header.extrinsics_root in {ordered_root(extrinsics, v) for v in StateVersion}
    extrinsic = extrinsics[block["paras_inherent_index"]]
    _, start = decode_compact(extrinsic, 0)
    data = extrinsic[start + 3 :]
    inherent: ParachainsInherentData = decode(ParachainsInherentData, data)
    assert encode(inherent) == data
    assert inherent.parent_header.hash().hex() == block["parent_hash"]

    assert len(inherent.bitfields) == block["n_bitfields"] == block["n_validators"] - 1
    assert {len(signed.bitfield) for signed in inherent.bitfields} == {block["bitfield_bits"]}
    votes = Counter(core for signed in inherent.bitfields for core in signed.bitfield.ones())
    enough = availability_threshold(block["n_validators"])
    assert sorted(c for c, count in votes.items() if count >= enough) == block["available_cores"]

    for backed in inherent.backed_candidates:
        signed = backed.candidate.descriptor
        assert sr25519.verify(signed.collator, signed.signature_payload(), signed.signature)
    assert [
        {
            "para_id": backed.candidate.descriptor.para_id,
            "candidate_hash": backed.candidate.hash().hex(),
            "commitments_hash": backed.candidate.commitments.hash().hex(),
            "upward_messages": len(backed.candidate.commitments.upward_messages),
            "group_bits": len(backed.validator_indices),
            "votes": len(backed.validity_votes),
        }
        for backed in inherent.backed_candidates
    ] == block["candidates"]
