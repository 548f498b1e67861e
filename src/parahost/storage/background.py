"""Work of a database that its user does not wait for."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, TypeVar

T = TypeVar("T")


class Background:
    """A thread that does one thing at a time, in order. After something has failed, it does nothing
    more: what follows fails in the same way."""

    def __init__(self, name: str) -> None:
        self._thread = ThreadPoolExecutor(1, name)
        self._last: Future[Any] | None = None
        self._failure: Exception | None = None

    def __enter__(self) -> Background:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._thread.shutdown()

    def start(self, work: Callable[[], T]) -> Future[T]:
        started = self._thread.submit(self._do, work)
        self._last = started
        return started

    @property
    def is_idle(self) -> bool:
        return self._last is None or self._last.done()

    def check(self) -> None:
        """:raises Exception: what the first thing that failed has raised."""
        if self._failure is not None:
            raise self._failure

    def wait(self) -> None:
        """Until all is done that was started.

        :raises Exception: what the first thing that failed has raised.
        """
        if self._last is not None:
            self._last.result()

    def _do(self, work: Callable[[], T]) -> T:
        self.check()
        try:
            return work()
        except Exception as error:
            self._failure = error
            raise
