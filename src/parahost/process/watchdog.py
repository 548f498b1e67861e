"""Names what holds a collator's event loop: most likely the collator itself.

Nothing else on the node goes on meanwhile: it hears nobody, follows no chain and does not stop when
it is asked to. So a thread looks at it from outside. It ends nothing, for the code is the user's
own.
"""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path
from types import FrameType

import trio

from parahost.ports import Journal

HELD_S = 1.0
"""After so long without a turn for others it is told, and again each time that has doubled."""


class Watchdog:
    """Watches the thread that calls :meth:`run`; ``suspect`` is the module file of the collator."""

    def __init__(self, journal: Journal, suspect: str | None, held_s: float = HELD_S) -> None:
        self._journal = journal
        self._suspect = suspect
        self._held_s = held_s
        self._turn_at = time.monotonic()
        self._ended = threading.Event()

    async def run(self) -> None:
        """Watch until cancelled."""
        loop = threading.get_ident()
        threading.Thread(target=self._watch, args=(loop,), name="watchdog", daemon=True).start()
        try:
            while True:
                self._turn_at = time.monotonic()
                await trio.sleep(self._held_s / 4)
        finally:
            self._ended.set()

    def _watch(self, loop: int) -> None:
        told_at, patience_s = 0.0, self._held_s
        while not self._ended.wait(self._held_s / 4):
            turn_at = self._turn_at
            if turn_at != told_at:
                told_at, patience_s = turn_at, self._held_s
            held_s = time.monotonic() - turn_at
            if held_s >= patience_s + self._held_s / 4:
                patience_s *= 2
                self._tell(held_s, sys._current_frames().get(loop))

    def _tell(self, held_s: float, innermost: FrameType | None) -> None:
        frames = []
        while innermost is not None:
            frames.append(innermost)
            innermost = innermost.f_back
        own = [frame for frame in frames if frame.f_code.co_filename == self._suspect]
        if own:
            self._journal.record("collator.holds_loop", seconds=held_s, at=_place(own[0]))
        elif frames:
            self._journal.record("node.loop_held", seconds=held_s, at=_place(frames[0]))


def _place(frame: FrameType) -> str:
    code = frame.f_code
    return f"{code.co_qualname} ({Path(code.co_filename).name}:{frame.f_lineno})"
