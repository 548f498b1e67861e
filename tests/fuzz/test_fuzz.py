"""A few inputs for every decoder; a million once, by hand."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parahost.primitives.scale import ScaleDecodeError
from tests.fuzz.__main__ import attack, try_once
from tests.fuzz.target import Broken, Refused, Target
from tests.fuzz.targets import targets

all_targets = pytest.mark.parametrize("target", list(targets()), ids=lambda target: target.name)


@all_targets
@given(st.randoms(use_true_random=False))
@settings(max_examples=25, suppress_health_check=list(HealthCheck))
def test_only_expected_errors_come_out(target: Target, random: Random) -> None:
    """hypothesis finds the smallest input that breaks it."""
    try_once(target, target.draw(random))


@all_targets
def test_some_inputs_are_taken(target: Target) -> None:
    """Else the fuzzers would never get behind the first check."""
    taken, _ = attack(target, seed=7, inputs=60)
    assert 0 < taken < 60


def test_what_escapes_is_told_with_its_input() -> None:
    def run(data: bytes) -> None:
        raise Broken

    with pytest.raises(AssertionError, match=r"broken: .* of ab"):
        attack(Target("broken", lambda _: b"\xab", run, (ScaleDecodeError,)), 1, 1)


def test_a_target_that_takes_nothing_is_none() -> None:
    def run(data: bytes) -> None:
        raise Refused

    with pytest.raises(AssertionError, match="of 9 inputs, none is taken"):
        attack(Target("closed", lambda _: b"\xab", run, (Refused,)), 1, 9)
