"""The one switch inside trio that simulations need does what it should."""

from __future__ import annotations

import pytest
import trio
from trio._core import _run

from parahost.simulation.scheduler import run_virtual
from parahost.simulation.task_order import TrioChanged, seeded_task_order


async def order_of_tasks() -> list[int]:
    ran: list[int] = []

    async def task(number: int) -> None:
        for _ in range(3):
            ran.append(number)
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        for number in range(8):
            nursery.start_soon(task, number)
    return ran


def test_a_seed_fixes_the_order_of_tasks() -> None:
    orders = [run_virtual(order_of_tasks, seed) for seed in (1, 1, 2, 3, 1)]
    assert orders[0] == orders[1] == orders[4]
    assert len({tuple(order) for order in orders}) == 3


def test_trio_is_left_as_it_was() -> None:
    before = _run._r.getstate(), _run._ALLOW_DETERMINISTIC_SCHEDULING
    with pytest.raises(KeyError), seeded_task_order(1):
        raise KeyError
    assert (_run._r.getstate(), _run._ALLOW_DETERMINISTIC_SCHEDULING) == before


@pytest.mark.parametrize("missing", ["_r", "_ALLOW_DETERMINISTIC_SCHEDULING"])
def test_another_trio_is_told_of(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(_run, missing)
    with pytest.raises(TrioChanged, match=missing), seeded_task_order(1):
        pass
