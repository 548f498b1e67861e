"""The order in which trio runs tasks that are ready, drawn from a seed.

Trio draws that order at random, from a generator of its own; its own tests seed it by a switch that
is not public. This module is the only one that touches trio's inside.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from random import Random
from typing import Any

from trio._core import _run


class TrioChanged(Exception):
    """This version of trio has no such switch: its runs cannot be replayed."""

    def __init__(self, missing: str) -> None:
        super().__init__(
            f"trio {version('trio')} has no {missing} any more, so the order of tasks cannot be"
            " fixed: install the version of trio that constraints.txt names"
        )


@contextmanager
def seeded_task_order(seed: int) -> Iterator[None]:
    """Within it, a run of trio picks its tasks in an order that the seed fixes.

    :raises TrioChanged: when trio's inside is not as it was.
    """
    inside: Any = _run
    if not isinstance(getattr(inside, "_ALLOW_DETERMINISTIC_SCHEDULING", None), bool):
        raise TrioChanged("_ALLOW_DETERMINISTIC_SCHEDULING")
    if not isinstance(getattr(inside, "_r", None), Random):
        raise TrioChanged("_r")
    before, state = inside._ALLOW_DETERMINISTIC_SCHEDULING, inside._r.getstate()
    inside._ALLOW_DETERMINISTIC_SCHEDULING = True
    inside._r.seed(seed)
    try:
        yield
    finally:
        inside._ALLOW_DETERMINISTIC_SCHEDULING = before
        inside._r.setstate(state)


@contextmanager
def others_draw_meanwhile() -> Iterator[None]:
    """Within it, the run stands still, and others in this process may draw the order of theirs.
    What comes after it is as if they had not."""
    inside: Any = _run
    state = inside._r.getstate()
    try:
        yield
    finally:
        inside._ALLOW_DETERMINISTIC_SCHEDULING = True
        inside._r.setstate(state)
