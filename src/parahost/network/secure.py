"""From a TCP connection to an authenticated, encrypted channel: libp2p's noise handshake.

py-libp2p does the handshake and the ciphers. Between it and the socket stands a reader that
bounds what it asks for: its own would allocate whatever length a stranger claims.
"""

from __future__ import annotations

from typing import Any

import trio
from libp2p.crypto.x25519 import create_new_key_pair as create_noise_key_pair
from libp2p.peer.id import ID
from libp2p.security.noise.transport import Transport as NoiseTransport

from parahost.network import multistream
from parahost.network.errors import PeerError
from parahost.network.identity import Identity
from parahost.primitives.basic import PeerId

MAX_PLAINTEXT = 65_535 - 16
"""The most that one noise message carries, in bytes."""
_READ_SIZE = 128 * 1024
_NOISE = "/noise"


class BufferedSocket:
    """A socket with the reading interface that both py-libp2p and we want: exact lengths."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._buffer = bytearray()

    async def read(self, n: int | None = None) -> bytes:
        """Exactly ``n`` bytes.

        :raises PeerError: when the connection ends before, or ``n`` is what noise never asks for.
        """
        if n is None or n > 0xFFFF:
            raise PeerError(f"a length of {n} before the channel is secure")
        while len(self._buffer) < n:
            try:
                data = await self._stream.receive_some(_READ_SIZE)
            except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                raise PeerError("the connection broke") from error
            if not data:
                raise PeerError("the connection was closed")
            self._buffer += data
        result = bytes(self._buffer[:n])
        del self._buffer[:n]
        return result

    async def write(self, data: bytes) -> None:
        try:
            await self._stream.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise PeerError("the connection broke") from error

    receive_exactly = read
    send = write

    async def close(self) -> None:
        await trio.aclose_forcefully(self._stream)

    def get_remote_address(self) -> None:
        return None


class SecureChannel:
    """An encrypted connection with a peer that has proved its id. One reader, one writer."""

    def __init__(self, session: Any, initiator: bool) -> None:
        self._session = session
        self._buffer = b""
        self.peer = PeerId(session.get_remote_peer().to_base58())
        self.initiator = initiator

    async def receive(self) -> bytes:
        """The next bytes, as many as one noise message carried; never none.

        :raises PeerError: when the connection ends or a message was tampered with.
        """
        buffered, self._buffer = self._buffer, b""
        if buffered:
            return buffered
        try:
            data: bytes = await self._session.read()
        except PeerError:
            raise
        except Exception as error:  # whatever the noise library makes of garbage
            raise PeerError(f"not a noise message: {type(error).__name__}") from error
        return data

    async def receive_exactly(self, count: int) -> bytes:
        data = bytearray()
        while len(data) < count:
            data += await self.receive()
        self._buffer = bytes(data[count:])
        return bytes(data[:count])

    async def send(self, data: bytes) -> None:
        """:raises PeerError: when the connection is over. A cancelled send ends the channel."""
        await self._session.write(data)

    async def aclose(self) -> None:
        await self._session.close()


async def secure(
    stream: trio.SocketStream, identity: Identity, expected: PeerId | None
) -> SecureChannel:
    """Negotiate noise and shake hands; as the initiator when a peer is ``expected``.

    :raises PeerError: when the other side is somebody else, or speaks anything else.
    """
    socket: Any = BufferedSocket(stream)
    transport = NoiseTransport(identity.key_pair(), create_noise_key_pair().private_key)
    try:
        if expected is None:
            await multistream.answer(socket, {_NOISE})
            session = await transport.secure_inbound(socket)
        else:
            await multistream.propose(socket, _NOISE)
            session = await transport.secure_outbound(socket, ID.from_base58(expected))
    except PeerError:
        raise
    except Exception as error:  # protobuf, noise, signature and key errors have no common base
        raise PeerError(f"the noise handshake failed: {type(error).__name__}: {error}") from error
    channel = SecureChannel(session, initiator=expected is not None)
    if expected is not None and channel.peer != expected:
        raise PeerError(f"reached {channel.peer} instead of {expected}")
    return channel
