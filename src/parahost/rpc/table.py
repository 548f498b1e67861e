"""What the server can be asked: each method with its names, its parameters, who may call it, and
what it does. ``rpc_methods``, the checks of arguments and docs/RPC.md all come from here.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from parahost.rpc.params import Parameters
from parahost.rpc.values import Json

Declared = TypeVar("Declared", bound=Callable[..., Any])

Tell = Callable[[Json], Awaitable[None]]
"""Sends a notification of a subscription; waits until the client has room for it."""
Subscription = Callable[[Tell], Awaitable[None]]
"""A subscription that is accepted: tells until it ends, or is cancelled."""


@dataclass(frozen=True, slots=True)
class Method:
    """``function`` takes the call's context, then the client's arguments. A subscription's gives
    a :data:`Subscription`, or raises what the client is told instead; ``notifies`` is then the name
    under which it tells, ``ends`` the methods that end it, which answer whether there was one, or,
    of a family that ends ``quietly``, nothing. ``calls``: how many calls one counts as."""

    name: str
    aliases: tuple[str, ...]
    function: Callable[..., Any]
    parameters: Parameters
    unsafe: bool
    notifies: str | None
    ends: tuple[str, ...]
    ends_quietly: bool
    calls: int
    documentation: str

    @property
    def names(self) -> tuple[str, ...]:
        return self.name, *self.aliases


class Family:
    """Methods that belong together; filled by its decorators."""

    def __init__(self, *, ends_quietly: bool = False) -> None:
        self._methods: list[Method] = []
        self._ends_quietly = ends_quietly

    def __iter__(self) -> Iterator[Method]:
        return iter(self._methods)

    def method(
        self, name: str, *aliases: str, unsafe: bool = False, calls: int = 1
    ) -> Callable[[Declared], Declared]:
        """Declares a method. Its function may be asynchronous."""
        return self._declare(name, aliases, unsafe=unsafe, calls=calls)

    def subscription(
        self,
        name: str,
        *aliases: str,
        notifies: str,
        ends: str | tuple[str, ...],
        unsafe: bool = False,
    ) -> Callable[[Declared], Declared]:
        """Declares a subscription, and with it the methods that end it."""
        ends = (ends,) if isinstance(ends, str) else ends
        return self._declare(name, aliases, unsafe=unsafe, notifies=notifies, ends=ends)

    def _declare(
        self,
        name: str,
        aliases: tuple[str, ...],
        *,
        unsafe: bool,
        notifies: str | None = None,
        ends: tuple[str, ...] = (),
        calls: int = 1,
    ) -> Callable[[Declared], Declared]:
        def declare(function: Declared) -> Declared:
            self._methods.append(
                Method(
                    name,
                    aliases,
                    function,
                    Parameters.of(function),
                    unsafe,
                    notifies,
                    ends,
                    self._ends_quietly,
                    calls,
                    inspect.getdoc(function) or "",
                )
            )
            return function

        return declare


class MethodTable:
    """All methods by all their names."""

    def __init__(self, families: Iterable[Family]) -> None:
        """:raises ValueError: when a name is there twice."""
        self.methods = tuple(method for family in families for method in family)
        self._by_name: dict[str, Method] = {}
        self._ends: dict[str, Method] = {}
        for method in self.methods:
            for name in method.names:
                if name in self._by_name:
                    raise ValueError(f"{name} is declared twice")
                self._by_name[name] = method
            self._ends.update(dict.fromkeys(method.ends, method))
        if both := self._ends.keys() & self._by_name.keys():
            raise ValueError(f"{min(both)} is declared twice")

    def get(self, name: str) -> Method | None:
        return self._by_name.get(name)

    def ended_by(self, name: str) -> Method | None:
        """The subscription that a method of that name ends."""
        return self._ends.get(name)

    @property
    def names(self) -> list[str]:
        """All names, sorted."""
        return sorted(self._by_name.keys() | self._ends.keys())
