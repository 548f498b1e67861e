"""Recent finalised headers of Polkadot, Kusama, Westend, Rococo and Paseo, judged by our rules."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from parahost.consensus.babe.digests import pre_digest_of
from parahost.consensus.babe.epochs import BabeParameters, Epoch
from parahost.consensus.babe.errors import BadSeal, InvalidHeader
from parahost.consensus.babe.verification import verify_header
from parahost.primitives.basic import H256, U64, BabeId, Slot
from parahost.primitives.consensus import AllowedSlots
from parahost.primitives.header import Header
from parahost.primitives.scale import decode
from tests.verifying import VERIFIER

CASES = json.loads((Path(__file__).parents[2] / "vectors/live_babe_headers.json").read_text())[
    "headers"
]


def epoch_of(case: dict[str, Any]) -> Epoch:
    """The epoch, of whose authorities only the author is the real one: the rules look at no other,
    but at how many there are."""
    authorities = [(BabeId(H256(bytes(32))), U64(1))] * case["n_authorities"]
    authorities[case["authority_index"]] = (BabeId(H256(bytes.fromhex(case["author"]))), U64(1))
    parameters = BabeParameters(
        slot_duration_ms=U64(6000),
        epoch_length=U64(case["epoch_length"]),
        c=(U64(case["c"][0]), U64(case["c"][1])),
        allowed_slots=AllowedSlots[case["allowed_slots"]],
    )
    return Epoch(
        index=U64(case["epoch_index"]),
        start=Slot(U64(case["epoch_start"])),
        authorities=tuple(authorities),
        randomness=H256(bytes.fromhex(case["randomness"])),
        parameters=parameters,
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["hash"][:8])
def test_a_header_of_a_live_chain_is_accepted_in_its_epoch_alone(case: dict[str, Any]) -> None:
    header = decode(Header, bytes.fromhex(case["header_hex"]))
    epoch = epoch_of(case)
    assert header.hash().hex() == case["hash"]
    claim = pre_digest_of(header)
    author = verify_header(header, claim, epoch, VERIFIER, parent_slot=None)
    assert author.hex() == case["author"]
    another = replace(epoch, index=U64(epoch.index + 1))
    with pytest.raises(InvalidHeader):
        verify_header(header, claim, another, VERIFIER, parent_slot=None)
    changed = replace(header, state_root=H256(bytes(32)))
    with pytest.raises(BadSeal):
        verify_header(changed, claim, epoch, VERIFIER, parent_slot=None)
