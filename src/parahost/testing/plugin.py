"""The test kit as a plugin of pytest: fixtures, and where logs are in the report of a failure."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from parahost.testing.devnets import RunningDevnet
    from parahost.testing.simulations import SimulatedNetwork

_FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fixtures learn at their end whether the test has failed."""
    report = yield
    if report.failed:
        item.stash[_FAILED] = True
    return report


@pytest.fixture
def devnet(request: pytest.FixtureRequest) -> Iterator[Callable[..., RunningDevnet]]:
    """Starts devnets, as :func:`parahost.testing.devnet` does; they end with the test. Of one that
    fails, the logs stay."""
    from parahost.testing.devnets import RunningDevnet

    started: list[RunningDevnet] = []

    def start(**options: Any) -> RunningDevnet:
        network = RunningDevnet(**options)
        started.append(network)
        network.wait_for_start()
        return network

    yield start
    failed = request.node.stash.get(_FAILED, False)
    with ExitStack() as stack:
        for network in started:
            stack.callback(network.close, keep_logs=failed)
    if failed and started:
        print("logs:", *(network.base for network in started))


@pytest.fixture
def simulated(request: pytest.FixtureRequest) -> Iterator[Callable[..., SimulatedNetwork]]:
    """Starts simulated networks, as :func:`parahost.testing.simulated` does; they end with the
    test, and what their checkers have seen makes it fail."""
    from parahost.testing.simulations import simulated

    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(simulated(**options))
