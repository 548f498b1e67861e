"""Bytes that mean nothing."""

from __future__ import annotations

import os

import trio

from parahost.ports.network import ObservedRole
from parahost.simulation.adversaries.garbage import garbage, notifications
from parahost.simulation.random import Streams
from tests.hostile.peer import HostilePeer, Tally, Target, besiege

PROTOCOLS = ("sync", "req_pov", "req_chunk", "req_available_data", "req_collation")


async def garbage_on_every_protocol(target: Target, tally: Tally) -> None:
    """Something malformed in each protocol, as notification, request and answer: what does not
    decode costs reputation."""
    random = Streams(int.from_bytes(os.urandom(8), "little")).stream("garbage")

    async def asked(_protocol: str, _payload: bytes) -> bytes | None:
        return garbage(random)

    async def script(peer: HostilePeer) -> None:
        while True:
            for protocol, payload in notifications(random):
                await peer.notify(protocol, payload)
            for protocol in PROTOCOLS:
                with trio.move_on_after(1):
                    await peer.request(protocol, garbage(random))
            await trio.sleep(0.2)

    await besiege(target, tally, script, role=ObservedRole.AUTHORITY, asked=asked)


async def more_than_a_protocol_allows(target: Target, tally: Tally) -> None:
    """Lengths beyond each protocol's limit: refused before a byte of it is read, as a violation."""

    async def script(peer: HostilePeer) -> None:
        stream = await peer.open("grandpa")
        await stream.send((2**31).to_bytes(4, "little") + bytes(1000))
        await trio.sleep_forever()

    await besiege(target, tally, script)
