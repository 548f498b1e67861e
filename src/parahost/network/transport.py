"""TCP below the sessions: listening, and a connection made secure and multiplexed."""

from __future__ import annotations

from collections.abc import Sequence

import trio

from parahost.network import multistream, yamux
from parahost.network.errors import PeerError
from parahost.network.holdings import Holdings
from parahost.network.identity import Identity
from parahost.network.limits import YamuxLimits
from parahost.network.operator_addresses import cannot_listen
from parahost.network.secure import secure
from parahost.primitives.addresses import PeerAddress
from parahost.primitives.basic import PeerId


async def open_listeners(
    addresses: Sequence[PeerAddress], peer: PeerId
) -> tuple[list[trio.SocketListener], list[PeerAddress]]:
    """Listen at all of these; gives also where, with real ports and the peer id.

    :raises NetworkError: when one cannot be listened at; then none is.
    """
    listeners: list[trio.SocketListener] = []
    listening: list[PeerAddress] = []
    for address in addresses:
        try:
            opened = await trio.open_tcp_listeners(address.port, host=address.host)
        except OSError as error:
            for listener in listeners:
                await listener.aclose()
            raise cannot_listen(address, error) from error
        listeners += opened
        port = opened[0].socket.getsockname()[1]
        listening.append(PeerAddress(address.kind, address.host, port, peer))
    return listeners, listening


async def upgrade(
    stream: trio.abc.Stream,
    identity: Identity,
    expected: PeerId | None,
    limits: YamuxLimits,
    holdings: Holdings,
) -> yamux.Yamux:
    """Make a secured, multiplexed connection of a TCP connection, or close it. Who dials names whom
    it expects.

    :raises PeerError: when the other side is not whom we want, or does not go along.
    """
    try:
        channel = await secure(stream, identity, expected)
        if channel.peer == identity.peer:
            raise PeerError("this is ourselves")
        if expected is None:
            await multistream.answer(channel, {yamux.PROTOCOL})
        else:
            await multistream.propose(channel, yamux.PROTOCOL)
    except BaseException:
        await trio.aclose_forcefully(stream)
        raise
    return yamux.Yamux(channel, limits, holdings)
