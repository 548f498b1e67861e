"""From a TCP connection to an authenticated, encrypted channel: libp2p's noise over a socket."""

from __future__ import annotations

import trio

from parahost.network import multistream
from parahost.network.errors import PeerError
from parahost.network.identity import Identity
from parahost.network.noise import MAX_MESSAGE, TAG, Noise
from parahost.primitives.basic import PeerId

MAX_PLAINTEXT = MAX_MESSAGE - TAG
"""The most that one noise message carries, in bytes."""
MAX_HANDSHAKE_MESSAGE = 4096
"""In bytes; honest ones have 250."""
_READ_SIZE = 128 * 1024
_NOISE = "/noise"


class BufferedSocket:
    """A socket that is read by exact lengths."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self._buffer = bytearray()

    async def receive_exactly(self, count: int) -> bytes:
        """:raises PeerError: when the connection ends before."""
        while len(self._buffer) < count:
            try:
                data = await self._stream.receive_some(_READ_SIZE)
            except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                raise PeerError("the connection broke") from error
            if not data:
                raise PeerError("the connection was closed")
            self._buffer += data
        result = bytes(self._buffer[:count])
        del self._buffer[:count]
        return result

    async def receive_message(self, at_most: int) -> bytes:
        """A noise message: its length in two bytes, and so many bytes.

        :raises PeerError: when it is longer, or the connection ends before.
        """
        length = int.from_bytes(await self.receive_exactly(2), "big")
        if length > at_most:
            raise PeerError(f"a noise message of {length} bytes, at most {at_most} are allowed")
        return await self.receive_exactly(length)

    async def send(self, data: bytes) -> None:
        """:raises PeerError: when the connection is over."""
        try:
            await self._stream.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise PeerError("the connection broke") from error

    async def send_message(self, message: bytes) -> None:
        await self.send(len(message).to_bytes(2, "big") + message)

    async def aclose(self) -> None:
        await trio.aclose_forcefully(self._stream)


class SecureChannel:
    """An encrypted connection with a peer that has proved its id. One reader, one writer."""

    def __init__(self, socket: BufferedSocket, noise: Noise, peer: PeerId, initiator: bool) -> None:
        self._socket = socket
        self._noise = noise
        self._buffer = b""
        self.peer = peer
        self.initiator = initiator

    async def receive(self) -> bytes:
        """The next bytes, as many as one noise message carried; never none.

        :raises PeerError: when the connection ends or a message was tampered with.
        """
        buffered, self._buffer = self._buffer, b""
        if buffered:
            return buffered
        data = self._noise.decrypt(await self._socket.receive_message(MAX_MESSAGE))
        if not data:
            raise PeerError("a noise message that carries nothing")
        return data

    async def receive_exactly(self, count: int) -> bytes:
        data = bytearray()
        while len(data) < count:
            data += await self.receive()
        self._buffer = bytes(data[count:])
        return bytes(data[:count])

    async def send(self, data: bytes) -> None:
        """:raises PeerError: when the connection is over. A cancelled send ends the channel."""
        for start in range(0, len(data), MAX_PLAINTEXT):
            message = self._noise.encrypt(data[start : start + MAX_PLAINTEXT])
            await self._socket.send_message(message)

    async def aclose(self) -> None:
        await self._socket.aclose()


async def secure(
    stream: trio.abc.Stream, identity: Identity, expected: PeerId | None
) -> SecureChannel:
    """Negotiate noise and shake hands; as the initiator when a peer is ``expected``.

    :raises PeerError: when the other side is somebody else, or speaks anything else.
    """
    socket = BufferedSocket(stream)
    initiator = expected is not None
    noise = Noise(identity, initiator=initiator)
    if initiator:
        await multistream.propose(socket, _NOISE)
        await socket.send_message(noise.greeting())
        peer = noise.read_proof(await socket.receive_message(MAX_HANDSHAKE_MESSAGE))
        if peer != expected:
            raise PeerError(f"reached {peer} instead of {expected}")
        await socket.send_message(noise.proof())
    else:
        await multistream.answer(socket, {_NOISE})
        noise.read_greeting(await socket.receive_message(MAX_HANDSHAKE_MESSAGE))
        await socket.send_message(noise.proof())
        peer = noise.read_proof(await socket.receive_message(MAX_HANDSHAKE_MESSAGE))
    return SecureChannel(socket, noise, peer, initiator)
