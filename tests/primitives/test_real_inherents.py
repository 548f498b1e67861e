"""Inherents of Westend (origin: tests/vectors/README.md), whose groups have several sizes and whose
candidates are of several parachains."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from parahost.primitives.hashing import blake2_256
from parahost.primitives.header import Header
from parahost.primitives.inherent import ParachainsInherentData
from parahost.primitives.scale import decode, decode_compact, encode

BLOCKS = json.loads((Path(__file__).parents[1] / "vectors/westend_inherents.json").read_text())[
    "blocks"
]


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
