"""A scenario as the Python that makes it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any

import parahost.simulation
from parahost.simulation.faults import Moment
from parahost.simulation.scenario import Scenario

_WIDTH = 100
_INDENT = "    "


def as_python(scenario: Scenario) -> str:
    """A module for ``parahost simulate FILE``; what is as by default is left out."""
    imports: dict[str, dict[str, None]] = {}
    for module, name in _names(scenario):
        imports.setdefault(module, {})[name] = None
    lines = [_import(module, sorted(imports[module])) for module in sorted(imports)]
    return "\n".join((*lines, "", f"SCENARIO = {_expression(scenario, len('SCENARIO = '))}", ""))


def _import(module: str, names: list[str]) -> str:
    line = f"from {module} import {', '.join(names)}"
    if len(line) <= _WIDTH:
        return line
    return f"from {module} import (\n" + "".join(f"{_INDENT}{name},\n" for name in names) + ")"


def _names(value: object) -> Iterator[tuple[str, str]]:
    """What must be imported to write it: modules and names."""
    if isinstance(value, Moment):
        yield parahost.simulation.__name__, "at" if value.block is None else "at_block"
    elif is_dataclass(value):
        name = type(value).__name__
        exported = name in parahost.simulation.__all__
        yield parahost.simulation.__name__ if exported else type(value).__module__, name
        for field in _told(value):
            yield from _names(getattr(value, field.name))
    elif isinstance(value, tuple):
        for item in value:
            yield from _names(item)


def _expression(value: object, column: int = 0, indent: str = "") -> str:
    """On one line if it fits behind ``column`` characters, else an item a line."""
    if isinstance(value, Moment):
        return f"at({value.seconds!r})" if value.block is None else f"at_block({value.block})"
    head, items, tail = _parts(value)
    if items is None:
        return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
    inner = indent + _INDENT
    line = head + ", ".join(name + _expression(item) for name, item in items)
    line += "," * (isinstance(value, tuple) and len(items) == 1) + tail
    if column + len(line) + 1 <= _WIDTH and "\n" not in line:
        return line
    rows = (
        f"{inner}{name}{_expression(item, len(inner) + len(name), inner)},\n"
        for name, item in items
    )
    return f"{head}\n{''.join(rows)}{indent}{tail}"


def _parts(value: object) -> tuple[str, list[tuple[str, Any]] | None, str]:
    """What it begins with, its items with the texts before them, what it ends with; of something
    simple, no items."""
    if is_dataclass(value):
        items = [(f"{field.name}=", getattr(value, field.name)) for field in _told(value)]
        return f"{type(value).__name__}(", items, ")"
    if isinstance(value, tuple):
        return "(", [("", item) for item in value], ")"
    if isinstance(value, Mapping):
        return "{", [(f"{_expression(key)}: ", item) for key, item in value.items()], "}"
    return "", None, ""


def _told(value: Any) -> list[Field[Any]]:
    """The fields that are not as by default."""
    return [field for field in fields(value) if getattr(value, field.name) != _default(field)]


def _default(field: Field[Any]) -> object:
    return field.default_factory() if field.default_factory is not MISSING else field.default
