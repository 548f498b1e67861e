"""Whether the fields of a value hold what they declare: scenarios are written by people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from math import isfinite
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

EXPECTED: Mapping[Any, str] = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
}
"""What simple types are called where they are lacking."""


def misfit(value: object) -> tuple[str, str] | None:
    """The first field, of a dataclass or of one within it, whose value is not of its type: its
    name, and what is wrong with it."""
    for name, type_ in types_of(type(value)).items():
        held = getattr(value, name)
        why = _misfit(held, type_)
        if why is not None:
            return name, why
        inner = held if isinstance(held, tuple) else (held,)
        for each in inner:
            found = misfit(each) if is_dataclass(each) else None
            if found is not None:
                return found
    return None


def types_of(cls: type) -> Mapping[str, Any]:
    """The fields of a dataclass with their types."""
    hints = get_type_hints(cls)
    return {field.name: hints[field.name] for field in fields(cls)}


def is_simple(value: object, type_: type) -> bool:
    """Whether the value is a text, a number or a truth value as the type has it; numbers end."""
    if isinstance(value, bool) or type_ is bool:
        return isinstance(value, bool) and type_ is bool
    if type_ is float:
        return isinstance(value, int | float) and isfinite(value)
    return isinstance(value, type_)


def _misfit(value: object, type_: Any) -> str | None:
    origin, args = get_origin(type_), get_args(type_)
    if origin is UnionType:
        whys = [_misfit(value, each) for each in args]
        return None if None in whys else whys[0]
    if origin is tuple or origin is Sequence:
        if not isinstance(value, tuple if origin is tuple else tuple | list):
            return f"a tuple is expected, not {value!r:.60}"
        if origin is tuple and args[-1] is not Ellipsis and len(value) != len(args):
            return f"{len(args)} values are expected, not {len(value)}"
        return next((why for each in value if (why := _misfit(each, args[0]))), None)
    if origin is Mapping:
        if not isinstance(value, Mapping):
            return f"a mapping is expected, not {value!r:.60}"
        return next((why for each in value.values() if (why := _misfit(each, args[1]))), None)
    if type_ in EXPECTED:
        is_right = is_simple(value, type_)
        return None if is_right else f"{EXPECTED[type_]} is expected, not {value!r:.60}"
    if getattr(type_, "_is_protocol", False) or isinstance(value, type_):
        return None
    return f"{type_.__name__} is expected, not {value!r:.60}"
