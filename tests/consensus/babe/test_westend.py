"""The first 128 headers of Westend, judged by our rules."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from parahost.consensus.babe.digests import pre_digest_of
from parahost.consensus.babe.epochs import BabeParameters, EpochView
from parahost.consensus.babe.errors import BadSeal, BadVrf, SlotNotIncreasing
from parahost.consensus.babe.verification import VerifiedHeader, verify_header
from parahost.primitives.basic import H256, U64, BabeId, Slot
from parahost.primitives.consensus import AllowedSlots, BabePreDigest, PrimaryPreDigest
from parahost.primitives.header import BABE_ENGINE, Header, PreRuntime
from parahost.primitives.scale import decode, encode
from tests.verifying import VERIFIER

WESTEND = json.loads(
    (Path(__file__).parents[2] / "vectors" / "westend_babe_headers_1_128.json").read_text()
)
HEADERS = [decode(Header, bytes.fromhex(entry["header_hex"])) for entry in WESTEND["headers"]]


def genesis_view() -> EpochView:
    parameters = BabeParameters(
        slot_duration_ms=U64(6000),
        epoch_length=U64(600),
        c=(U64(WESTEND["c"][0]), U64(WESTEND["c"][1])),
        allowed_slots=AllowedSlots.PRIMARY_AND_SECONDARY_PLAIN,
    )
    authorities = tuple(
        (BabeId(H256(bytes.fromhex(key))), U64(1)) for key in WESTEND["babe_authorities"]
    )
    return EpochView.at_genesis(parameters, authorities, H256(bytes(32)))


def test_every_header_is_accepted_and_its_kind_of_slot_recognised() -> None:
    view, parent_slot, primaries = genesis_view(), None, 0
    for header, entry in zip(HEADERS, WESTEND["headers"], strict=True):
        claim: BabePreDigest = decode(BabePreDigest, header.digest[0].data)
        epoch = view.epoch_at(claim.slot)
        verify_header(header, claim, epoch, VERIFIER, parent_slot=parent_slot)
        assert header.hash().hex() == entry["hash"]
        assert epoch.index == 0
        verified = VerifiedHeader(header, claim, view.after(header, epoch))
        view, parent_slot = verified.epochs, verified.slot
        primaries += verified.primary
    assert 0 < primaries < len(HEADERS)
    assert view.current is not None
    assert view.next.authorities == view.current.authorities


def primary_header() -> tuple[Header, PrimaryPreDigest]:
    for header in HEADERS:
        claim = decode(BabePreDigest, header.digest[0].data)
        if isinstance(claim, PrimaryPreDigest):
            return header, claim
    raise AssertionError("the vectors hold primary slots")


def test_a_changed_header_does_not_bear_its_seal() -> None:
    header, claim = primary_header()
    view = genesis_view()
    genuine = HEADERS[0]
    epoch = view.epoch_at(decode(BabePreDigest, genuine.digest[0].data).slot)
    forged = replace(header, state_root=H256(bytes(32)))
    with pytest.raises(BadSeal):
        verify_header(forged, pre_digest_of(forged), epoch, VERIFIER, parent_slot=None)
    with pytest.raises(SlotNotIncreasing):
        verify_header(header, claim, epoch, VERIFIER, parent_slot=claim.slot)


def test_a_vrf_of_another_epoch_does_not_count() -> None:
    header, claim = primary_header()
    epoch = replace(genesis_view().epoch_at(claim.slot), index=U64(1))
    with pytest.raises(BadVrf):
        verify_header(header, claim, epoch, VERIFIER, parent_slot=None)


def test_a_claim_for_another_slot_breaks_the_seal() -> None:
    header, claim = primary_header()
    epoch = genesis_view().epoch_at(claim.slot)
    moved = encode(replace(claim, slot=Slot(U64(claim.slot + 1))), BabePreDigest)
    forged = replace(header, digest=(PreRuntime(BABE_ENGINE, moved), *header.digest[1:]))
    with pytest.raises(BadSeal):
        verify_header(forged, pre_digest_of(forged), epoch, VERIFIER, parent_slot=None)
