"""Attacks on what carries the messages: TCP, noise, yamux, the hello."""

from __future__ import annotations

import itertools
import os
import struct
from collections import deque

import trio

from parahost.network import multistream
from parahost.network.errors import PeerError
from parahost.network.secure import MAX_PLAINTEXT
from parahost.primitives.addresses import PeerAddress
from tests.hostile.peer import (
    HostilePeer,
    Tally,
    Target,
    again_and_again,
    besiege,
    joined,
    reach,
    secured,
)

_FRAME = struct.Struct(">BBHII")
_DATA, _UPDATE, _PING = range(3)
_SYN, _RST = 1, 8
_BREATH_S = 0.1
"""Between two floods of more frames than are read in that time: an attacker that takes a whole
processor would measure the machine."""


async def pings_before_a_hello(target: Target, tally: Tally) -> None:
    """Pings whose answers are not read, and a stream opening, in one message, before anything is
    said: ended every node in 0.1 s. A connection's frames are its own affair, and cost it."""
    pings = _FRAME.pack(0, _PING, _SYN, 0, 7) * (MAX_PLAINTEXT // _FRAME.size - 1)

    async def once(node: PeerAddress) -> None:
        peer = await secured(target, node)
        tally.joined += 1
        try:
            for stream in itertools.count(1, 2):
                await peer.channel.send(pings + _FRAME.pack(0, _UPDATE, _SYN, stream, 0))
                await trio.sleep(_BREATH_S)
        except PeerError:
            tally.ended += 1
        finally:
            with trio.CancelScope(shield=True):
                await peer.channel.aclose()

    await again_and_again(target.nodes, tally, once)


async def pings_never_read(target: Target, tally: Tally) -> None:
    """Pings in a session that reads nothing: who does not read is gone (``MAX_QUEUED_FRAMES``)."""

    async def script(peer: HostilePeer) -> None:
        peer.stop_reading()
        while True:
            await peer.send_frames(_FRAME.pack(0, _PING, _SYN, 0, 7) * 5000)
            await trio.sleep(_BREATH_S)

    await besiege(target, tally, script)


async def frames_without_data(target: Target, tally: Tally) -> None:
    """Window updates and empty data for streams that there are not: frames of a connection are read
    at a rate, and the sender waits."""
    flood = _FRAME.pack(0, _UPDATE, 0, 99_999, 1) + _FRAME.pack(0, _DATA, 0, 99_999, 0)

    async def script(peer: HostilePeer) -> None:
        while True:
            await peer.send_frames(flood * 2500)
            await trio.sleep(_BREATH_S)

    await besiege(target, tally, script)


async def streams_opened_and_reset(target: Target, tally: Tally) -> None:
    """Rapid reset: opening a stream counts for twenty frames."""

    async def script(peer: HostilePeer) -> None:
        for first in itertools.count(100_001, 2000):
            await peer.send_frames(
                b"".join(
                    _FRAME.pack(0, _UPDATE, flags, stream, 0)
                    for stream in range(first, first + 2000, 2)
                    for flags in (_SYN, _RST)
                )
            )
            await trio.sleep(_BREATH_S)

    await besiege(target, tally, script)


async def nonsense_frames(target: Target, tally: Tally) -> None:
    """Frames of no version and no type: a violation ends the connection."""

    async def script(peer: HostilePeer) -> None:
        await peer.send_frames(os.urandom(_FRAME.size * 20))
        await trio.sleep_forever()

    await besiege(target, tally, script)


async def bare_connections(target: Target, tally: Tally) -> None:
    """TCP connections that say nothing: they have a room of their own, for three seconds, and
    displace no handshake."""

    async def hold(node: PeerAddress) -> None:
        held: deque[trio.SocketStream] = deque()
        try:
            while True:
                held.append(await reach(node))
                tally.did["connections"] += 1
                if len(held) > 100:
                    await trio.aclose_forcefully(held.popleft())
                await trio.sleep(0.01)
        finally:
            for stream in held:
                with trio.CancelScope(shield=True):
                    await trio.aclose_forcefully(stream)

    await again_and_again(target.nodes, tally, hold)


async def half_handshakes(target: Target, tally: Tally) -> None:
    """A first message of noise, for which the node does its key work, and no more: handshakes of
    one address at a time are few, and have ten seconds."""
    greeting = b"".join(
        (
            multistream.pack(multistream.HEADER),
            multistream.pack("/noise"),
            (32).to_bytes(2, "big"),
            os.urandom(32),
        )
    )

    async def once(node: PeerAddress) -> None:
        stream = await reach(node)
        try:
            await stream.send_all(greeting)
            tally.did["handshakes"] += 1
            with trio.move_on_after(0.5):
                await stream.receive_some(65536)
        finally:
            with trio.CancelScope(shield=True):
                await trio.aclose_forcefully(stream)

    await again_and_again(target.nodes * 4, tally, once)


async def come_and_go(target: Target, tally: Tally) -> None:
    """Sessions that end as soon as they have begun."""

    async def once(node: PeerAddress) -> None:
        async with joined(target, node, tally):
            pass

    await again_and_again(target.nodes * 2, tally, once)
