"""The machine's stack under a function is had, not hoped for."""

from __future__ import annotations

import resource
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from parahost.ports.validation import ExecutionKind, Failed, Returned
from parahost.primitives.basic import ValidationCode
from parahost.validation import InProcessHost, ValidationPool
from parahost.validation.errors import MachineTrouble
from parahost.validation.machine_stack import THREAD_STACK, have_stack
from tests.validation.guests import DEEPEST, PARAMS, deep_calls, guest

GREEDY = guest(
    "(call $f) unreachable",
    memory='(memory (export "memory") 1) (func $f (result i64)'
    + "".join(f"(i64.load offset={8 * i} (i32.const 0))" for i in range(1000))
    + " (call $f) "
    + "i64.add " * 1000
    + ")",
)
"""It takes the most of the machine's stack for the values that it may have."""


@contextmanager
def soft_limit(size: int) -> Iterator[None]:
    """What processes that start meanwhile begin with."""
    soft, hard = resource.getrlimit(resource.RLIMIT_STACK)
    resource.setrlimit(resource.RLIMIT_STACK, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_STACK, (soft, hard))


async def test_a_worker_has_its_stack_whatever_the_node_was_started_with(tmp_path: Path) -> None:
    with soft_limit(1 << 20):
        async with ValidationPool(tmp_path, workers=1) as pool:
            for code, verdict in ((GREEDY, Failed), (deep_calls(DEEPEST), Returned)):
                outcome = await pool.execute(ValidationCode(code), PARAMS, ExecutionKind.CHECKING)
                assert isinstance(outcome, verdict), outcome
                if isinstance(outcome, Failed):
                    assert "the stack limit" in outcome.reason


def in_a_thread(stack_size: int, work: Callable[[], object]) -> BaseException | None:
    raised: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            raised.append(error)

    before = threading.stack_size(stack_size)
    try:
        thread = threading.Thread(target=run)
        thread.start()
    finally:
        threading.stack_size(before)
    thread.join()
    return raised[0] if raised else None


def test_a_thread_with_a_small_stack_calls_nothing() -> None:
    error = in_a_thread(1 << 20, InProcessHost)
    assert isinstance(error, MachineTrouble) and "7340032 are needed" in error.reason
    assert in_a_thread(THREAD_STACK, InProcessHost) is None


def test_where_the_stack_may_not_be_raised_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1 << 20, 1 << 20))

    def refuse(*_: object) -> None:
        raise ValueError("not allowed to raise maximum limit")

    monkeypatch.setattr(resource, "setrlimit", refuse)
    with pytest.raises(MachineTrouble, match="1048576 bytes only, 8388608 are needed"):
        have_stack()
