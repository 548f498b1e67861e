"""Waiting for something, and saying what was there instead when it does not come."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, Protocol, TypeVar

from parahost.primitives.errors import OperationalError

T = TypeVar("T")

PATIENCE_S: Final = 60.0
"""How long a loaded machine may take for anything."""
CHARACTERS_SHOWN: Final = 2000
"""So many characters of what was seen last are told."""


class WaitedInVain(AssertionError):
    """What was waited for did not come. ``seen`` is what was there last: a value, or the error of
    who looked for one."""

    def __init__(self, what: str, waited_s: float, seen: object, where: str) -> None:
        super().__init__(
            f"waited {waited_s:g} s for {what}; seen last: {_shown(seen)}"
            + (f"; {where}" if where else "")
        )
        self.what = what
        self.waited_s = waited_s
        self.seen = seen


class RealTime:
    """Ours."""

    poll_s = 0.1

    def now(self) -> float:
        return time.monotonic()

    def let_pass(self, seconds: float) -> None:
        time.sleep(seconds)

    def check(self) -> None:
        pass

    def where(self) -> str:
        return ""


class NetworkEnded(AssertionError):
    """There is no network any more to wait for; says what it said last."""


class Timeline(Protocol):
    """In whose time one waits."""

    poll_s: float
    """How long to wait from one look to the next, in seconds."""

    def now(self) -> float:
        """Seconds since some moment."""
        ...

    def let_pass(self, seconds: float) -> None:
        """Let so much time pass."""
        ...

    def check(self) -> None:
        """:raises NetworkEnded: when nothing will happen any more."""
        ...

    def where(self) -> str:
        """Where to read more, for people."""
        ...


def wait(
    timeline: Timeline,
    probe: Callable[[], T],
    holds: Callable[[T], bool],
    what: str,
    timeout_s: float,
) -> T:
    """Look with ``probe`` until what it gives holds; that is the result. Who cannot be asked yet
    may be asked later: an :class:`OperationalError` of the probe is no failure before the time is
    over.

    :raises WaitedInVain: when it does not come in ``timeout_s`` seconds.
    :raises NetworkEnded: when it cannot come any more.
    """
    begun = timeline.now()
    while True:
        seen: object
        try:
            seen = found = probe()
            if holds(found):
                return found
        except OperationalError as error:
            seen = error
        timeline.check()
        waited_s = timeline.now() - begun
        if waited_s >= timeout_s:
            raise WaitedInVain(what, timeout_s, seen, timeline.where())
        timeline.let_pass(min(timeline.poll_s, timeout_s - waited_s))


def eventually(
    probe: Callable[[], T],
    holds: Callable[[T], bool] = bool,
    what: str = "what the test looks for",
    timeout_s: float = PATIENCE_S,
) -> T:
    """Look with ``probe``, in real time and without a network, until what it gives holds.

    :raises WaitedInVain: when it does not come in time.
    """
    return wait(RealTime(), probe, holds, what, timeout_s)


def _shown(seen: object) -> str:
    text = str(seen) if isinstance(seen, str | Exception) else repr(seen)
    return text if len(text) <= CHARACTERS_SHOWN else f"{text[:CHARACTERS_SHOWN]}..."
