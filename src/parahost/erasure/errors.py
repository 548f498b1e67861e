"""Why data cannot be recovered."""

from __future__ import annotations


class ErasureError(Exception):
    """What was received does not recover what was encoded."""


class NotEnoughChunks(ErasureError):
    """Fewer chunks than the threshold."""

    def __init__(self, received: int, needed: int) -> None:
        super().__init__(f"{received} chunks received, {needed} are needed")
        self.received = received
        self.needed = needed


class BadChunk(ErasureError):
    """A chunk that cannot be of this encoding: its index or its length is impossible."""

    def __init__(self, index: int, why: str) -> None:
        super().__init__(f"chunk {index}: {why}")
        self.index = index


class WrongRoot(ErasureError):
    """Encoded anew, the recovered data have another root: whoever encoded them cheated, or a chunk
    was not checked against its proof."""

    def __init__(self, expected: bytes, actual: bytes) -> None:
        super().__init__(f"erasure root 0x{actual.hex()} instead of 0x{expected.hex()}")
        self.expected = expected
        self.actual = actual


class BadPadding(ErasureError):
    """What follows the data is not zero, or more than fills up the chunks."""

    def __init__(self, data_length: int, padded_length: int, why: str) -> None:
        super().__init__(f"{data_length} bytes of data padded to {padded_length}: {why}")
        self.data_length = data_length
        self.padded_length = padded_length
