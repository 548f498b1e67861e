"""The collators of adder and load build what their validation functions accept."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import pytest
from trio.testing import wait_all_tasks_blocked

from parahost.parachains.adder.collator import AdderCollator
from parahost.parachains.collator import CollatorFailed, Services, running
from parahost.parachains.heads import ChainHead
from parahost.parachains.load.collator import LoadCollator
from parahost.primitives.basic import HeadData
from parahost.primitives.candidates import PoV
from parahost.primitives.scale import encode
from parahost.storage import MemoryDatabase
from tests.node.harness import ListJournal, TrioClock
from tests.parachains.world import PARA, Bench


@pytest.mark.guide("A96")
async def test_the_adder_adds_on_any_fork() -> None:
    bench = await Bench(AdderCollator(add=5)).start()
    one = await bench.checked("adder", bench.genesis)
    two = await bench.checked("adder", one)
    assert await bench.checked("adder", one) == two
    assert ChainHead.decode(two).number == 2


async def test_the_adder_goes_on_after_a_restart_and_with_an_empty_directory() -> None:
    first = await Bench(AdderCollator(add=5)).start()
    head = first.genesis
    for _ in range(3):
        head = await first.checked("adder", head)
    empty = await Bench(AdderCollator(add=5)).start()
    assert await empty.checked("adder", head)
    # With another argument only what is on disk tells the counter.
    again = await Bench(AdderCollator(add=7), first.disk).start()
    later = await again.checked("adder", head)
    again.collator.on_finalized(head)
    assert await again.checked("adder", later)
    lost = await Bench(AdderCollator(add=7)).start()
    assert await lost.build(head) is None
    assert lost.journal.names() == ["adder.unknown_head"]


async def test_the_adder_forgets_what_is_before_the_final_head() -> None:
    bench = await Bench(AdderCollator()).start()
    heads = [bench.genesis]
    for _ in range(5):
        heads.append(await bench.checked("adder", heads[-1]))
    bench.collator.on_finalized(heads[4])
    assert len(list(bench.collator.services.store.scan())) == 2


@pytest.mark.parametrize("size", [48, 64, 100, 20_000, 5_000_000, 10 * 1024 * 1024])
async def test_the_load_weighs_what_was_asked(size: int) -> None:
    bench = await Bench(LoadCollator(pov_bytes=size, execute_ms=1)).start()
    head = await bench.checked("load", bench.genesis)
    block = await bench.build(head)
    assert block is not None
    pov = len(encode(PoV(block.block_data)))
    assert size - 6 <= pov <= size
    assert await bench.checked("load", head) != head


@pytest.mark.parametrize(
    ("make", "key"),
    [
        (lambda: AdderCollator(add=-1), "add"),
        (lambda: AdderCollator(add=cast(int, 1.5)), "add"),
        (lambda: LoadCollator(pov_bytes=47), "pov_bytes"),
        (lambda: LoadCollator(pov_bytes=10 * 1024 * 1024 + 1), "pov_bytes"),
        (lambda: LoadCollator(execute_ms=-1), "execute_ms"),
    ],
)
def test_bad_arguments_are_named(make: Callable[[], object], key: str) -> None:
    with pytest.raises(ValueError, match=f"^{key}: "):
        make()


def test_heads_round_trip() -> None:
    head = ChainHead(7, bytes(32), bytes(range(32)))
    assert ChainHead.decode(head.encode()) == head
    with pytest.raises(ValueError, match="72 are expected"):
        ChainHead.decode(HeadData(b"short"))


class Worker(AdderCollator):
    """Has one job, which fails."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self._error = error

    async def start(self, services: Services) -> None:
        await super().start(services)
        services.spawn(self._work)

    async def _work(self) -> None:
        raise self._error


async def work(error: BaseException) -> ListJournal:
    journal = ListJournal()
    head = HeadData(b"")
    disk = MemoryDatabase()
    async with running(
        Worker(error),
        para_id=PARA,
        genesis_head=head,
        database=disk,
        journal=journal,
        clock=TrioClock(),
    ):
        await wait_all_tasks_blocked()
    return journal


@pytest.mark.parametrize("error", [ValueError("the author's mistake"), SystemExit(1)])
async def test_a_job_that_fails_stops_nothing_else(error: BaseException) -> None:
    journal = await work(error)
    assert journal.events == [("collator.failed", {"para": PARA, "reason": repr(error)})]


async def test_a_job_may_say_that_the_collator_cannot_go_on() -> None:
    with pytest.raises(ExceptionGroup) as raised:
        await work(CollatorFailed("the disk is gone"))
    assert raised.group_contains(CollatorFailed)
