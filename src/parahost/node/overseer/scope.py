"""Jobs that end together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio


class Scope:
    """What a subsystem works on by jobs: a candidate, a session, a dispute. The subsystem makes
    one, starts jobs in it with ``ctx.spawn``, and ends it."""

    def __init__(self) -> None:
        self._jobs: dict[trio.CancelScope, None] = {}
        self._has_ended = False

    def __len__(self) -> int:
        """How many jobs are under way."""
        return len(self._jobs)

    @property
    def has_ended(self) -> bool:
        return self._has_ended

    def end(self) -> None:
        """Cancel the jobs. None can be started any more."""
        self._has_ended = True
        for job in self._jobs:
            job.cancel()

    async def run(self, job: Callable[[], Awaitable[None]]) -> None:
        """For the overseer: the job, until it is done or the scope ends. When the scope has ended
        already, the job takes no step: what it works on may be gone."""
        if self._has_ended:
            return
        with trio.CancelScope() as cancel:
            self._jobs[cancel] = None
            try:
                await job()
            finally:
                del self._jobs[cancel]
