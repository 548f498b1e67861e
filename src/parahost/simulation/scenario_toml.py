"""Scenarios as TOML, for the simple cases.

::

    about = "a third is cut off, and somebody crashes"
    validators = 7          # the network's shape: all fields of `Shape`
    parachains = 2
    blocks = 40
    geography = ["europe", "asia"]      # optional; then `links` has no latency
    without = ["heads_move"]            # checkers that need not hold

    [configuration]                     # fields of the chain's host configuration
    chain_availability_period = 6

    [links]                             # all ways between nodes
    loss = 0.01                         # without geography: latency = [0.02, 0.08], evenly
                                        # between; or median_latency = 0.05, with a long tail

    [[fault]]                           # all fields of the fault's class
    kind = "partition"
    who = ["validator-1", "validator-2"]
    at = 30.0                           # seconds; or at_block = 5
    lasts_s = 60

    [[adversary]]
    kind = "censoring_author"
    who = ["validator-4"]

    [[expect]]
    kind = "included"
    at_least = 10

A key that is not known, a value of the wrong type, a node that does not exist: each is refused with
its line.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin

from parahost.simulation import adversaries, expectations, faults
from parahost.simulation.faults import Moment
from parahost.simulation.field_types import EXPECTED, is_simple, types_of
from parahost.simulation.network import Geography, LinkQuality, LongTail, Uniform
from parahost.simulation.plan import BadSimulation, Shape
from parahost.simulation.scenario import BadScenario, Scenario

T = TypeVar("T")

Key = str | int
"""A table's key, or the place in an array of tables."""


def parse_scenario(text: str, source: str) -> Scenario:
    """The scenario that the text describes.

    :param source: what to call the text in errors: its file.
    :raises BadScenario: with the line.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        reason, _, place = str(error).partition(" (at ")
        found = re.match(r"line (\d+)", place)
        line = int(found[1]) if found else max(len(text.splitlines()), 1)
        raise BadScenario(f"{source}:{line}", f"not TOML: {reason}") from error
    return _Reader(source, _lines(text)).scenario(table)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Takes typed values out of tables, or says which line is wrong."""

    source: str
    lines: Mapping[tuple[Key, ...], int]

    def scenario(self, table: dict[str, Any]) -> Scenario:
        shape_fields = {field.name for field in fields(Shape)}
        own = {"about", "blocks", "geography", "without", "links", "fault", "adversary", "expect"}
        for key in table:
            if key not in own | shape_fields:
                raise self.wrong((key,), f"unknown; known are {_listed(own | shape_fields)}")
        shape = self.made(Shape, {key: table[key] for key in table if key in shape_fields}, ())
        self.guarded((), shape.check)
        parts: dict[str, Any] = {"shape": shape}
        for key, type_ in (("about", str), ("blocks", int), ("without", tuple[str, ...])):
            if key in table:
                parts[key] = self.value(table[key], type_, (key,))
        if "links" in table:
            parts["links"] = self.links(table["links"])
            if "geography" in table:
                for name in table["links"].keys() & {"latency", "median_latency"}:
                    raise self.wrong(("links", name), "`geography` gives it too; remove one")
        if "geography" in table:
            regions = self.value(table["geography"], tuple[str, ...], ("geography",))
            parts["geography"] = Geography(regions)
        parts["faults"] = self.listed(table, "fault", faults.KINDS)
        parts["adversaries"] = self.listed(table, "adversary", adversaries.KINDS)
        parts["expects"] = self.listed(table, "expect", expectations.KINDS)
        return self.guarded((), lambda: Scenario(**parts))

    def listed(
        self, table: dict[str, Any], key: str, kinds: Mapping[str, type[T]]
    ) -> tuple[T, ...]:
        """The values of an array of tables, each of the class that its ``kind`` names."""
        entries = table.get(key, [])
        if not isinstance(entries, list) or not all(isinstance(each, dict) for each in entries):
            raise self.wrong((key,), f"write [[{key}]] above each")
        made = []
        for place, entry in enumerate(entries):
            at = (key, place)
            kind = entry.get("kind")
            if not isinstance(kind, str) or kind not in kinds:
                raise self.wrong((*at, "kind"), f"kind {kind!r} is none of {_listed(kinds)}")
            rest = {name: value for name, value in entry.items() if name != "kind"}
            made.append(self.made(kinds[kind], rest, at))
        return tuple(made)

    def made(self, cls: type[T], table: dict[str, Any], at: tuple[Key, ...]) -> T:
        """An instance of a dataclass from a table with its fields."""
        types = types_of(cls)
        table = dict(table)
        found: dict[str, Any] = {}
        if types.get("at") is Moment:
            found.update(self.moment(table, at))
        for name, value in table.items():
            if name not in types:
                raise self.wrong((*at, name), f"unknown; known are {_listed(types)}")
            found[name] = self.value(value, types[name], (*at, name))
        for field in fields(cls):  # type: ignore[arg-type]
            needed = field.default is MISSING and field.default_factory is MISSING
            if needed and field.name not in found:
                raise self.wrong(at, f"`{field.name}` is lacking")
        return self.guarded(at, lambda: cls(**found))

    def moment(self, table: dict[str, Any], at: tuple[Key, ...]) -> dict[str, Moment]:
        """``at`` or ``at_block``, taken out of the table."""
        found: dict[str, Moment] = {}
        if "at" in table:
            seconds = self.value(table.pop("at"), float, (*at, "at"))
            found["at"] = self.guarded((*at, "at"), lambda: Moment(seconds=seconds))
        if "at_block" in table:
            block = self.value(table.pop("at_block"), int, (*at, "at_block"))
            if found:
                raise self.wrong((*at, "at_block"), "`at` is given too; remove one")
            found["at"] = self.guarded((*at, "at_block"), lambda: Moment(block=block))
        return found

    def links(self, value: Any) -> LinkQuality:
        at: tuple[Key, ...] = ("links",)
        if not isinstance(value, dict):
            raise self.wrong(at, "a table is expected")
        table = dict(value)
        found: dict[str, Any] = {}
        if "latency" in table:
            low, high = self.value(table.pop("latency"), tuple[float, float], (*at, "latency"))
            found["latency"] = self.guarded((*at, "latency"), lambda: Uniform(low, high))
        if "median_latency" in table:
            at_median = (*at, "median_latency")
            median = self.value(table.pop("median_latency"), float, at_median)
            if found:
                raise self.wrong(at_median, "`latency` is given too; remove one")
            found["latency"] = self.guarded(at_median, lambda: LongTail(median))
        types = {name: type_ for name, type_ in types_of(LinkQuality).items() if type_ is float}
        for name, figure in table.items():
            if name not in types:
                known = _listed({"latency", "median_latency", *types})
                raise self.wrong((*at, name), f"unknown; known are {known}")
            found[name] = self.value(figure, float, (*at, name))
        return self.guarded(at, lambda: LinkQuality(**found))

    def value(self, value: Any, type_: Any, at: tuple[Key, ...]) -> Any:
        """The value as that type: a number, a text, a truth value, a list or a table of such."""
        origin, args = get_origin(type_), get_args(type_)
        if origin is UnionType:
            return self.value(value, next(each for each in args if each is not type(None)), at)
        if origin is tuple:
            if not isinstance(value, list):
                raise self.wrong(at, "a list is expected")
            inner = [args[0]] * len(value) if args[-1] is Ellipsis else list(args)
            if len(inner) != len(value):
                raise self.wrong(at, f"{len(inner)} values are expected")
            return tuple(self.value(each, of, at) for each, of in zip(value, inner, strict=True))
        if origin is Mapping:
            if not isinstance(value, dict):
                raise self.wrong(at, "a table is expected")
            return {key: self.value(each, args[1], (*at, key)) for key, each in value.items()}
        if not is_simple(value, type_):
            raise self.wrong(at, f"{EXPECTED[type_]} is expected, not {value!r:.60}")
        return type_(value)

    def guarded(self, at: tuple[Key, ...], action: Callable[[], T]) -> T:
        """Do something; what it finds wrong is wrong at that place, or where it says itself."""
        try:
            return action()
        except BadScenario:
            raise
        except BadSimulation as why:
            parts = [(part,) if isinstance(part, str) else part for part in why.parts]
            blamed = next((part for part in parts if part in self.lines), at)
            raise self.wrong(blamed, str(why), named=True) from why
        except ValueError as why:
            raise self.wrong(at, str(why), named=True) from why

    def wrong(self, at: tuple[Key, ...], reason: str, *, named: bool = False) -> BadScenario:
        """``named``: the reason says already what it is about."""
        line = next(
            (self.lines[at[:end]] for end in range(len(at), 0, -1) if at[:end] in self.lines), None
        )
        where = self.source if line is None else f"{self.source}:{line}"
        name = next((key for key in reversed(at) if isinstance(key, str)), None)
        return BadScenario(where, reason if named or name is None else f"{name}: {reason}")


_HEADER = re.compile(r"\s*(\[\[?)\s*([\w.\-]+)\s*\]")
_KEY = re.compile(r"\s*([\w\-]+)\s*=")


def _lines(text: str) -> dict[tuple[Key, ...], int]:
    """Where each table and key is, counted from 1."""
    found: dict[tuple[Key, ...], int] = {}
    counts: dict[str, int] = {}
    table: tuple[Key, ...] = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            name = header[2]
            table = (name,)
            if header[1] == "[[":
                counts[name] = counts.get(name, -1) + 1
                table = (name, counts[name])
            found.setdefault(table, number)
            found.setdefault((name,), number)
        elif key := _KEY.match(line):
            found.setdefault((*table, key[1]), number)
    return found


def _listed(names: Sequence[str] | set[str] | Mapping[str, Any]) -> str:
    return ", ".join(sorted(names))
