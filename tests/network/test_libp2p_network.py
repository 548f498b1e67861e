"""The network over real sockets: meeting, strangers, garbage, death and return of peers."""

from __future__ import annotations

import importlib
import os
import signal
import socket
import struct
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import Any

import libp2p
import pytest
import trio
import trio.testing
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.custom_types import TProtocol
from libp2p.peer.peerinfo import info_from_p2p_addr
from multiaddr import Multiaddr

from parahost.network import multistream, yamux
from parahost.network.errors import NetworkError, PeerError
from parahost.network.framing import frame
from parahost.network.handshake import VERSION, HandshakeVerdict, Hello, agree, decode_hello
from parahost.network.holdings import Holdings
from parahost.network.identity import Identity
from parahost.network.libp2p_network import Libp2pNetwork
from parahost.network.limits import NetworkLimits, YamuxLimits
from parahost.network.peers import PeerBook
from parahost.network.secure import secure
from parahost.ports.database import DatabaseError
from parahost.ports.network import NetworkEvent, ObservedRole, PeerConnected, PeerDisconnected
from parahost.primitives.addresses import parse_address
from parahost.primitives.basic import H256, PeerId
from parahost.primitives.limits import MIB
from tests.network.conformance import ASK, LARGE, SMALL, Listener, until
from tests.network.local import GENESIS, loopback, network
from tests.node.harness import ListJournal

LIMITS = NetworkLimits(redial_min_s=0.05)
INTRUDER = Identity(bytes((99,)) * 32)


@asynccontextmanager
async def running(*networks: Libp2pNetwork) -> AsyncIterator[None]:
    async with trio.open_nursery() as nursery:
        for one in networks:
            await nursery.start(one.run)
        yield
        nursery.cancel_scope.cancel()


async def tcp(one: Libp2pNetwork) -> trio.SocketStream:
    address = parse_address(one.listen_addresses[0])
    return await trio.open_tcp_stream(address.host, address.port)


async def closed(stream: trio.SocketStream) -> bytes:
    """Whatever the other side says until it closes, which it must."""
    said = b""
    with trio.fail_after(20):
        try:
            while data := await stream.receive_some(65_536):
                said += data
        except trio.BrokenResourceError:
            pass
    return said


@asynccontextmanager
async def intruder(
    one: Libp2pNetwork,
    genesis: H256 = GENESIS,
    identity: Identity = INTRUDER,
    role: ObservedRole = ObservedRole.FULL,
) -> AsyncIterator[tuple[yamux.Yamux, Callable[[str], str]]]:
    """A peer that shakes hands as it should, and then is in the test's hands."""
    channel = await secure(await tcp(one), identity, one.local_peer)
    await multistream.propose(channel, yamux.PROTOCOL)
    mux = yamux.Yamux(channel, YamuxLimits(), Holdings(NetworkLimits()))
    hello = Hello(VERSION, genesis, role, os.urandom(16), ())

    def full_name(name: str) -> str:
        return f"/parahost/{genesis.hex()}/{name}/1"

    refusal: PeerError | None = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(mux.run)
        try:
            name = full_name("handshake")
            await agree(mux, identity.peer, name, hello, lambda _: HandshakeVerdict.ACCEPT)
        except PeerError as error:
            refusal = error
        else:
            with trio.fail_after(20):
                yield mux, full_name
        nursery.cancel_scope.cancel()
    if refusal is not None:
        raise refusal


async def ended(mux: yamux.Yamux) -> None:
    await until(lambda: mux.ended is not None)


# Meeting.


async def test_who_knows_one_soon_knows_all() -> None:
    async with loopback(5, lambda index, one: None) as networks:
        assert all(len(one.connected()) == 4 for one in networks)


@pytest.mark.parametrize("attempt", range(5))
async def test_two_that_dial_each_other_keep_one_session(attempt: int) -> None:
    alice, bob = network(2 * attempt + 1), network(2 * attempt + 2)
    heard = Listener(), Listener()
    for one, listener in zip((alice, bob), heard, strict=True):
        one.on_notification(SMALL, listener)
    async with running(alice, bob):
        alice.add_reserved(bob.listen_addresses[0])
        bob.add_reserved(alice.listen_addresses[0])
        await until(lambda: bool(alice.connected() and bob.connected()))
        await trio.sleep(0.6)
        alice.notify([bob.local_peer], SMALL.name, b"hello")
        await until(lambda: heard[1].payloads(SMALL) == [b"hello"])
        assert heard[0].events == [PeerConnected(bob.local_peer, ObservedRole.AUTHORITY)]
        assert len(heard[1].events) == 2


async def test_chains_do_not_mix() -> None:
    alice = network(1)
    async with running(alice):
        bob = network(2, alice.listen_addresses, genesis=H256(bytes(32)))
        async with running(bob):
            await trio.sleep(0.5)
            assert not alice.connected()
            assert not bob.connected()


async def test_a_full_house_has_places_for_the_protected() -> None:
    alice = network(1, limits=replace(LIMITS, max_unproven_validators=1))
    async with running(alice):
        bob, carol = network(2, alice.listen_addresses), network(3, alice.listen_addresses)
        async with running(bob):
            await until(lambda: list(alice.connected()) == [bob.local_peer])
            async with running(carol):
                await trio.sleep(0.5)
                assert list(alice.connected()) == [bob.local_peer]
                alice.prioritise([carol.local_peer])
                await until(lambda: len(alice.connected()) == 2)


async def test_who_is_denied_is_cut_off_until_it_is_not() -> None:
    """By one side: it neither dials nor lets in; the third of them keeps both."""
    async with loopback(3, lambda index, one: None) as (alice, bob, carol):
        bob.deny([alice.local_peer])
        await until(lambda: alice.connected() == [carol.local_peer])
        await trio.sleep(0.6)
        assert bob.connected() == [carol.local_peer]
        assert sorted(carol.connected()) == sorted([alice.local_peer, bob.local_peer])
        bob.deny([])
        await until(lambda: len(alice.connected()) == len(bob.connected()) == 2)


async def test_who_is_banned_while_its_newer_connection_begins_is_not_let_in() -> None:
    """The end of its older one is heard in between."""
    alice = network(1)

    def ban(event: NetworkEvent) -> None:
        if isinstance(event, PeerDisconnected):
            alice.report(event.peer, -10_000, "it has gone too far")

    alice.on_notification(SMALL, ban)
    async with running(alice), intruder(alice) as (older, _):
        await until(lambda: alice.connected() == [INTRUDER.peer])
        with suppress(PeerError):
            async with intruder(alice) as (newer, _):
                await ended(older)
                await ended(newer)
        assert alice.connected() == []


async def test_full_nodes_do_not_take_the_places_of_collators_and_validators() -> None:
    """All are at one address, and stay as long as they like."""
    alice = network(1, limits=replace(LIMITS, max_full_nodes=2))
    crowd = [Identity(bytes((number,)) * 32) for number in range(60, 66)]
    async with running(alice), AsyncExitStack() as stack:
        refused = 0
        for one in crowd:
            try:
                await stack.enter_async_context(intruder(alice, identity=one))
            except PeerError:
                refused += 1
        assert (refused, len(alice.connected())) == (4, 2)
        for number, role in ((70, ObservedRole.COLLATOR), (71, ObservedRole.AUTHORITY)):
            identity = Identity(bytes((number,)) * 32)
            await stack.enter_async_context(intruder(alice, identity=identity, role=role))
            await until(lambda peer: peer in alice.connected(), identity.peer)
        assert len(alice.connected()) == 4


async def test_reaching_somebody_else_is_no_connection() -> None:
    alice = network(1)
    async with running(alice):
        address = alice.listen_addresses[0].replace(alice.local_peer, INTRUDER.peer)
        bob = network(2, [address])
        async with running(bob):
            await trio.sleep(0.3)
            assert not bob.connected()


async def test_the_protocols_of_others_understand_ours() -> None:
    """A host of py-libp2p, with its own muxer, dials us and hears our hello."""
    alice = network(1)
    host = libp2p.new_host(key_pair=create_new_key_pair(bytes((7,)) * 32))
    async with running(alice), host.run(listen_addrs=[Multiaddr("/ip4/127.0.0.1/tcp/0")]):
        info = info_from_p2p_addr(Multiaddr(alice.listen_addresses[0]))
        with trio.fail_after(20):
            await host.connect(info)
            name = f"/parahost/{GENESIS.hex()}/handshake/1"
            stream = await host.new_stream(info.peer_id, [TProtocol(name)])
            data = b""
            while len(data) < 4 or len(data) < 4 + int.from_bytes(data[:4], "little"):
                data += await stream.read(4096)
        hello = decode_hello(data[4:])
        assert (hello.genesis, hello.listen) == (GENESIS, tuple(alice.listen_addresses))


async def test_a_public_address_is_told_before_where_a_node_listens() -> None:
    alice = network(1, public=["/ip4/192.0.2.1/tcp/30333"])
    bob = network(2)
    async with running(alice, bob):
        public = f"/ip4/192.0.2.1/tcp/30333/p2p/{alice.local_peer}"
        assert alice.listen_addresses[0] == public
        assert len(alice.listen_addresses) == 2
        bob.add_reserved(alice.listen_addresses[1])
        await until(lambda: bool(bob.connected()))
        known = map(str, bob._book.addresses_of([alice.local_peer]))
        assert public in known


@pytest.mark.parametrize(
    "odd",
    [
        "192.0.2.1:30333",
        "/ip4/0.0.0.0/tcp/30333",
        "/ip4/192.0.2.1/tcp/0",
        f"/ip4/192.0.2.1/tcp/30333/p2p/{INTRUDER.peer}",
    ],
)
def test_a_public_address_must_be_one_of_ours_that_can_be_dialled(odd: str) -> None:
    with pytest.raises(NetworkError):
        network(1, public=[odd])


async def test_a_bootnode_that_is_not_there_gets_one_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    alice = network(1, [f"/ip4/127.0.0.1/tcp/1/p2p/{INTRUDER.peer}"])
    async with running(alice):
        await until(lambda: "not reached" in caplog.text)
        await trio.sleep(1)
    [line] = [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]
    assert INTRUDER.peer in line and "not reached" in line


async def test_a_bootnode_of_another_chain_gets_a_line(caplog: pytest.LogCaptureFixture) -> None:
    alice = network(1, genesis=H256(bytes(32)))
    async with running(alice):
        bob = network(2, alice.listen_addresses)
        async with running(bob):
            await until(lambda: "on another chain" in caplog.text)
            assert not bob.connected()


# Garbage.


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        bytes(100_000),
        b"\xff" * 1000,
        multistream.pack(multistream.HEADER) + b"\xff\xff\xff\xff\xff\xff\xff\x7f",
        multistream.pack(multistream.HEADER) + multistream.pack("/noise") + bytes(70_000),
        multistream.pack(multistream.HEADER) + multistream.pack("/noise") + b"\xff" * 70_000,
    ],
    ids=["http", "zeros", "ones", "long line", "empty noise", "wrong noise"],
)
async def test_garbage_closes_its_connection_only(data: bytes) -> None:
    alice = network(1, limits=replace(LIMITS, handshake_timeout_s=2.0))
    async with running(alice), intruder(alice):
        stream = await tcp(alice)
        with suppress(trio.BrokenResourceError):
            await stream.send_all(data)
        await closed(stream)
        assert list(alice.connected()) == [INTRUDER.peer]


async def test_strangers_that_say_nothing_are_closed_and_hear_nothing() -> None:
    alice = network(1, limits=replace(LIMITS, silence_timeout_s=0.2))
    async with running(alice):
        assert await closed(await tcp(alice)) == b""


async def test_a_crowd_of_silent_strangers_keeps_nobody_out() -> None:
    alice = network(1, limits=replace(LIMITS, max_silent_connections=4))
    async with running(alice):
        crowd = [await tcp(alice) for _ in range(10)]
        async with intruder(alice):
            await until(lambda: list(alice.connected()) == [INTRUDER.peer])
        await closed(crowd[0])


async def test_bare_connections_displace_no_handshake() -> None:
    limits = replace(LIMITS, max_silent_connections=4, max_pending_connections=4)
    alice = network(1, limits=limits)
    async with running(alice):
        slow = await tcp(alice)
        await slow.send_all(multistream.pack(multistream.HEADER)[:1])
        await trio.sleep(0.05)
        for _ in range(20):
            await tcp(alice)
        await slow.send_all(multistream.pack(multistream.HEADER)[1:])
        assert await slow.receive_some(100) == multistream.pack(multistream.HEADER)


async def test_a_peer_that_says_nothing_after_noise_is_closed() -> None:
    alice = network(1, limits=replace(LIMITS, handshake_timeout_s=2.0))
    async with running(alice):
        channel = await secure(await tcp(alice), INTRUDER, alice.local_peer)
        await multistream.propose(channel, yamux.PROTOCOL)
        with trio.fail_after(20), pytest.raises(PeerError):
            while True:
                await channel.receive()


@pytest.mark.parametrize(
    ("protocol", "data"),
    [
        (SMALL.name, (SMALL.max_size + 1).to_bytes(4, "little")),
        (SMALL.name, b"\xff\xff\xff\xff"),
        (ASK.name, b"\xff\xff\xff\xff"),
    ],
)
@pytest.mark.guide("A98", "A108")
async def test_violations_cost_the_connection_and_twice_a_ban(protocol: str, data: bytes) -> None:
    alice = network(1)
    alice.on_notification(SMALL, Listener())

    async def answer(peer: object, payload: bytes) -> bytes:
        return b""

    alice.on_request(ASK, answer)
    async with running(alice):
        for _ in range(2):
            async with intruder(alice) as (mux, full_name):
                stream = mux.open_stream()
                await multistream.propose(stream, full_name(protocol))
                await stream.send(data)
                await ended(mux)
            await until(lambda: not alice.connected())
        with pytest.raises(PeerError):
            async with intruder(alice):
                pass


async def test_an_unknown_protocol_is_refused_politely() -> None:
    alice = network(1)
    async with running(alice), intruder(alice) as (mux, full_name):
        with pytest.raises(PeerError, match="does not speak"):
            await multistream.propose(mux.open_stream(), full_name("nonsense"))
        assert list(alice.connected()) == [INTRUDER.peer]


async def test_an_unfinished_message_is_waited_for_without_harm() -> None:
    alice = network(1)
    heard = Listener()
    alice.on_notification(SMALL, heard)
    async with running(alice), intruder(alice) as (mux, full_name):
        stream = mux.open_stream()
        await multistream.propose(stream, full_name(SMALL.name))
        message = frame(b"slowly but surely")
        await stream.send(message[:7])
        await trio.sleep(0.1)
        assert not heard.payloads(SMALL)
        await stream.send(message[7:])
        await until(lambda: heard.payloads(SMALL) == [b"slowly but surely"])


async def test_beyond_its_rate_a_peer_is_slowed_and_then_banned() -> None:
    limits = replace(LIMITS, messages_per_s=20.0, messages_burst=10.0, reputation_floor=-150)
    alice = network(1, limits=limits)
    heard = Listener()
    alice.on_notification(SMALL, heard)
    async with running(alice), intruder(alice) as (mux, full_name):
        stream = mux.open_stream()
        await multistream.propose(stream, full_name(SMALL.name))
        await stream.send(frame(b"again") * 1000)
        await ended(mux)
        assert 10 <= len(heard.payloads(SMALL)) < 200


async def test_who_is_banned_and_comes_again_is_refused() -> None:
    """And so it is not dialled either; the ban is of the peer, not of its connection."""
    alice, bob = network(1), network(2)
    async with running(alice, bob):
        bob.add_reserved(alice.listen_addresses[0])
        await until(lambda: bool(alice.connected()))
        alice.report(bob.local_peer, -2000, "planted")
        await until(lambda: not alice.connected() and not bob.connected())
        for _ in range(20):  # bob dials every 0.05 s at first
            await trio.sleep(0.05)
            assert not alice.connected() and not bob.connected()


async def test_requests_beyond_the_limit_are_refused() -> None:
    alice = network(1, limits=replace(LIMITS, max_requests_in=2))
    asked = 0

    async def answer(peer: object, payload: bytes) -> bytes:
        nonlocal asked
        asked += 1
        await trio.sleep_forever()
        raise AssertionError

    alice.on_request(ASK, answer)
    async with running(alice), intruder(alice) as (mux, full_name):
        for _ in range(2):
            stream = mux.open_stream()
            await multistream.propose(stream, full_name(ASK.name))
            await stream.send(frame(b""))
        await until(lambda: asked == 2)
        stream = mux.open_stream()
        await multistream.propose(stream, full_name(ASK.name))
        assert await stream.receive_exactly(1) == b"\x01"


# What one peer can make the node hold.


async def test_answers_that_are_not_read_are_few_and_cost_the_peer_its_place() -> None:
    """Of requests for large answers, as many are answered at a time as there is room for; who does
    not read is disconnected in the end."""
    made = 0
    body = bytes(3 * MIB)

    async def answer(peer: object, payload: bytes) -> bytes:
        nonlocal made
        made += payload == b"unread"
        return body

    limits = replace(LIMITS, answer_bytes_of_peer=ASK.max_response, answer_grace_s=1.0)
    hasty = replace(ASK, timeout_s=1.0)
    alice = network(1, limits=limits)
    alice.on_request(hasty, answer)
    async with running(alice), intruder(alice) as (mux, full_name):
        with suppress(PeerError):  # it may have to go before it has asked for all
            for _ in range(20):
                stream = mux.open_stream()
                await multistream.propose(stream, full_name(ASK.name))
                await stream.send(frame(b"unread"))
        await ended(mux)
        await until(lambda: INTRUDER.peer not in alice.connected())
    assert 1 <= made <= ASK.max_response // len(body) + 1


async def test_who_does_not_read_its_answers_holds_up_nobody_elses() -> None:
    """However long: there is room for one answer at a time, and it is for those that are made."""
    body = bytes(3 * MIB)

    async def answer(peer: object, payload: bytes) -> bytes:
        return body

    limits = replace(
        LIMITS,
        answer_bytes=ASK.max_response,
        unread_bytes_of_stranger=10 * MIB,
        unread_answer_bytes=10 * MIB,
        answer_grace_s=1e6,
    )
    alice = network(1, limits=limits)
    alice.on_request(ASK, answer)
    async with running(alice), intruder(alice) as (mux, full_name):

        async def leave_alone() -> None:
            stream = mux.open_stream()
            await multistream.propose(stream, full_name(ASK.name))
            await stream.send(frame(b""))
            await stream.receive_exactly(1)

        for _ in range(2):
            await leave_alone()
        bob = network(2, alice.listen_addresses)
        async with running(bob):
            await until(lambda: alice.local_peer in bob.connected())
            for _ in range(3):
                assert await bob.request(alice.local_peer, ASK, b"") == body
        assert mux.ended is None
        with suppress(PeerError):
            for _ in range(2):
                await leave_alone()
        await ended(mux)


async def test_who_does_not_read_its_notifications_goes() -> None:
    """It reads what belongs to the connection, so that this lives; and no stream of ours."""
    alice = network(1, limits=replace(LIMITS, notification_stall_s=0.3, message_bytes_per_s=1e9))
    alice.on_notification(LARGE, Listener())
    async with running(alice), intruder(alice) as (mux, _):
        await until(lambda: bool(alice.connected()))

        async def agree_to_all() -> None:
            async for stream in mux.accepted:
                await multistream.answer(stream, {f"/parahost/{GENESIS.hex()}/{LARGE.name}/1"})

        async with trio.open_nursery() as nursery:
            nursery.start_soon(agree_to_all)
            alice.notify([INTRUDER.peer], LARGE.name, bytes(LARGE.max_size))
            await ended(mux)
            await until(lambda: not alice.connected())


async def test_a_message_that_stops_half_way_ends_its_session() -> None:
    alice = network(1, limits=replace(LIMITS, message_stall_s=0.3))
    alice.on_notification(SMALL, Listener())
    async with running(alice), intruder(alice) as (mux, full_name):
        stream = mux.open_stream()
        await multistream.propose(stream, full_name(SMALL.name))
        await stream.send(frame(b"whole") + frame(b"never finished")[:-1])
        await ended(mux)
        await until(lambda: not alice.connected())


# What this node fails at stays on its connection.


async def test_pings_before_any_hello_end_their_connection_only() -> None:
    """Their answers are not read, and streams are opened in the same messages; a stranger needs
    no more than a key for it."""
    alice = network(1)
    async with running(alice):
        for _ in range(2):
            channel = await secure(await tcp(alice), INTRUDER, alice.local_peer)
            await multistream.propose(channel, yamux.PROTOCOL)
            with trio.move_on_after(2), suppress(PeerError):
                for number in range(1, 80, 2):
                    pings = struct.pack(">BBHII", 0, 2, 1, 0, 7) * 5400
                    await channel.send(pings + struct.pack(">BBHII", 0, 1, 1, number, 0))
            await channel.aclose()
        async with intruder(alice):
            await until(lambda: list(alice.connected()) == [INTRUDER.peer])
    assert not alice.incidents.failures


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("session", "decode_told"),
        ("session", "encode_told"),
        ("session", "TokenBucket.take"),
        ("session", "PeerSession._serve"),
        ("session", "PeerSession._throttle"),
        ("session", "PeerSession._send_notifications"),
        ("handshake", "decode_hello"),
        ("multistream", "receive_line"),
        ("libp2p_network", "agree"),
        ("transport", "secure"),
        ("libp2p_network", "listen_addresses"),
        ("libp2p_network", "Libp2pNetwork._judge"),
        ("libp2p_network", "Libp2pNetwork._known_addresses"),
        ("libp2p_network", "Libp2pNetwork._learn"),
        ("yamux", "Yamux._on_stream_frame"),
        ("yamux", "Stream.deliver"),
        ("yamux", "Stream.widen"),
        ("yamux", "Stream.written"),
        ("peers", "PeerBook.due"),
        ("peers", "PeerBook.begin"),
        ("peers", "PeerBook.reached"),
        ("peers", "PeerBook.ended"),
    ],
)
async def test_an_exception_anywhere_stays_on_its_connection(
    monkeypatch: pytest.MonkeyPatch, module: str, name: str
) -> None:
    """Planted once in a part that serves connections; those who dial again find the node well."""
    owner: Any = importlib.import_module(f"parahost.network.{module}")
    *path, attribute = name.split(".")
    for each in path:
        owner = getattr(owner, each)
    original = getattr(owner, attribute)
    planted = 0

    def fail_once(*args: object, **named: object) -> object:
        nonlocal planted
        if not planted:
            planted += 1
            raise ZeroDivisionError("planted")
        return original(*args, **named)

    monkeypatch.setattr(owner, attribute, fail_once)
    alice = network(1)
    heard = Listener()
    alice.on_notification(SMALL, heard)
    async with running(alice):
        nobody = f"/ip4/127.0.0.1/tcp/1/p2p/{INTRUDER.peer}"
        bob = network(2, [*alice.listen_addresses, nobody])
        bob.on_notification(SMALL, Listener())
        async with running(bob):
            with trio.fail_after(20):
                while not (planted and heard.payloads(SMALL)):
                    bob.notify([alice.local_peer], SMALL.name, b"hello")
                    await trio.sleep(0.05)
            await until(lambda: bool(alice.connected() and bob.connected()))
    assert planted == 1
    assert alice.incidents.failures.total() + bob.incidents.failures.total() == 1


@pytest.mark.parametrize("chain", [GENESIS, H256(bytes(32))], ids=["session", "other chain"])
async def test_what_ends_counts_once_for_who_dialled(
    monkeypatch: pytest.MonkeyPatch, chain: H256
) -> None:
    """A session that is short, and an attempt that becomes none."""
    ended: list[float] = []
    original = PeerBook.ended

    def note(book: PeerBook, peer: PeerId, lasted_s: float) -> None:
        if peer == alice.local_peer:
            ended.append(lasted_s)
        original(book, peer, lasted_s)

    patient = NetworkLimits(redial_min_s=1000, redial_max_s=1000)
    alice = network(1, genesis=chain, limits=patient)
    async with running(alice):
        bob = network(2, alice.listen_addresses, limits=patient)
        monkeypatch.setattr(PeerBook, "ended", note)
        async with running(bob):
            if chain == GENESIS:
                await until(lambda: bool(bob.connected()))
                bob.disconnect(alice.local_peer)
            await until(lambda: bool(ended))
            await trio.testing.wait_all_tasks_blocked(0.2)
    assert len(ended) == 1 and ended[0] > 0, "somebody was there"


@pytest.mark.parametrize("error", [ValueError, UnicodeError, OverflowError, socket.gaierror])
async def test_whatever_dialling_an_address_raises_is_no_end(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    dialled = 0

    async def dial(*_: object) -> None:
        nonlocal dialled
        dialled += 1
        raise error("an odd address")

    monkeypatch.setattr(trio, "open_tcp_stream", dial)
    alice = network(1, [f"/ip4/127.0.0.1/tcp/1/p2p/{INTRUDER.peer}"])
    async with running(alice):
        await until(lambda: dialled >= 2)
    assert alice.incidents.failures.total() == (0 if issubclass(error, OSError) else dialled)


async def test_a_database_that_fails_is_the_nodes_end() -> None:
    def fail(event: NetworkEvent) -> None:
        raise DatabaseError("the disk is full")

    alice, bob = network(1), network(2)
    alice.on_notification(SMALL, fail)
    with pytest.RaisesGroup(DatabaseError, flatten_subgroups=True, allow_unwrapped=True):
        async with running(alice, bob):
            bob.add_reserved(alice.listen_addresses[0])
            await trio.sleep(20)


# Listening.


async def test_a_taken_port_is_one_clear_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        one = network(1, listen=f"/ip4/127.0.0.1/tcp/{port}")
        with pytest.raises(NetworkError) as caught:
            await one.run()
    assert str(caught.value) == (
        f"/ip4/127.0.0.1/tcp/{port}: the port is taken; "
        "stop the process that has it, or use another port"
    )


@pytest.mark.parametrize(
    ("listen", "bootnode"),
    [
        ("0.0.0.0:30333", None),
        ("/dns/localhost/tcp/1", None),
        ("/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/tcp/1"),
        ("/ip4/127.0.0.1/tcp/0", f"/ip4/127.0.0.1/tcp/0/p2p/{INTRUDER.peer}"),
        ("/ip4/127.0.0.1/tcp/0", "nonsense"),
    ],
)
def test_malformed_addresses_are_named(listen: str, bootnode: str | None) -> None:
    with pytest.raises(NetworkError, match="; "):
        network(1, [] if bootnode is None else [bootnode], listen=listen)


# Death and return.


async def test_a_peer_that_restarts_is_found_again() -> None:
    events: list[NetworkEvent] = []

    async def hear(event: NetworkEvent) -> None:
        events.append(event)

    alice = network(1)
    alice.on_notification(SMALL, hear)
    bob = network(2)
    async with running(alice):
        async with running(bob):
            alice.add_reserved(bob.listen_addresses[0])
            await until(lambda: len(events) == 1)
        await until(lambda: len(events) == 2)
        async with running(network(2, listen=bob.listen_addresses[0].split("/p2p/")[0])):
            await until(lambda: len(events) == 3)
            connected = PeerConnected(bob.local_peer, ObservedRole.AUTHORITY)
            assert events == [connected, PeerDisconnected(bob.local_peer), connected]


NODE = """
import sys, trio
from tests.network.local import network
from tests.network.conformance import SMALL, Listener
async def main():
    one = network(50, sys.argv[1:])
    one.on_notification(SMALL, Listener())
    await one.run()
trio.run(main)
"""


async def test_a_killed_process_is_missed_and_welcomed_back() -> None:
    alice = network(1)
    heard = Listener()
    alice.on_notification(SMALL, heard)
    async with running(alice), trio.open_nursery() as nursery:
        command = [sys.executable, "-c", NODE, *alice.listen_addresses]
        for round_ in range(2):
            start = partial(trio.run_process, command, check=False)
            process = await nursery.start(start)
            await until(lambda count: len(heard.events) == count, 2 * round_ + 1)
            assert len(alice.connected()) == 1
            process.send_signal(signal.SIGKILL)
            await until(lambda count: len(heard.events) == count, 2 * round_ + 2)
            assert not alice.connected()


async def test_who_comes_and_leaves_is_in_the_journal() -> None:
    here, there = ListJournal(), ListJournal()
    alice = network(1, journal=here)
    async with running(alice):
        bob = network(2, alice.listen_addresses, journal=there)
        async with running(bob):
            await until(lambda: bool(alice.connected() and bob.connected()))
            alice.report(bob.local_peer, -2000, "an experiment")
            await until(lambda: not alice.connected() and not bob.connected())
            await until(lambda: "peer.disconnected" in there.names())
    came = {"role": "authority", "address": "127.0.0.1"}
    assert here.events[0] == (
        "peer.connected",
        {"peer": bob.local_peer, "direction": "in", **came},
    )
    assert there.events[0] == (
        "peer.connected",
        {"peer": alice.local_peer, "direction": "out", **came},
    )
    banned = {"peer": bob.local_peer, "seconds": 60.0, "reason": "an experiment"}
    assert here.events[1] == ("peer.banned", banned)
    name, left = here.events[2]
    assert (name, left["peer"]) == ("peer.disconnected", bob.local_peer)
    assert left["reason"] == "banned: an experiment"
    assert isinstance(left["seconds"], float)
    name, left = there.events[1]
    assert (name, left["peer"]) == ("peer.disconnected", alice.local_peer)
