"""What every form of ``ports.Network`` must do, as tests that any form can be put through.

Each test takes a *factory*: ``factory(count, declare)`` is an async context manager that makes
``count`` networks, calls ``declare(index, network)`` on each before it runs, runs them, yields
them when all are connected with all, and stops them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, cast

import pytest
import trio

from parahost.network.incidents import Incidents
from parahost.ports.network import (
    Network,
    NetworkEvent,
    Notification,
    NotificationProtocol,
    ObservedRole,
    PeerConnected,
    PeerDisconnected,
    PeerSteering,
    RequestFailed,
    RequestProtocol,
)
from parahost.primitives.addresses import AddressError
from parahost.primitives.basic import PeerId

Declare = Callable[[int, Network], None]

SMALL = NotificationProtocol("small", 100_000)
LARGE = NotificationProtocol("large", 2 * 1024 * 1024)
ASK = RequestProtocol("ask", max_request=1000, max_response=6 * 1024 * 1024, timeout_s=5.0)
HASTY = RequestProtocol("hasty", max_request=1000, max_response=1000, timeout_s=0.2)
NARROW = RequestProtocol("narrow", max_request=1000, max_response=1000, timeout_s=5.0)
UNKNOWN = RequestProtocol("unknown", max_request=1000, max_response=1000, timeout_s=5.0)
STRANGER = PeerId("12D3KooWDppFJRtLJuN27vrUcFsMVwF12CU9KsSwivLuGnqGygf5")


class Factory(Protocol):
    def __call__(
        self, count: int, declare: Declare
    ) -> AbstractAsyncContextManager[Sequence[Network]]: ...


class Listener:
    """Remembers the events of one node. While it is ``shut``, it stays in its first
    notification."""

    def __init__(self, *, shut: bool = False) -> None:
        self.events: list[NetworkEvent] = []
        self.entered = 0
        self._gate = trio.Event()
        if not shut:
            self._gate.set()

    async def __call__(self, event: NetworkEvent) -> None:
        if isinstance(event, Notification):
            self.entered += 1
            await self._gate.wait()
        self.events.append(event)

    def open(self) -> None:
        self._gate.set()

    def payloads(self, protocol: NotificationProtocol) -> list[bytes]:
        return [
            event.payload
            for event in self.events
            if isinstance(event, Notification) and event.protocol == protocol.name
        ]


def incidents(network: Network) -> Incidents:
    """What went wrong at a network; both forms count it."""
    counted = network.incidents  # type: ignore[attr-defined]
    assert isinstance(counted, Incidents)
    return counted


async def until(condition: Callable[..., bool], *of: Any) -> None:
    """Wait until it holds ``of`` these; a test that waits a minute has failed."""
    with trio.fail_after(60):
        while not condition(*of):
            await trio.sleep(0.01)


def listeners(count: int) -> tuple[list[Listener], Declare]:
    """A listener per node, and how to declare them for both notification protocols."""
    heard = [Listener() for _ in range(count)]

    def declare(index: int, network: Network) -> None:
        network.on_notification(SMALL, heard[index])
        network.on_notification(LARGE, heard[index])

    return heard, declare


async def check_all_meet(factory: Factory) -> None:
    """Each hears of each other once, with its role, and lists it in a stable order."""
    heard, declare = listeners(3)
    async with factory(3, declare) as networks:
        peers = {network.local_peer for network in networks}
        assert len(peers) == 3
        for network, listener in zip(networks, heard, strict=True):
            others = peers - {network.local_peer}
            assert list(network.connected()) == sorted(others)
            await until(lambda one: len(one.events) == 2, listener)
            assert set(listener.events) == {
                PeerConnected(peer, ObservedRole.AUTHORITY) for peer in others
            }


async def check_order(factory: Factory) -> None:
    """Notifications arrive completely, unchanged, and in order per protocol."""
    heard, declare = listeners(2)
    async with factory(2, declare) as (alice, bob):
        small = [number.to_bytes(4, "little") * (1 + number % 300) for number in range(600)]
        large = [bytes((number,)) * (number * 300_000) for number in range(6)]
        for number, payload in enumerate(small):
            alice.notify([bob.local_peer], SMALL.name, payload)
            if number % 100 == 0:
                alice.notify([bob.local_peer], LARGE.name, large[number // 100])
        await until(lambda: len(heard[1].events) >= 1 + len(small) + len(large))
        assert heard[1].payloads(SMALL) == small
        assert heard[1].payloads(LARGE) == large


async def check_leaving(factory: Factory) -> None:
    """``PeerDisconnected`` comes last, after whatever part of the notifications arrived."""
    heard, declare = listeners(2)
    async with factory(2, declare) as (alice, bob):
        await until(lambda: bool(heard[0].events and heard[1].events))
        sent = [bytes((number,)) for number in range(100)]
        for payload in sent:
            alice.notify([bob.local_peer], SMALL.name, payload)
        await until(lambda: heard[1].entered >= 1)
        alice.disconnect(bob.local_peer)
        assert bob.local_peer not in alice.connected()
        gone = PeerDisconnected(alice.local_peer)
        await until(lambda: gone in heard[1].events)
        end = heard[1].events.index(gone)
        events = heard[1].events[:end]
        arrived = [event.payload for event in events if isinstance(event, Notification)]
        assert isinstance(events[0], PeerConnected)
        assert len(arrived) == len(events) - 1
        assert arrived == sent[: len(arrived)]
        await until(lambda: PeerDisconnected(bob.local_peer) in heard[0].events)


async def check_each_handler_hears(factory: Factory) -> None:
    """Handlers of different protocols each hear of a peer, and only their own protocol."""
    first, second = Listener(), Listener()

    def declare(index: int, network: Network) -> None:
        network.on_notification(SMALL, first if index == 1 else Listener())
        network.on_notification(LARGE, second if index == 1 else Listener())

    async with factory(2, declare) as (alice, bob):
        alice.notify([bob.local_peer], SMALL.name, b"for the first")
        alice.notify([bob.local_peer], LARGE.name, b"for the second")
        await until(lambda: len(first.events) == len(second.events) == 2)
        for listener, protocol, payload in (
            (first, SMALL, b"for the first"),
            (second, LARGE, b"for the second"),
        ):
            assert listener.events == [
                PeerConnected(alice.local_peer, ObservedRole.AUTHORITY),
                Notification(alice.local_peer, protocol.name, payload),
            ]


async def check_back_pressure(factory: Factory) -> None:
    """A handler is awaited before the next notification of the peer and protocol; ``notify``
    does not wait for it, and what waited arrives in order."""
    heard = [Listener(), Listener(shut=True)]

    def declare(index: int, network: Network) -> None:
        network.on_notification(SMALL, heard[index])

    async with factory(2, declare) as (alice, bob):
        sent = [bytes((number,)) * 1000 for number in range(200)]
        for payload in sent:
            alice.notify([bob.local_peer], SMALL.name, payload)
        await until(lambda: heard[1].entered == 1)
        await trio.sleep(0.1)
        assert heard[1].entered == 1
        heard[1].open()
        await until(lambda: heard[1].payloads(SMALL) == sent)


async def check_taken_at_once_or_later(factory: Factory) -> None:
    """A handler may take an event at once, or give what is to be awaited; the order is the same."""
    heard: list[bytes] = []
    gate = trio.Event()

    async def later(payload: bytes) -> None:
        await gate.wait()
        heard.append(payload)

    def hear(event: NetworkEvent) -> Awaitable[None] | None:
        if isinstance(event, Notification):
            if event.payload[0] % 3 == 2:
                return later(event.payload)
            heard.append(event.payload)
        return None

    def declare(index: int, network: Network) -> None:
        network.on_notification(SMALL, hear if index == 1 else Listener())

    async with factory(2, declare) as (alice, bob):
        sent = [bytes((number,)) for number in range(50)]
        for payload in sent:
            alice.notify([bob.local_peer], SMALL.name, payload)
        await until(lambda: len(heard) == 2)
        await trio.sleep(0.1)
        assert heard == sent[:2]
        gate.set()
        await until(lambda: heard == sent)


async def check_handlers_are_not_called_by_the_node(factory: Factory) -> None:
    """Who disconnects or reports a peer, in a handler or outside, is told of it afterwards: no
    handler is called within what the node itself does."""
    heard: list[NetworkEvent] = []
    networks: list[Network] = []
    at_work = False

    def handle(event: NetworkEvent) -> None:
        nonlocal at_work
        assert not at_work, f"{event} comes amidst the node's work"
        at_work = True
        if isinstance(event, Notification):
            networks[0].report(event.peer, -10_000, "a test")
        heard.append(event)
        at_work = False

    def declare(index: int, network: Network) -> None:
        network.on_notification(SMALL, handle if index == 0 else Listener())

    async with factory(3, declare) as made:
        networks += made
        alice, bob, carol = made
        await until(lambda: len(heard) == 2)
        bob.notify([alice.local_peer], SMALL.name, b"x")
        await until(lambda: PeerDisconnected(bob.local_peer) in heard)
        before = len(heard)
        alice.disconnect(carol.local_peer)
        assert len(heard) == before
        await until(lambda: PeerDisconnected(carol.local_peer) in heard)


async def check_overflow(factory: Factory) -> None:
    """A peer that does not take what is sent to it is disconnected, and nothing ever waits."""
    heard = [Listener(), Listener(shut=True)]

    def declare(index: int, network: Network) -> None:
        network.on_notification(LARGE, heard[index])

    async with factory(2, declare) as (alice, bob):
        payload = bytes(LARGE.max_size)
        sent = 0
        while alice.connected():
            alice.notify([bob.local_peer], LARGE.name, payload)
            sent += 1
            assert sent < 1000
        heard[1].open()
        await until(lambda: PeerDisconnected(bob.local_peer) in heard[0].events)


async def check_notify_bounds(factory: Factory) -> None:
    """Absent peers are passed over; what was not declared is a bug; what is too large is sent to
    nobody, and counted. Nobody is disconnected for it."""
    heard, declare = listeners(2)
    async with factory(2, declare) as (alice, bob):
        alice.notify([STRANGER, bob.local_peer], SMALL.name, b"hello")
        await until(lambda: heard[1].payloads(SMALL) == [b"hello"])
        with pytest.raises(KeyError):
            alice.notify([bob.local_peer], "undeclared", b"")
        alice.notify([bob.local_peer], SMALL.name, bytes(SMALL.max_size + 1))
        alice.notify([bob.local_peer], SMALL.name, bytes(SMALL.max_size))
        await until(lambda: len(heard[1].payloads(SMALL)) == 2)
        assert heard[1].payloads(SMALL) == [b"hello", bytes(SMALL.max_size)]
        assert incidents(alice).too_large == {SMALL.name: 1}
        assert list(alice.connected()) == [bob.local_peer]


async def check_requests(factory: Factory) -> None:
    """Requests are answered side by side, or fail for one of the declared reasons."""

    async def answer(peer: PeerId, payload: bytes) -> bytes | None:
        if payload == b"refuse":
            return None
        return payload * 1000

    async def too_late(peer: PeerId, payload: bytes) -> bytes | None:
        await trio.sleep(2.0)
        return b"late"

    async def too_large(peer: PeerId, payload: bytes) -> bytes | None:
        return bytes(NARROW.max_response + 1)

    def declare(index: int, network: Network) -> None:
        if index == 1:
            network.on_request(ASK, answer)
            network.on_request(HASTY, too_late)
            network.on_request(NARROW, too_large)

    async with factory(2, declare) as (alice, bob):

        async def why(protocol: RequestProtocol, payload: bytes, peer: PeerId) -> str:
            with pytest.raises(RequestFailed) as caught:
                await alice.request(peer, protocol, payload)
            assert (caught.value.peer, caught.value.protocol) == (peer, protocol.name)
            return caught.value.why

        answers: dict[int, bytes] = {}

        async def ask(number: int) -> None:
            answers[number] = await alice.request(bob.local_peer, ASK, bytes((number,)) * number)

        async with trio.open_nursery() as nursery:
            for number in range(20):
                nursery.start_soon(ask, number)
        assert answers == {number: bytes((number,)) * number * 1000 for number in range(20)}

        assert await alice.request(bob.local_peer, ASK, b"") == b""
        assert await why(ASK, b"refuse", bob.local_peer) == "refused"
        assert await why(ASK, bytes(1001), bob.local_peer) == "too_large"
        assert await why(HASTY, b"", bob.local_peer) == "timeout"
        assert await why(UNKNOWN, b"", bob.local_peer) == "unsupported"
        assert await why(ASK, b"", STRANGER) == "disconnected"
        assert await why(NARROW, b"", bob.local_peer) == "too_large"
        assert incidents(alice).too_large == {ASK.name: 1}
        assert incidents(bob).too_large == {NARROW.name: 1}
        assert list(alice.connected()) == [bob.local_peer]


async def check_failing_handlers(factory: Factory) -> None:
    """What a handler raises costs the connection that it is about, and nothing else: the node, its
    other connections, its other handlers, and soon that peer again, go on."""
    witness = Listener()
    trouble = "none"

    def at_once(event: NetworkEvent) -> Awaitable[None] | None:
        if trouble == type(event).__name__:
            plant()
        if trouble == "later" and isinstance(event, Notification):
            return later()
        return None

    async def later() -> None:
        await trio.sleep(0.01)
        plant()

    async def answer(peer: PeerId, payload: bytes) -> bytes | None:
        if trouble == "request":
            await trio.sleep(0.01)
            plant()
        return payload

    def plant() -> None:
        nonlocal trouble
        trouble = "none"
        raise ZeroDivisionError("planted")

    def declare(index: int, network: Network) -> None:
        network.on_notification(SMALL, at_once if index == 0 else Listener())
        network.on_notification(LARGE, witness if index == 0 else Listener())
        network.on_request(ASK, answer)

    async with factory(3, declare) as (alice, bob, carol):

        def heard(event: NetworkEvent) -> int:
            return witness.events.count(event)

        connected = PeerConnected(bob.local_peer, ObservedRole.AUTHORITY)
        await until(lambda: heard(connected) == 1)
        for number, place in enumerate(
            ("Notification", "later", "request", "PeerDisconnected", "PeerConnected"), start=1
        ):
            trouble = place
            if place == "request":
                with pytest.raises(RequestFailed, match="disconnected"):
                    await bob.request(alice.local_peer, ASK, b"")
            elif place in ("PeerConnected", "PeerDisconnected"):
                alice.disconnect(bob.local_peer)
            else:
                bob.notify([alice.local_peer], SMALL.name, b"x")
            await until(lambda count: incidents(alice).failures.total() == count, number)
            gone = PeerDisconnected(bob.local_peer)
            ends = number + (place == "PeerConnected")
            await until(lambda event, count: heard(event) >= count, gone, ends)
            await until(lambda count: heard(connected) >= count, ends + 1)
            await until(lambda: bob.local_peer in alice.connected())
            await until(lambda: alice.local_peer in bob.connected())
            assert await bob.request(alice.local_peer, ASK, b"alive") == b"alive"
        assert PeerDisconnected(carol.local_peer) not in witness.events
        assert not incidents(bob).failures
        assert not incidents(carol).failures


async def check_large_answer(factory: Factory) -> None:
    """An answer of megabytes arrives while notifications go on."""
    heard, declare_listeners = listeners(2)
    body = bytes(range(256)) * (5 * 4096)

    async def answer(peer: PeerId, payload: bytes) -> bytes | None:
        return body

    def declare(index: int, network: Network) -> None:
        declare_listeners(index, network)
        network.on_request(ASK, answer)

    async with factory(2, declare) as (alice, bob):
        for number in range(50):
            bob.notify([alice.local_peer], SMALL.name, bytes((number,)))
        assert await alice.request(bob.local_peer, ASK, b"") == body
        await until(lambda: len(heard[0].payloads(SMALL)) == 50)


async def check_disconnect_fails_requests(factory: Factory) -> None:
    """A request under way when its peer goes fails at once."""
    asked = trio.Event()

    async def never(peer: PeerId, payload: bytes) -> bytes | None:
        asked.set()
        await trio.sleep_forever()
        raise AssertionError

    def declare(index: int, network: Network) -> None:
        network.on_request(ASK, never)

    async with factory(2, declare) as (alice, bob):
        reasons: list[str] = []

        async def ask() -> None:
            with pytest.raises(RequestFailed) as caught:
                await alice.request(bob.local_peer, ASK, b"")
            reasons.append(caught.value.why)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await asked.wait()
            bob.disconnect(alice.local_peer)
        assert reasons == ["disconnected"]


async def check_ban(factory: Factory) -> None:
    """A peer far below the floor is disconnected, and does not come back at once."""
    heard, declare = listeners(2)
    async with factory(2, declare) as (alice, bob):
        await until(lambda: bool(heard[0].events and heard[1].events))
        alice.report(bob.local_peer, 10, "useful")
        assert list(alice.connected()) == [bob.local_peer]
        alice.report(bob.local_peer, -1_000_000, "a lie")
        assert not alice.connected()
        await until(lambda: PeerDisconnected(alice.local_peer) in heard[1].events)
        await trio.sleep(1.0)
        assert not alice.connected()
        assert heard[0].events[1:] == [PeerDisconnected(bob.local_peer)]


async def check_reserved_peers(factory: Factory) -> None:
    """Who is reserved is named, once, until it is released; an address that nobody can dial is
    refused."""
    _, declare = listeners(2)
    async with factory(2, declare) as (alice, bob):
        steering = cast(PeerSteering, alice)
        for peer in (STRANGER, bob.local_peer, STRANGER):
            steering.reserve(f"/ip4/127.0.0.1/tcp/9/p2p/{peer}")
        assert list(steering.reserved) == [STRANGER, bob.local_peer]
        for peer in (STRANGER, STRANGER):
            steering.release(peer)
        assert list(steering.reserved) == [bob.local_peer]
        for wrong in ("", "/ip4/127.0.0.1/tcp/9", f"/ip4/0.0.0.0/tcp/9/p2p/{STRANGER}"):
            with pytest.raises(AddressError):
                steering.reserve(wrong)
        assert list(alice.connected()) == [bob.local_peer]


CHECKS = [
    check_all_meet,
    check_order,
    check_leaving,
    check_each_handler_hears,
    check_back_pressure,
    check_taken_at_once_or_later,
    check_handlers_are_not_called_by_the_node,
    check_overflow,
    check_notify_bounds,
    check_requests,
    check_failing_handlers,
    check_large_answer,
    check_disconnect_fails_requests,
    check_ban,
    check_reserved_peers,
]
