"""Long computations in pieces, so that who runs them may do other things in between."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

Result = TypeVar("Result")

Pieces = Generator[None, None, Result]
"""A pure computation that pauses after each piece of at most a few milliseconds. A node runs it by
:func:`parahost.consensus.turns.in_turns`."""
