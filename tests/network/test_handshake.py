"""Who talks to whom: hellos and verdicts over a connection."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import trio

from parahost.network.errors import PeerError
from parahost.network.handshake import VERSION, HandshakeVerdict, Hello, agree
from parahost.network.yamux import Yamux
from parahost.ports.network import ObservedRole
from parahost.primitives.basic import H256, PeerId
from tests.network.test_yamux import connected

HELLO = Hello(VERSION, H256(bytes(range(32))), ObservedRole.FULL, bytes(16), ())


def not_to_be_asked(_hello: Hello) -> HandshakeVerdict:
    raise AssertionError("who may come is decided for those only who speak of the same chain")


@pytest.mark.parametrize(
    ("odd", "why"),
    [({"version": VERSION + 1}, "version"), ({"genesis": H256(bytes(32))}, "another chain")],
)
async def test_hellos_are_of_one_version_and_one_chain(odd: dict[str, Any], why: str) -> None:
    """Names of protocols tell chains apart as well; a peer may call them as it likes."""

    async def meet(mux: Yamux, local: str, hello: Hello) -> None:
        with pytest.raises(PeerError, match=why):
            await agree(mux, PeerId(local), "handshake", hello, not_to_be_asked)

    async with connected() as (left, right), trio.open_nursery() as nursery:
        nursery.start_soon(meet, left, "initiator", HELLO)
        nursery.start_soon(meet, right, "responder", replace(HELLO, **odd))
