"""The network over libp2p, on loopback, does what every network must."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from tests.network.conformance import CHECKS, Factory
from tests.network.local import loopback


@pytest.mark.guide("A107", "A108")
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_libp2p(check: Callable[[Factory], Awaitable[None]]) -> None:
    await check(loopback)
