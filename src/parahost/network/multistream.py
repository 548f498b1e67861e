"""multistream-select 1.0: agreeing on what a connection or a stream speaks.

The proposer sends its header and its proposal at once, so an agreement costs one round trip.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Protocol

from parahost.network.errors import ProtocolViolation, Unsupported

HEADER = "/multistream/1.0.0"
NOT_AVAILABLE = "na"
MAX_LINE = 256
MAX_PROPOSALS = 8


class ByteStream(Protocol):
    """What is negotiated over."""

    async def receive_exactly(self, count: int, /) -> bytes: ...

    async def send(self, data: bytes, /) -> None: ...


def pack(line: str) -> bytes:
    """A line with its length (a varint, here of one or two bytes) and its line feed."""
    data = line.encode() + b"\n"
    if len(data) < 0x80:
        return bytes((len(data),)) + data
    return bytes((len(data) & 0x7F | 0x80, len(data) >> 7)) + data


async def receive_line(stream: ByteStream) -> str:
    """The next line.

    :raises ProtocolViolation: when it is longer than any of ours, or is no line.
    """
    first = (await stream.receive_exactly(1))[0]
    length = first
    if first & 0x80:
        length = first & 0x7F | (await stream.receive_exactly(1))[0] << 7
    if not 0 < length <= MAX_LINE:
        raise ProtocolViolation(f"a negotiation line of {length} bytes")
    data = await stream.receive_exactly(length)
    if data[-1:] != b"\n" or not data.isascii():
        raise ProtocolViolation("a negotiation line that is none")
    return data[:-1].decode()


async def propose(stream: ByteStream, protocol: str) -> None:
    """Agree on ``protocol``.

    :raises Unsupported: when the peer does not speak it.
    """
    await stream.send(pack(HEADER) + pack(protocol))
    if await receive_line(stream) != HEADER:
        raise ProtocolViolation("the peer does not speak multistream")
    answer = await receive_line(stream)
    if answer != protocol:
        raise Unsupported(f"the peer does not speak {protocol}")


async def answer(stream: ByteStream, supported: Container[str]) -> str:
    """Agree on the first proposal that is supported, and return it.

    :raises Unsupported: when none is.
    """
    await stream.send(pack(HEADER))
    if await receive_line(stream) != HEADER:
        raise ProtocolViolation("the peer does not speak multistream")
    for _ in range(MAX_PROPOSALS):
        proposal = await receive_line(stream)
        if proposal in supported:
            await stream.send(pack(proposal))
            return proposal
        await stream.send(pack(NOT_AVAILABLE))
    raise Unsupported("the peer proposed nothing that we speak")
