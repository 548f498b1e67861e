"""What makes a node hold much: half messages, unread answers, places."""

from __future__ import annotations

import struct

import trio

from parahost.chain.sync.messages import BlockRequest, Direction, Fields, FromNumber
from parahost.network import multistream
from parahost.network.framing import frame
from parahost.ports.network import ObservedRole
from parahost.primitives.basic import U8, U32, BlockNumber
from parahost.primitives.limits import MIB
from parahost.primitives.scale import encode
from tests.hostile.peer import HostilePeer, Tally, Target, besiege

_STREAM = 250_000
_NOTHING = struct.pack(">BBHII", 0, 1, 0, 99_999, 0)
"""A frame that says nothing: who does not read learns of the end when it writes."""
_A_LOOK_S = 0.2


async def half_messages(target: Target, tally: Tally) -> None:
    """All but the last byte of the largest messages, and streams that are full before they say what
    they are for. What strangers send unasked is bounded in all."""

    async def script(peer: HostilePeer) -> None:
        async def send(stream_of: str, size: int) -> None:
            stream = await peer.open(stream_of)
            await stream.send(struct.pack("<I", size) + bytes(size - 1))

        async def fill() -> None:
            await peer.mux.open_stream().send(b"\x7f" + bytes(_STREAM))

        async with trio.open_nursery() as nursery:
            for protocol, size in (
                ("validation", 10 * MIB),
                ("transactions", 5 * MIB),
                ("grandpa", MIB // 2),
            ):
                nursery.start_soon(send, protocol, size)
            for _ in range(100):
                nursery.start_soon(fill)
            await trio.sleep_forever()

    await besiege(target, tally, script, at_a_time=4)


async def half_messages_within_their_time(target: Target, tally: Tally) -> None:
    """One large message a session, a piece now and then, as slowly as is allowed."""

    async def script(peer: HostilePeer) -> None:
        stream = await peer.open("validation")
        await stream.send(struct.pack("<I", 8 * MIB))
        while True:
            await stream.send(bytes(200_000))
            await trio.sleep(1)

    await besiege(target, tally, script, at_a_time=6, role=ObservedRole.AUTHORITY)


async def answers_never_read(target: Target, tally: Tally) -> None:
    """As many requests for blocks as there may be, and not one answer is read."""
    everything = Fields.HEADER | Fields.BODY | Fields.JUSTIFICATION
    request = BlockRequest(
        U8(everything), FromNumber(BlockNumber(U32(1))), Direction.ASCENDING, U32(64)
    )
    opening = b"".join(
        (
            multistream.pack(multistream.HEADER),
            multistream.pack(target.full_name("sync")),
            frame(encode(request)),
        )
    )

    async def script(peer: HostilePeer) -> None:
        peer.stop_reading()
        for _ in range(120):
            await peer.mux.open_stream().send(opening)
        while True:  # until the node has ended it
            await trio.sleep(_A_LOOK_S)
            await peer.send_frames(_NOTHING)

    await besiege(target, tally, script, at_a_time=4)


async def a_crowd_of_idlers(target: Target, tally: Tally) -> None:
    """Sixteen peers of one address with each node that do nothing: full nodes have a share of the
    places, and who earned nothing makes room."""

    async def script(_peer: HostilePeer) -> None:
        await trio.sleep_forever()

    await besiege(target, tally, script, at_a_time=16)
