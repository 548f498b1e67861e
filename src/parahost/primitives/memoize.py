"""Pure functions that remember what they gave last.

Gossip brings the same thing from several peers, and where many nodes live in one process, to each
of them. A pure function of values that do not change may as well give the same result again.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

_is_on = True
_caches: list[Any] = []


def memoize(results: int) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a pure function remember that many results. Equal arguments may give the same object;
    what is raised is not remembered."""

    def remembering(function: Callable[P, R]) -> Callable[P, R]:
        remembered: Any = lru_cache(results)(function)
        _caches.append(remembered)

        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            return (remembered if _is_on else function)(*args, **kwargs)

        return call

    return remembering


def remember_results(enabled: bool) -> None:
    """Whether these functions remember anything in this process; they do by default. What they
    know by now is forgotten."""
    global _is_on
    _is_on = enabled
    for cache in _caches:
        cache.cache_clear()
