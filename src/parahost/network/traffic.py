"""How many bytes go over a node's connections, as the machine's network sees them."""

from __future__ import annotations

from dataclasses import dataclass

import trio


@dataclass(slots=True)
class BytesMoved:
    """Since the node started."""

    received: int = 0
    sent: int = 0


class CountedStream(trio.abc.Stream):
    """A connection whose bytes are counted."""

    def __init__(self, stream: trio.abc.Stream, moved: BytesMoved) -> None:
        self._stream = stream
        self._moved = moved

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        data = await self._stream.receive_some(max_bytes)
        self._moved.received += len(data)
        return data

    async def send_all(self, data: bytes | memoryview) -> None:
        await self._stream.send_all(data)
        self._moved.sent += len(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        await self._stream.aclose()
