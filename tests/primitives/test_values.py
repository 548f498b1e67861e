"""Values are what frozen dataclasses are, but for what happens when code breaks its promise."""

from __future__ import annotations

import dataclasses
import pickle
import runpy
from typing import TYPE_CHECKING, Any

import pytest

from parahost.ports.network import PeerDisconnected
from parahost.primitives import values
from parahost.primitives.basic import PeerId


def cheap_dataclass() -> Any:
    """The module's own, which the tests' set-up has replaced for everybody else."""
    return runpy.run_path(str(values.__file__))["dataclass"]


if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    dataclass = cheap_dataclass()


@dataclasses.dataclass(frozen=True, slots=True)
class Plain:
    number: int
    text: str = "none"


@dataclass(frozen=True, slots=True)
class Value:
    number: int
    text: str = "none"


@dataclass(frozen=True, slots=True, eq=False)
class Single:
    number: int


def test_a_value_is_made_compared_and_hashed_as_a_frozen_dataclass() -> None:
    for number, text in ((1, "none"), (1, "one"), (-1, "")):
        plain, value = Plain(number, text), Value(number, text)
        assert dataclasses.astuple(value) == dataclasses.astuple(plain)
        assert hash(value) == hash(plain)
        assert value == Value(number, text)
        assert value != Value(2)
        assert repr(value) == repr(plain).replace("Plain", "Value")
        assert dataclasses.replace(value, number=7) == Value(7, text)
        assert pickle.loads(pickle.dumps(value)) == value
    assert Value(1) == Value(1, "none")
    assert Value.__match_args__ == Plain.__match_args__
    assert not hasattr(Value(1), "__dict__")


def test_without_eq_each_is_its_own() -> None:
    one = Single(1)
    assert one != Single(1)
    assert len({one, Single(1), one}) == 2


def test_under_test_values_are_frozen() -> None:
    event = PeerDisconnected(PeerId("peer"))
    with pytest.raises(dataclasses.FrozenInstanceError):
        event.peer = PeerId("other")  # type: ignore[misc]
