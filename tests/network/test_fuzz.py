"""Whatever a peer sends, at whatever depth, ends its connection in order or is survived.

Nothing but the errors meant for it comes out; handlers hear of its coming and going; and in the end
nothing of it is held.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from parahost.network import multistream
from parahost.network.errors import PeerError
from parahost.network.framing import frame
from parahost.network.handshake import VERSION, HandshakeVerdict, Hello, agree
from parahost.network.holdings import Holdings
from parahost.network.incidents import Incidents
from parahost.network.limits import NetworkLimits, YamuxLimits
from parahost.network.session import PeerSession, PeerTalk, Protocols
from parahost.network.yamux import Yamux
from parahost.ports.network import (
    NetworkEvent,
    NotificationProtocol,
    ObservedRole,
    PeerConnected,
    PeerDisconnected,
    RequestProtocol,
)
from parahost.primitives.basic import H256, PeerId
from parahost.primitives.scale import encode
from tests.network.local import SystemClock
from tests.network.test_yamux import connected, header, muxed

LIMITS = NetworkLimits(handshake_timeout_s=1.0, message_stall_s=1.0)
HELLO = Hello(VERSION, H256(bytes(32)), ObservedRole.FULL, bytes(16), ())
NOTIFICATION = NotificationProtocol("told", 300)
REQUEST = RequestProtocol("asked", max_request=300, max_response=300, timeout_s=1.0)
NAMES = ["/x/told/1", "/x/asked/1", "/x/handshake/1", "/x/nothing/1", "na"]

lines = st.sampled_from([multistream.HEADER, *NAMES]).map(multistream.pack)
payloads = st.binary(max_size=400)
spoken = st.lists(
    lines | payloads | payloads.map(frame) | st.sampled_from([encode(HELLO), frame(encode(HELLO))]),
    max_size=6,
).map(b"".join)
opened = lines.map(lambda line: multistream.pack(multistream.HEADER) + line)
frames = st.one_of(
    st.builds(
        header,
        st.sampled_from((0, 1, 1, 2, 3, 9)),
        st.integers(0, 15),
        st.integers(0, 9),
        st.sampled_from((0, 1, 7, 300, 2**18 + 1, 2**32 - 1)),
    ),
    st.builds(
        lambda flags, number, data: header(0, flags, number, len(data)) + data,
        st.sampled_from((0, 1, 1, 5, 4, 8)),
        st.integers(0, 9),
        st.builds(bytes.__add__, opened, spoken),
    ),
    st.binary(max_size=30),
)


async def serve(mux: Yamux, incidents: Incidents) -> list[NetworkEvent]:
    """A session as a network makes it, to its end."""
    heard: list[NetworkEvent] = []
    protocols = Protocols("/x")
    protocols.notifications[NOTIFICATION.name] = (NOTIFICATION, heard.append)

    async def answer(peer: PeerId, payload: bytes) -> bytes | None:
        return payload or None

    protocols.requests[REQUEST.name] = (REQUEST, answer)

    def nothing(*_: object) -> Any:
        return []

    session = PeerSession(
        mux,
        mux.open_stream(),
        HELLO,
        network="192.0.2.1",
        burst=1.0,
        protocols=protocols,
        limits=LIMITS,
        clock=SystemClock(),
        talk=PeerTalk(nothing, nothing, nothing, lambda _: False),
        incidents=incidents,
    )
    session.notify(NOTIFICATION.name, b"hello")
    await session.run()
    return heard


@given(st.lists(frames, max_size=25))
@settings(max_examples=100, deadline=None)
def test_a_session_with_anything(parts: list[bytes]) -> None:
    async def main() -> None:
        ours, theirs = trio.testing.memory_stream_pair()
        holdings, incidents = Holdings(NetworkLimits()), Incidents()
        mux = muxed(ours, initiator=False, limits=YamuxLimits(), holdings=holdings)
        heard: list[NetworkEvent] = []

        async def to_the_end() -> None:
            heard.extend(await serve(mux, incidents))

        with trio.fail_after(20):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(mux.run)
                nursery.start_soon(to_the_end)
                with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                    await trio.testing.wait_all_tasks_blocked()
                    await theirs.send_all(b"".join(parts))
                    await trio.testing.wait_all_tasks_blocked()
                    await theirs.send_stream.aclose()
        assert mux.ended is not None
        assert mux.failure is None
        assert not incidents.failures
        assert heard[0] == PeerConnected(mux.peer, ObservedRole.FULL)
        assert heard[-1] == PeerDisconnected(mux.peer)
        assert (holdings.held, holdings.making, holdings.unread) == (0, 0, 0)

    trio.run(main)


def accept(_: Hello) -> HandshakeVerdict:
    return HandshakeVerdict.ACCEPT


@given(spoken, st.booleans(), st.booleans())
@settings(max_examples=100, deadline=None)
def test_a_handshake_with_anything(said: bytes, begins: bool, finishes: bool) -> None:
    async def main() -> None:
        async with connected() as (left, right):
            ours, theirs = (left, right) if begins else (right, left)

            async def say() -> None:
                stream = await theirs.accepted.receive() if begins else theirs.open_stream()
                await stream.send(multistream.pack(multistream.HEADER))
                await stream.send(multistream.pack("/x/handshake/1") + said)
                if finishes:
                    stream.finish()
                else:
                    await trio.testing.wait_all_tasks_blocked()
                    theirs.abort("enough")

            async with trio.open_nursery() as nursery:
                nursery.start_soon(say)
                with trio.move_on_after(2.0), suppress(PeerError):
                    await agree(ours, PeerId("a"), "/x/handshake/1", HELLO, accept)

    trio.run(main)
