"""Who comes late is told what it lacks, a batch at a time, as the bus has room."""

from __future__ import annotations

import trio
import trio.testing

from parahost.node.gossip import catching_up
from parahost.node.gossip.catching_up import CatchingUp
from parahost.primitives.basic import H256, Hash, PeerId

HEAD, OTHER = (Hash(H256(bytes([number]) * 32)) for number in (1, 2))
P, Q = PeerId("p"), PeerId("q")


class Room:
    """A bus that has room for as many as the test lets in."""

    def __init__(self) -> None:
        self.places = trio.Semaphore(0)

    async def room(self) -> None:
        await self.places.acquire()

    async def let_in(self, count: int) -> None:
        for _ in range(count):
            self.places.release()
        await trio.testing.wait_all_tasks_blocked()


async def test_those_who_come_late_are_served_as_the_bus_has_room() -> None:
    room, served = Room(), list[tuple[PeerId, Hash, int, int]]()
    behind = CatchingUp(lambda *what: served.append(what))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(behind.run, room)
        behind.add(P, HEAD, 3, 3)
        for number in range(63):
            behind.add(PeerId(f"peer {number}"), HEAD, 0, 1 + number)
        await trio.testing.wait_all_tasks_blocked()
        assert served == []
        await room.let_in(5)
        assert served == [(PeerId(f"peer {number}"), HEAD, 0, 1 + number) for number in range(5)]
        await room.let_in(100)
        assert len(served) == 63, "nobody twice, and not who lacks nothing"
        behind.add(Q, HEAD, 5, 7)
        await trio.testing.wait_all_tasks_blocked()
        assert served[63:] == [(Q, HEAD, 5, 7)]
        nursery.cancel_scope.cancel()


async def test_who_lacks_much_is_served_a_batch_at_a_time_and_others_between() -> None:
    room, served = Room(), list[tuple[PeerId, Hash, int, int]]()
    batch = catching_up.BATCH
    behind = CatchingUp(lambda *what: served.append(what))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(behind.run, room)
        behind.add(P, HEAD, 0, 2 * batch + 1)
        behind.add(Q, HEAD, 0, 3)
        behind.add(P, OTHER, 0, batch)
        await room.let_in(9)
        assert served == [
            (P, HEAD, 0, batch),
            (Q, HEAD, 0, 3),
            (P, OTHER, 0, batch),
            (P, HEAD, batch, 2 * batch),
            (P, HEAD, 2 * batch, 2 * batch + 1),
        ]
        nursery.cancel_scope.cancel()
