"""What peers make this node hold: the bounds, who waits, and who goes."""

from __future__ import annotations

from contextlib import ExitStack

import trio
import trio.testing

from parahost.network.holdings import ConnectionHoldings, Holdings
from parahost.network.limits import NetworkLimits


def account(
    holdings: Holdings, address: str, ended: list[str] | None = None, *, protected: bool = False
) -> ConnectionHoldings:
    """That of a session; ``ended`` is told the address when it is ended."""
    made = holdings.open(lambda _: None if ended is None else ended.append(address))
    made.accepted(address, lambda: protected)
    return made


async def test_answers_to_one_peer_have_a_bound_of_their_own() -> None:
    """Also to a protected one, for which that of all does not count."""
    holdings = Holdings(NetworkLimits(answer_bytes_of_peer=1000, answer_bytes=1))
    account = holdings.open(lambda _: None)
    account.accepted("127.0.0.1", lambda: True)
    with account.answer() as first, account.answer() as second:
        await first.wait_for(801)
        with trio.move_on_after(0.05) as scope:
            await second.wait_for(200)
        assert scope.cancelled_caught
        first.made(800)
        with trio.fail_after(20):
            await second.wait_for(200)
        assert account.reserved == 1000


def test_what_was_asked_for_is_released_as_such() -> None:
    holdings = Holdings(NetworkLimits())
    account = holdings.open(lambda _: None)
    account.hold(100, unasked=True)
    account.hold(300)
    account.release(300)
    assert (holdings.held, holdings.unasked) == (100, 100)
    account.release(60, unasked=True)
    assert (holdings.held, holdings.unasked) == (40, 40)
    account.close()
    assert (holdings.held, holdings.unasked) == (0, 0)


async def test_strangers_take_no_room_from_the_protected() -> None:
    """Who is protected holds most and stays; its answers wait for none of the others'."""
    limits = NetworkLimits(held_bytes=5000, answer_bytes_of_peer=1000, answer_bytes=1000)
    holdings = Holdings(limits)
    ended: list[str] = []
    validator = account(holdings, "192.0.2.2", ended, protected=True)
    stranger, third = account(holdings, "192.0.2.3", ended), account(holdings, "192.0.2.4", ended)
    validator.hold(3000)
    stranger.hold(1400)
    with stranger.answer() as room:
        await room.wait_for(500)
        with trio.fail_after(20), validator.answer() as other:
            validator.release(1000)
            await other.wait_for(900)
        with trio.move_on_after(0.05) as scope, third.answer() as other:
            await other.wait_for(900)
        assert scope.cancelled_caught
    assert not ended
    validator.hold(1000)
    third.hold(1000)
    assert ended == ["192.0.2.3"]
    assert (holdings.held, holdings.making, holdings.unread) == (4000, 0, 0)


async def test_answers_to_strangers_get_their_room_in_turns() -> None:
    """One address has many sessions with many requests each; who comes from another waits only for
    what is there already. Protected peers wait for nobody."""
    holdings = Holdings(NetworkLimits(answer_bytes_of_peer=1000, answer_bytes=1000))
    begun: list[str] = []

    crowd = [account(holdings, "192.0.2.1") for _ in range(6)]
    single = account(holdings, "192.0.2.2")
    validator = account(holdings, "192.0.2.3", protected=True)
    proceed = trio.Semaphore(0)

    async def answer(name: str, one: ConnectionHoldings) -> None:
        with one.answer() as room:
            await room.wait_for(500)
            begun.append(name)
            await proceed.acquire()

    async with trio.open_nursery() as nursery:
        for one in crowd * 2:
            nursery.start_soon(answer, "crowd", one)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(answer, "single", single)
        nursery.start_soon(answer, "single", single)
        nursery.start_soon(answer, "validator", validator)
        await trio.testing.wait_all_tasks_blocked()
        assert begun == ["crowd", "crowd", "validator"]
        for _ in range(3):
            proceed.release()
        await trio.testing.wait_all_tasks_blocked()
        assert sorted(begun[3:]) == ["crowd", "single"]
        for _ in range(14):
            proceed.release()
    assert begun.count("crowd") == 12
    assert begun[3:7].count("single") == 2
    assert (holdings.held, holdings.making, holdings.unread) == (0, 0, 0)


async def test_loopback_peers_have_their_turns_each_by_itself() -> None:
    """Who has something unread comes after who has nothing, and be it that it asked before."""
    holdings = Holdings(NetworkLimits(answer_bytes_of_peer=1000, answer_bytes=1000))
    busy, one, other = (account(holdings, "127.0.0.1") for _ in range(3))
    with busy.answer() as now, one.answer() as unread, one.answer() as more:
        await unread.wait_for(600)
        unread.made(500)
        await now.wait_for(1000)
        async with trio.open_nursery() as nursery:
            with other.answer() as second:
                nursery.start_soon(more.wait_for, 500)
                await trio.testing.wait_all_tasks_blocked()
                nursery.start_soon(second.wait_for, 600)
                await trio.testing.wait_all_tasks_blocked()
                now.end()
                assert (more.size, second.size) == (0, 600)
        assert more.size == 500


async def test_an_answer_that_is_given_up_waits_no_more() -> None:
    holdings = Holdings(NetworkLimits(answer_bytes_of_peer=1000, answer_bytes=1000))
    one, other = holdings.open(lambda _: None), holdings.open(lambda _: None)
    with one.answer() as first, other.answer() as second:
        await first.wait_for(600)
        with trio.move_on_after(0.01) as scope:
            await second.wait_for(900)
        assert scope.cancelled_caught
        assert (second.size, len(other.waiting)) == (0, 0)
    with one.answer() as first:
        await first.wait_for(1000)


# Who does not read, or sends by halves, does not hold up or displace who does.


async def test_unread_answers_hold_up_nobody_elses(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Those of many strangers together leave no room for another that is as large as any."""
    holdings = Holdings(
        NetworkLimits(answer_bytes_of_peer=1000, answer_bytes=1000, unread_answer_bytes=1000)
    )
    ended: list[str] = []
    with trio.fail_after(20), ExitStack() as stack:
        for number in range(9):
            unread = stack.enter_context(account(holdings, f"192.0.2.{number}", ended).answer())
            await unread.wait_for(1000)
            unread.made(100)
        reader = account(holdings, "192.0.2.10", ended)
        for _ in range(3):
            with reader.answer() as answer:
                await answer.wait_for(1000)
                answer.made(100)
        assert (holdings.making, holdings.unread, ended) == (0, 900, [])
    assert (holdings.held, holdings.making, holdings.unread) == (0, 0, 0)


async def test_a_stranger_with_much_unread_gets_no_further_answer() -> None:
    """Until it has read some; a protected peer does."""
    holdings = Holdings(NetworkLimits(unread_bytes_of_stranger=1000))
    for protected in (False, True):
        one = account(holdings, "192.0.2.1", protected=protected)
        with one.answer() as first, one.answer() as second, one.answer() as third:
            for answer in (first, second):
                await answer.wait_for(5000)
                answer.made(600)
            with trio.move_on_after(0.05) as scope:
                await third.wait_for(100)
            assert scope.cancelled_caught is not protected
            first.end()
            with trio.fail_after(20):
                await third.wait_for(100)


async def test_who_leaves_an_answer_alone_for_longest_goes_when_there_are_too_many() -> None:
    """By answers: who reads one leaves another alone. Protected peers do not go, and their answers
    do not count."""
    holdings = Holdings(
        NetworkLimits(answer_bytes_of_peer=1000, answer_bytes=1000, unread_answer_bytes=1000)
    )
    ended: list[str] = []
    accounts = [account(holdings, f"192.0.2.{number}", ended) for number in range(4)]
    validator = account(holdings, "192.0.2.9", ended, protected=True)
    steady, sly, still, late = accounts
    with ExitStack() as stack:
        made = []
        for each, size in ((validator, 900), (steady, 400), (sly, 200), (sly, 200), (still, 200)):
            made.append(stack.enter_context(each.answer()))
            await made[-1].wait_for(1000 - each.reserved)
            made[-1].made(size)
        made[2].taken()
        made[1].taken()
        last = stack.enter_context(late.answer())
        await last.wait_for(1000)
        last.made(1)
        assert ended == ["192.0.2.1"]
        assert holdings.unread == 601
        more = stack.enter_context(late.answer())
        await more.wait_for(999)
        more.made(400)
        assert ended == ["192.0.2.1", "192.0.2.2"]
        assert holdings.unread == 801
    assert (holdings.held, holdings.making, holdings.unread) == (0, 0, 0)


async def test_an_answer_that_is_made_when_its_connection_has_ended_takes_nothing() -> None:
    holdings = Holdings(
        NetworkLimits(answer_bytes_of_peer=1000, answer_bytes=1000, unread_answer_bytes=1000)
    )
    ended: list[str] = []
    gone, other = account(holdings, "192.0.2.1", ended), account(holdings, "192.0.2.2", ended)
    with gone.answer() as late, other.answer() as answer:
        await late.wait_for(1000)
        gone.close()
        assert (holdings.held, holdings.making) == (0, 0)
        late.made(800)
        await answer.wait_for(1000)
        answer.made(900)
        assert (holdings.unread, holdings.held, ended) == (900, 900, [])


def test_of_many_that_send_by_halves_the_heaviest_address_goes() -> None:
    """A crowd of one address, each with little, does not displace who sends something large."""
    holdings = Holdings(NetworkLimits(unasked_bytes=1000))
    ended: list[str] = []
    sender = account(holdings, "192.0.2.1", ended)
    sender.hold(300, unasked=True)
    for _ in range(8):
        account(holdings, "192.0.2.2", ended).hold(100, unasked=True)
    assert ended == ["192.0.2.2"]
    assert holdings.unasked == 1000
    sender.hold(200, unasked=True)
    assert set(ended) == {"192.0.2.2"}


def test_when_all_hold_too_much_the_heaviest_address_goes() -> None:
    holdings = Holdings(NetworkLimits(held_bytes=1000))
    ended: list[str] = []
    account(holdings, "192.0.2.2", ended, protected=True).hold(400)
    account(holdings, "192.0.2.1", ended).hold(150)
    for _ in range(5):
        account(holdings, "192.0.2.2", ended).hold(100)
    assert ended == ["192.0.2.2"]
