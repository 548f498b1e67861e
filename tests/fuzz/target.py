"""What a fuzzer tries: a decoder, and how inputs for it are drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

Draw = Callable[[Random], bytes]


class Broken(Exception):
    """A decoder took what it does not give back, or what it must not take."""


class Refused(Exception):
    """A decoder said no without an error of its own."""


@dataclass(frozen=True, slots=True)
class Target:
    """``run`` reads one input that ``draw`` makes; ``expected`` is what it may raise when it
    refuses one. It must take some: what is refused at the first byte tries nothing behind it."""

    name: str
    draw: Draw
    run: Callable[[bytes], object]
    expected: tuple[type[BaseException], ...]
