"""Messages on a stream: a length (4 bytes, little-endian) and that many bytes."""

from __future__ import annotations

from parahost.network.errors import ProtocolViolation
from parahost.network.multistream import ByteStream

LENGTH_SIZE = 4


def frame(payload: bytes) -> bytes:
    return len(payload).to_bytes(LENGTH_SIZE, "little") + payload


async def receive_frame(stream: ByteStream, max_size: int) -> bytes:
    """The next message. A length over ``max_size`` is refused before a byte of it is read.

    :raises ProtocolViolation: when it is too long.
    :raises PeerError: when the stream ends.
    """
    return await stream.receive_exactly(await receive_length(stream, max_size))


async def receive_length(stream: ByteStream, max_size: int) -> int:
    """How long the next message is; as many bytes follow.

    :raises ProtocolViolation: when it is too long.
    :raises PeerError: when the stream ends.
    """
    length = int.from_bytes(await stream.receive_exactly(LENGTH_SIZE), "little")
    if length > max_size:
        raise ProtocolViolation(f"a message of {length} bytes where {max_size} are allowed")
    return length
