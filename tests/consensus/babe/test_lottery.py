"""Thresholds against Substrate's own numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from parahost.consensus.babe.lottery import secondary_author
from parahost.primitives.basic import U64, Slot
from parahost.runtime.slot_lottery import threshold
from tests.consensus.babe.world import AUTHORITIES, genesis_view

CASES = json.loads((Path(__file__).parents[2] / "vectors" / "vrf_and_merlin.json").read_text())[
    "babe_primary_threshold"
]["cases"]


def doubling(count: int) -> list[int]:
    weights = [2]
    while len(weights) < count:
        weights.append(2 * weights[-1] - 1)
    return weights


WEIGHTS = ([1] * 8, list(range(2, 902)), doubling(50))


@pytest.mark.parametrize(("case", "weights"), list(zip(CASES, WEIGHTS, strict=True)))
def test_thresholds_are_substrates(case: dict[str, Any], weights: list[int]) -> None:
    numerator, denominator = case["c"]
    ours = threshold((numerator, denominator), case["author_weight"], sum(weights))
    assert ours == int(case["threshold"])


def test_slots_fall_to_every_authority_in_turn() -> None:
    epoch = genesis_view().epoch_at(Slot(U64(7)))
    authors = [secondary_author(Slot(U64(slot)), epoch) for slot in range(200)]
    assert set(authors) == set(range(len(AUTHORITIES)))
