"""Preparing code: each in a process of its own, within bounds, and never for ever in vain.

Whether code can be prepared here and now says nothing about it. A preparation that fails or takes
too much is remembered with a pause, which doubles each time; until it is over the code's candidates
are undecided, and nothing is spent on them. Code that has taken too much once waits in another lane
than code that is new, so that whoever registers code that compiles for minutes holds up no other.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import trio

from parahost.validation.worker_process import MachineFault, Overrun, RequestLimits

_log = logging.getLogger(__name__)

MAX_REMEMBERED = 1024
MAX_UNDER_WAY = 32
"""The most preparations that run or wait; each holds its code."""
_ATTEMPTS = 2


@dataclass(frozen=True, slots=True)
class PreparationLimits:
    """Of one preparation. Times in seconds, memory in bytes."""

    first_cpu_s: float = 15.0
    """CPU time for code that is new; a real parachain's takes 1 to 11 s."""
    again_cpu_s: float = 60.0
    """CPU time for code that took more than that once."""
    memory: int = 1 << 30
    wait_s: float = 30.0
    """How long a candidate waits for it; the preparation goes on meanwhile."""
    first_pause_s: float = 10.0
    longest_pause_s: float = 3600.0
    stall_s: float = 10.0


class Unprepared(Exception):
    """The code is not prepared, and will not be for this candidate."""


@dataclass(frozen=True, slots=True)
class UnpreparableCode:
    """The code is no validation function, on any machine."""

    reason: str


@dataclass(frozen=True, slots=True)
class _Setback:
    reason: str
    count: int
    is_slow: bool
    until: float


_CUT_OFF = _Setback("the validation pool is closed", 0, False, 0.0)


@dataclass(slots=True)
class _UnderWay:
    done: trio.Event
    outcome: UnpreparableCode | _Setback | None = _CUT_OFF


Prepare = Callable[[bytes, bytes, RequestLimits], Awaitable[UnpreparableCode | None]]
"""Given code, its hash and what may be used, has its artifact made. Raises ``MachineFault``."""


class Preparations:
    """All preparations of a pool. They run in ``nursery``, whoever asked for them."""

    def __init__(self, prepare: Prepare, limits: PreparationLimits, nursery: trio.Nursery) -> None:
        self._prepare = prepare
        self._limits = limits
        self._nursery = nursery
        self._known: OrderedDict[bytes, UnpreparableCode | _Setback] = OrderedDict()
        self._under_way: dict[bytes, _UnderWay] = {}
        self._first, self._again = trio.Semaphore(1), trio.Semaphore(1)

    async def have(self, code: bytes, digest: bytes) -> tuple[UnpreparableCode | None, float]:
        """Wait until the code is prepared. ``None`` when it is; and how long it took, in ms, or 0
        when that was for another request.

        :raises Unprepared: when this machine cannot, or not in time.
        """
        known = self._known.get(digest)
        if isinstance(known, UnpreparableCode):
            self._known.move_to_end(digest)
            return known, 0.0
        if known is not None and (left_s := known.until - trio.current_time()) > 0:
            raise Unprepared(f"{known.reason}; preparation is tried again in {left_s:.0f} s")
        started = trio.current_time()
        work = self._under_way.get(digest)
        is_own = work is None
        if work is None:
            if len(self._under_way) >= MAX_UNDER_WAY:
                raise Unprepared(f"{MAX_UNDER_WAY} other preparations are under way")
            work = self._under_way[digest] = _UnderWay(trio.Event())
            self._nursery.start_soon(self._work, work, code, digest, known)
        with trio.move_on_after(self._limits.wait_s):
            await work.done.wait()
        if not work.done.is_set():
            raise Unprepared(f"the code is still being prepared after {self._limits.wait_s:g} s")
        if isinstance(work.outcome, _Setback):
            raise Unprepared(work.outcome.reason)
        return work.outcome, (trio.current_time() - started) * 1000 if is_own else 0.0

    async def _work(
        self, work: _UnderWay, code: bytes, digest: bytes, before: _Setback | None
    ) -> None:
        try:
            work.outcome = await self._outcome(code, digest, before)
        finally:
            del self._under_way[digest]
            work.done.set()
        self._known.pop(digest, None)
        if work.outcome is not None:
            self._known[digest] = work.outcome
            if len(self._known) > MAX_REMEMBERED:
                self._known.popitem(last=False)

    async def _outcome(
        self, code: bytes, digest: bytes, before: _Setback | None
    ) -> UnpreparableCode | _Setback | None:
        limits, is_slow = self._limits, before is not None and before.is_slow
        cpu_s = limits.again_cpu_s if is_slow else limits.first_cpu_s
        allowance = RequestLimits(cpu_s, limits.memory, limits.stall_s)
        faults = []
        async with self._again if is_slow else self._first:
            for _ in range(_ATTEMPTS):
                try:
                    return await self._prepare(code, digest, allowance)
                except Overrun as overrun:
                    faults.append(str(overrun))
                    is_slow = True
                    break
                except MachineFault as fault:
                    faults.append(str(fault))
        return self._set_back(digest, "; tried again: ".join(faults), before, is_slow)

    def _set_back(
        self, digest: bytes, reason: str, before: _Setback | None, is_slow: bool
    ) -> _Setback:
        count = before.count + 1 if before else 1
        limits = self._limits
        pause_s = min(limits.first_pause_s * 2 ** min(count - 1, 32), limits.longest_pause_s)
        _log.warning(
            "validation code 0x%s is not prepared, and its candidates stay undecided: %s; "
            "it is tried again in %d s at the soonest",
            digest.hex(),
            reason,
            pause_s,
        )
        reason = f"the code is not prepared: {reason}"
        return _Setback(reason, count, is_slow, trio.current_time() + pause_s)
