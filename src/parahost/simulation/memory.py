"""What a node holds in memory, counted: entries of its containers, bytes of its strings.

Not what the interpreter needs for it, which differs from one machine to the next. The count is the
same wherever the run is the same. An object counts once; a string as often as it is referred to.
Nodes that do not share results have more objects for the same values, and count somewhat more.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from functools import cache
from typing import Any

from parahost.node.node import Node
from parahost.node.utility.runtime_api import RuntimeApi

_WORLD = (
    "parahost.chain.chain.",
    "parahost.crypto.",
    "parahost.node.overseer.",
    "parahost.parachains.",
    "parahost.ports.",
    "parahost.runtime.",
    "parahost.simulation.",
    "parahost.storage.",
    "parahost.trie.",
    "parahost.validation.",
)
"""Whose objects are a node's world, or are shared between nodes: ports, the chain, states, code."""


@dataclass(frozen=True, slots=True)
class Held:
    """How much there is: ``entries`` in containers, ``size`` of all strings in bytes."""

    entries: int = 0
    size: int = 0

    def __add__(self, other: Held) -> Held:
        return Held(self.entries + other.entries, self.size + other.size)

    def __str__(self) -> str:
        return f"{self.entries} entries and {self.size} bytes"


def held_by(node: Node) -> dict[str, Held]:
    """What a node holds, by part and attribute (``sync._peers``). A subsystem also has a ``queue``
    and ``jobs``; what is on the stacks of its jobs is not seen."""
    roots: dict[str, object] = {}
    for subsystem, waiting, jobs in node.overseer.contents():
        roots[f"{subsystem.name}.queue"] = waiting
        roots[f"{subsystem.name}.jobs"] = {leaf: (None,) * count for leaf, count in jobs.items()}
        if isinstance(subsystem, RuntimeApi):  # all nodes share the answers: only how many counts
            roots[f"{subsystem.name}.answers"] = (None,) * subsystem.kept_answers
        else:
            roots.update(_attributes(subsystem.name, subsystem))
    for name in ("grandpa", "sync", "pool", "transactions"):
        roots.update(_attributes(name, getattr(node, name)))
    return count(roots)


def count(roots: Mapping[str, object]) -> dict[str, Held]:
    """What is reached from each root, and not from one before it."""
    seen: dict[int, None] = {}
    return {name: _reached(root, seen) for name, root in roots.items()}


class _Kind(Enum):
    ATOM = auto()
    """Holds nothing that counts: a number, a function, what is the world's or no class of ours."""
    STRING = auto()
    MAPPING = auto()
    SERIES = auto()
    OBJECT = auto()


def _reached(root: object, seen: dict[int, None]) -> Held:
    entries = size = 0
    found: list[Any] = [root]
    for each in found:  # which grows meanwhile: breadth first
        kind = _kind(type(each))  # type: ignore[arg-type]
        if kind is _Kind.ATOM:
            continue
        if kind is _Kind.STRING:
            size += len(each)
            continue
        if id(each) in seen:
            continue
        seen[id(each)] = None
        if kind is _Kind.OBJECT:
            _look_into(each, found)
            continue
        entries += len(each)
        found += each
        if kind is _Kind.MAPPING:
            found += each.values()
    return Held(entries, size)


@cache
def _kind(type_: type) -> _Kind:
    """What instances of the class are."""
    if issubclass(type_, (bytes, str, bytearray)):
        return _Kind.STRING
    if issubclass(type_, dict):
        return _Kind.MAPPING
    if issubclass(type_, (list, tuple, set, frozenset, deque)):
        return _Kind.SERIES
    module = f"{type_.__module__}."
    is_ours = module.startswith("parahost.") and not module.startswith(_WORLD)
    return _Kind.ATOM if not is_ours or issubclass(type_, (int, Enum)) else _Kind.OBJECT


def _look_into(each: Any, found: list[Any]) -> None:
    """Find what an object refers to."""
    slots, has_dict = _layout(type(each))  # type: ignore[arg-type]
    for name in slots:
        found.append(getattr(each, name, None))
    if has_dict:
        found += each.__dict__.values()


def _attributes(name: str, part: Any) -> dict[str, object]:
    """What a part refers to, by the names of the part and of the attribute."""
    slots, has_dict = _layout(type(part))  # type: ignore[arg-type]
    fields = {field: getattr(part, field, None) for field in slots}
    if has_dict:
        fields |= part.__dict__
    return {f"{name}.{field}": value for field, value in fields.items()}


@cache
def _layout(type_: type) -> tuple[tuple[str, ...], bool]:
    """The slots of a class, and whether its instances have a dictionary besides."""
    slots: list[str] = []
    for base in type_.__mro__:
        names = base.__dict__.get("__slots__", ())
        slots += [names] if isinstance(names, str) else names
    return tuple(name for name in slots if not name.startswith("__")), type_.__dictoffset__ != 0
