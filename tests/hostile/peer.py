"""A peer on the real network stack that can do anything: noise, yamux and hello are the nodes' own,
and from then on it keeps no rule."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import trio

from parahost.network import multistream, yamux
from parahost.network.errors import PeerError
from parahost.network.framing import frame, receive_frame
from parahost.network.handshake import VERSION, HandshakeRefused, HandshakeVerdict, Hello, agree
from parahost.network.holdings import Holdings
from parahost.network.identity import Identity
from parahost.network.limits import NetworkLimits, YamuxLimits
from parahost.network.secure import SecureChannel, secure
from parahost.ports.network import ObservedRole
from parahost.primitives.addresses import PeerAddress
from parahost.primitives.basic import H256

_LAX = YamuxLimits(
    max_incoming_streams=100_000,
    ping_interval_s=1e6,
    write_stall_s=1e6,
    frames_per_s=1e12,
    frames_burst=1e12,
    frames_burst_of_stranger=1e12,
)
_ENDLESS = 1 << 40
_FRAMES_AT_ONCE = 60_000
_PAUSE_S = 0.1

Heard = Callable[[str, bytes], Awaitable[None]]
Asked = Callable[[str, bytes], Awaitable[bytes | None]]


@dataclass(frozen=True)
class Target:
    """Whom to attack: nodes of one chain."""

    genesis: H256
    nodes: tuple[PeerAddress, ...]

    def full_name(self, protocol: str) -> str:
        return f"/parahost/{self.genesis.hex()}/{protocol}/1"


@dataclass
class Tally:
    """How an attack fared: connections that came about, were refused, and were ended by a node."""

    joined: int = 0
    refused: int = 0
    ended: int = 0
    did: Counter[str] = field(default_factory=Counter)
    """What else the attack did or saw, by its own words."""


class Valve:
    """A channel that may be left unread."""

    def __init__(self, channel: SecureChannel) -> None:
        self._channel = channel
        self.peer, self.initiator = channel.peer, channel.initiator
        self.receive_exactly, self.send = channel.receive_exactly, channel.send
        self.aclose = channel.aclose
        self.is_shut = False

    async def receive(self) -> bytes:
        if self.is_shut:
            await trio.sleep_forever()
        return await self._channel.receive()


class HostilePeer:
    """A new identity that has a connection with one node."""

    def __init__(self, target: Target, identity: Identity, channel: Valve) -> None:
        self.identity = identity
        self.channel = channel
        self.mux = yamux.Yamux(channel, _LAX, Holdings(_NO_LIMITS))  # type: ignore[arg-type]
        self.control: yamux.Stream
        self._target = target
        self._out: dict[str, yamux.Stream] = {}

    async def greet(self, role: ObservedRole) -> None:
        """:raises PeerError: when the node does not want us."""
        hello = Hello(VERSION, self._target.genesis, role, os.urandom(16), ())
        self.control, _ = await agree(
            self.mux,
            self.identity.peer,
            self._target.full_name("handshake"),
            hello,
            lambda _: HandshakeVerdict.ACCEPT,
        )

    async def open(self, protocol: str) -> yamux.Stream:
        stream = self.mux.open_stream()
        await multistream.propose(stream, self._target.full_name(protocol))
        return stream

    async def notify(self, protocol: str, payload: bytes) -> None:
        if protocol not in self._out:
            self._out[protocol] = await self.open(protocol)
        await self._out[protocol].send(frame(payload))

    async def ask(self, protocol: str, payload: bytes) -> yamux.Stream:
        """Ask, and leave the answer where it is."""
        stream = await self.open(protocol)
        await stream.send(frame(payload))
        stream.finish()
        return stream

    async def request(self, protocol: str, payload: bytes) -> bytes | None:
        stream = await self.ask(protocol, payload)
        try:
            (status,) = await stream.receive_exactly(1)
            return None if status else await receive_frame(stream, _ENDLESS)
        finally:
            stream.reset()

    async def send_frames(self, data: bytes) -> None:
        """Whatever yamux frames, as they are."""
        for at in range(0, len(data), _FRAMES_AT_ONCE):
            while len(self.mux._queue) > 4:
                await trio.sleep(0.001)
            self.mux._put(data[at : at + _FRAMES_AT_ONCE], None)
        await trio.lowlevel.checkpoint()

    def stop_reading(self) -> None:
        self.channel.is_shut = True

    async def serve(self, heard: Heard | None, asked: Asked | None) -> None:
        """Let the node open what it likes. Who is not ``asked`` never answers."""
        async with trio.open_nursery() as nursery:
            async for stream in self.mux.accepted:
                nursery.start_soon(self._serve, stream, heard, asked)

    async def _serve(self, stream: yamux.Stream, heard: Heard | None, asked: Asked | None) -> None:
        try:
            name = (await multistream.answer(stream, _Everything())).split("/")[-2]
            if name == "sync" or name.startswith("req_"):
                await self._answer(stream, name, asked)
                return
            while True:
                payload = await receive_frame(stream, _ENDLESS)
                if heard is not None:
                    await heard(name, payload)
        except PeerError:
            return

    async def _answer(self, stream: yamux.Stream, name: str, asked: Asked | None) -> None:
        payload = await receive_frame(stream, _ENDLESS)
        if asked is None:
            await trio.sleep_forever()
            return
        answer = await asked(name, payload)
        await stream.send(b"\1" if answer is None else b"\0" + frame(answer))
        stream.finish()


class _Everything:
    def __contains__(self, _: object) -> bool:
        return True


_NO_LIMITS = NetworkLimits(
    held_bytes_of_stranger=_ENDLESS,
    held_bytes_of_peer=_ENDLESS,
    held_bytes=_ENDLESS,
    unasked_bytes=_ENDLESS,
)


async def reach(node: PeerAddress) -> trio.SocketStream:
    """:raises PeerError: when nobody answers there."""
    try:
        return await trio.open_tcp_stream(node.host, node.port)
    except OSError as error:
        raise PeerError(str(error)) from error


async def secured(target: Target, node: PeerAddress) -> HostilePeer:
    """Noise and yamux are agreed, and nothing is said yet.

    :raises PeerError: when the node ends the connection.
    """
    assert node.peer is not None
    stream = await reach(node)
    identity = Identity(os.urandom(32))
    channel = await secure(stream, identity, node.peer)
    await multistream.propose(channel, yamux.PROTOCOL)
    return HostilePeer(target, identity, Valve(channel))


@asynccontextmanager
async def joined(
    target: Target,
    node: PeerAddress,
    tally: Tally,
    *,
    role: ObservedRole = ObservedRole.FULL,
    heard: Heard | None = None,
    asked: Asked | None = None,
) -> AsyncIterator[HostilePeer]:
    """A session with a node; the block is cancelled when the node ends it.

    :raises PeerError: when there is none.
    """
    peer = await secured(target, node)
    async with trio.open_nursery() as nursery:

        async def carry() -> None:
            await peer.mux.run()
            nursery.cancel_scope.cancel()

        nursery.start_soon(carry)
        try:
            with trio.fail_after(10):
                await peer.greet(role)
            tally.joined += 1
            nursery.start_soon(peer.serve, heard, asked)
            yield peer
        finally:
            tally.ended += peer.mux.ended is not None
            nursery.cancel_scope.cancel()


Script = Callable[[HostilePeer], Awaitable[None]]


async def besiege(
    target: Target,
    tally: Tally,
    script: Script,
    *,
    at_a_time: int = 1,
    role: ObservedRole = ObservedRole.FULL,
    heard: Heard | None = None,
    asked: Asked | None = None,
) -> None:
    """Sessions with each node without end, so many at a time, each under a new identity: the script
    runs on each until one of the two is at its end."""

    async def session(node: PeerAddress) -> None:
        async with joined(target, node, tally, role=role, heard=heard, asked=asked) as peer:
            await script(peer)

    await again_and_again(target.nodes * at_a_time, tally, session)


async def again_and_again(
    nodes: Sequence[PeerAddress], tally: Tally, once: Callable[[PeerAddress], Awaitable[None]]
) -> None:
    """For each of the nodes without end; that a connection fails is counted."""

    async def loop(node: PeerAddress) -> None:
        while True:
            try:
                await once(node)
            except* (PeerError, OSError, trio.TooSlowError, trio.BrokenResourceError) as errors:
                tally.refused += errors.subgroup(HandshakeRefused) is not None
            await trio.sleep(_PAUSE_S)

    async with trio.open_nursery() as nursery:
        for node in nodes:
            nursery.start_soon(loop, node)
