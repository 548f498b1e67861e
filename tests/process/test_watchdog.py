"""Whoever holds a collator's event loop is named."""

from __future__ import annotations

import time

import trio
from trio.testing import wait_all_tasks_blocked

from parahost.process.watchdog import Watchdog
from tests.node.harness import ListJournal


class Busy:
    """A collator's class with a call that waits as it must not."""

    def __init__(self, journal: ListJournal) -> None:
        self._journal = journal

    async def build(self, lines: int) -> None:
        """Until so many lines were written, or somebody must have forgotten to."""
        for _ in range(2000):
            if len(self._journal.events) >= lines:
                return
            time.sleep(0.005)


async def _watched(suspect: str, lines: int) -> list[tuple[str, dict[str, object]]]:
    journal = ListJournal()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Watchdog(journal, suspect, held_s=0.02).run)
        await wait_all_tasks_blocked()
        await Busy(journal).build(lines)
        nursery.cancel_scope.cancel()
    return journal.events


async def test_a_build_that_holds_the_loop_is_named_again_and_again() -> None:
    (first, told), (second, again) = (await _watched(__file__, 2))[:2]
    assert first == second == "collator.holds_loop"
    assert str(told["at"]).startswith("Busy.build (test_watchdog.py:")
    assert float(str(again["seconds"])) > float(str(told["seconds"]))


async def test_something_else_that_holds_it_is_not_laid_at_the_collators_door() -> None:
    (event, told), *_ = await _watched("elsewhere.py", 1)
    assert event == "node.loop_held" and "test_watchdog.py" in str(told["at"])


async def test_one_that_lets_others_have_their_turn_is_not_named() -> None:
    journal = ListJournal()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Watchdog(journal, __file__, held_s=60.0).run)
        await trio.sleep(0.05)
        nursery.cancel_scope.cancel()
    assert journal.events == []
