"""Stopping a function by the CPU time of the thread that runs it, not by the wall clock (D14).

A watcher thread sleeps as long as the function could at the soonest take to use up its time, then
reads the thread's own clock, and sleeps again for what is left: on an idle machine it wakes once,
on a busy one a few times. When the time is up it raises the engine's epoch, which ends Wasm at
its next loop or call, and interrupts Python, which ends a host function.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import wasmtime

from parahost.validation.errors import CpuLimitReached

_SHORTEST_SLEEP_S = 0.001
_SIGNAL = signal.SIGUSR1


class CpuMeter:
    """Limits calls made by the main thread of a worker process; takes its SIGUSR1."""

    def __init__(self, engine: wasmtime.Engine) -> None:
        self._engine = engine
        self._clock = time.pthread_getcpuclockid(threading.get_ident())
        self._main_thread = threading.get_ident()
        self._changed = threading.Condition()
        self._deadline: float | None = None
        self._limit_s = 0.0
        signal.signal(_SIGNAL, self._interrupt)
        threading.Thread(target=self._watch, name="cpu-limit", daemon=True).start()

    @property
    def limit_s(self) -> float:
        return self._limit_s

    def arm(self, store: wasmtime.Store) -> None:
        store.set_epoch_deadline(1)

    @contextmanager
    def limited_to(self, limit_s: float) -> Iterator[None]:
        """Within, :meth:`arm`-ed stores trap and host functions raise
        :class:`CpuLimitReached` once the limit is used up, in seconds of CPU time."""
        with self._changed:
            self._limit_s = limit_s
            self._deadline = time.clock_gettime(self._clock) + limit_s
            self._changed.notify()
        try:
            yield
        finally:
            self._deadline = None  # from here on a signal raises nothing
            with self._changed:
                pass  # and one that the watcher was sending has arrived

    def _interrupt(self, _signal: int, _frame: FrameType | None) -> None:
        if self._deadline is not None:
            self._deadline = None  # raise once
            raise CpuLimitReached(self._limit_s)

    def _watch(self) -> None:
        with self._changed:
            while True:
                if self._deadline is None:
                    self._changed.wait()
                    continue
                left = self._deadline - time.clock_gettime(self._clock)
                if left > 0:
                    self._changed.wait(max(left, _SHORTEST_SLEEP_S))
                    continue
                self._engine.increment_epoch()
                signal.pthread_kill(self._main_thread, _SIGNAL)
                self._changed.wait(_SHORTEST_SLEEP_S)
