"""Groups: a shuffle that others draw alike, and a partition."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parahost.primitives.basic import H256, U32, BlockNumber, CoreIndex, GroupIndex
from parahost.primitives.runtime_api import GroupRotationInfo
from parahost.runtime.parachains.groups import validator_groups
from parahost.runtime.parachains.shuffle import shuffled

VECTORS = Path(__file__).parents[2] / "vectors" / "shuffles.json"
CASES: list[dict[str, Any]] = json.loads(VECTORS.read_text())["chacha20_rand08"]["cases"]
SEEDS = st.binary(min_size=32, max_size=32)


@pytest.mark.guide("A27")
@pytest.mark.parametrize("case", CASES, ids=[f"{case['n']}" for case in CASES])
def test_the_shuffle_is_that_of_rand(case: dict[str, Any]) -> None:
    assert shuffled(case["n"], H256(bytes.fromhex(case["seed"]))) == case["out"]


@pytest.mark.guide("A27")
@given(st.integers(0, 300), st.integers(0, 40), SEEDS)
def test_groups_partition_the_shuffled_validators(validators: int, count: int, seed: bytes) -> None:
    groups = validator_groups(validators, count, H256(seed))
    if not validators or not count:
        assert groups == ()
        return
    assert [v for group in groups for v in group] == shuffled(validators, H256(seed))
    larger = validators % count
    assert [len(group) for group in groups] == [
        validators // count + (index < larger) for index in range(count)
    ]


def rotation(start: int, frequency: int, now: int) -> GroupRotationInfo:
    return GroupRotationInfo(*(BlockNumber(U32(n)) for n in (start, frequency, now)))


@pytest.mark.guide("A33")
@given(st.integers(0, 99), st.integers(0, 20), st.integers(0, 500), st.integers(1, 12))
def test_group_i_serves_core_i_plus_k(start: int, frequency: int, passed: int, n: int) -> None:
    info = rotation(start, frequency, start + passed)
    k = passed // frequency if frequency else 0
    for i in range(n):
        served = info.core_for_group(GroupIndex(U32(i)), n)
        assert served == (i + k) % n
        assert info.group_for_core(CoreIndex(served), n) == i


@pytest.mark.guide("A33")
def test_a_frequency_of_zero_never_rotates() -> None:
    info = rotation(5, 0, 100_000)
    assert info.rotations == 0
    assert info.blocks_since_rotation == 0
