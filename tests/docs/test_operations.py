"""docs/OPERATIONS.md gives the limits that the program has."""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from parahost.network.limits import NetworkLimits, YamuxLimits
from parahost.primitives.configuration import BOUNDS
from parahost.primitives.validity_configuration import VALIDITY_BOUNDS
from parahost.runtime.validity_parameters import DEFAULT_VALIDITY_CONFIGURATION

PAGE = Path(__file__).parents[2] / "docs/OPERATIONS.md"
ROW = re.compile(r"^\| ([^|]+) \| (-?[\d.]+) ?([\w]*) \| `([\w.]+)` \|$", re.MULTILINE)
UNITS = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "hour": 3600, "hours": 3600}
LIMITS = [
    (name, float(number) * UNITS.get(unit, 1))
    for _, number, unit, name in ROW.findall(PAGE.read_text())
]


def value_of(name: str) -> float:
    """A module's constant; an attribute of one; the default of a dataclass's field. Modules are in
    lower case, and what is in them begins with a capital."""
    module, rest = re.split(r"\.(?=[A-Z])", f"parahost.{name}", maxsplit=1)
    found: Any = import_module(module)
    for part in rest.split("."):
        found = getattr(found, part)
        if isinstance(found, type) and is_dataclass(found):
            found = found()
    return float(found)


@pytest.mark.parametrize(("name", "shown"), LIMITS, ids=[name for name, _ in LIMITS])
def test_a_limit_is_the_programs(name: str, shown: float) -> None:
    assert value_of(name) == shown


def test_every_row_of_the_tables_is_read() -> None:
    limits = PAGE.read_text().partition("## Limits")[2]
    rows = [line for line in limits.splitlines() if line.startswith("| ") and "`" in line]
    assert len(rows) == len(LIMITS) > 80


def test_no_limit_of_the_network_is_missing() -> None:
    shown = {name for name, _ in LIMITS}
    for kind in (NetworkLimits, YamuxLimits):
        names = {f"network.limits.{kind.__name__}.{each.name}" for each in fields(kind)}
        assert names - shown <= {"network.limits.NetworkLimits.yamux"}


def test_the_bounds_of_the_configuration_are_the_programs() -> None:
    row = re.compile(r"^\| (\w+) \| (\d+)[^|]* \| (\d+)[^|]* \|$", re.MULTILINE)
    shown = {name: (int(low), int(high)) for name, low, high in row.findall(PAGE.read_text())}
    assert shown == {name: (b.least, b.greatest) for name, b in BOUNDS.items()}


def test_the_bounds_and_defaults_of_the_validity_configuration_are_the_programs() -> None:
    row = re.compile(r"^\| (\w+)[^|]* \| (\d+) \| (\d+) \| (\d+) \|$", re.MULTILINE)
    rows = row.findall(PAGE.read_text())
    shown = {name: (int(low), int(high), int(default)) for name, low, high, default in rows}
    config = DEFAULT_VALIDITY_CONFIGURATION
    values = {
        each.name: getattr(part, each.name)
        for part in (config, config.approval, config.penalties)
        for each in fields(part)
    }
    assert shown == {
        name: (bounds.least, bounds.greatest, values[name])
        for name, bounds in VALIDITY_BOUNDS.items()
    }
