"""A few inputs for every decoder, each time; a million once, by hand."""

from __future__ import annotations

import pytest

from parahost.primitives.scale import ScaleDecodeError
from tests.fuzz.__main__ import attack
from tests.fuzz.targets import Broken, Target, targets


@pytest.mark.parametrize("target", list(targets()), ids=lambda target: target.name)
def test_only_expected_errors_come_out(target: Target) -> None:
    attack(target, seed=7, inputs=150)


def test_what_escapes_is_told_with_its_input() -> None:
    def run(data: bytes) -> None:
        raise Broken

    target = Target("broken", lambda _: b"\xab", run, (ScaleDecodeError,))
    with pytest.raises(AssertionError, match=r"broken: .* of ab"):
        attack(target, 1, 1)


def test_forms_are_mostly_right() -> None:
    """Else the fuzzers would never get behind the first check."""
    for target in targets():
        if ": " in target.name:  # of a type
            taken, _ = attack(target, seed=3, inputs=200)
            assert taken > 0, target.name
