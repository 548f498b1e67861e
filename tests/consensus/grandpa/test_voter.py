"""Whole networks of voters, under loss, crashes, partitions and lies: safe always, live when at
most f of them fail."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock

from tests.consensus.grandpa.world import T, World


@asynccontextmanager
async def world(seed: int, voters: int, others: int = 0) -> AsyncIterator[World]:
    async with trio.open_nursery() as nursery:
        it = World(seed, nursery, voters, others)
        yield it
        it.assert_safe()
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("voters", [1, 2, 4, 7])
async def test_all_blocks_become_final(voters: int, autojump_clock: MockClock) -> None:
    async with world(1, voters, others=1) as it:
        for node in it.nodes:
            it.start(node)
        await it.produce(30)
        await it.until(10, within=20 * T)
        assert not any(node.port.reports for node in it.nodes)


@pytest.mark.parametrize("seed", range(4))
async def test_forks_and_loss(seed: int, autojump_clock: MockClock) -> None:
    async with world(seed, 4, others=1) as it:
        it.net.loss = 0.2
        for node in it.nodes:
            it.start(node)
        await it.produce(60, forks=0.4)
        tip = max(header.number for header in it.headers)
        await it.until(tip - 1, within=200 * T)
