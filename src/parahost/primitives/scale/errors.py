"""What can go wrong between bytes and values."""

from __future__ import annotations


class ScaleDecodeError(ValueError):
    """Bytes that are not the SCALE form of the type that was asked for.

    ``offset`` is where in the input, in bytes; ``reason`` says what was wrong there.
    """

    def __init__(self, offset: int, reason: str) -> None:
        super().__init__(f"at byte {offset}: {reason}")
        self.offset = offset
        self.reason = reason


class ScaleEncodeError(ValueError):
    """A value that has no form in the type that was asked for: a bug of the caller."""


class ScaleTypeError(TypeError):
    """A type annotation that has no SCALE form: a bug in a declaration."""


def truncated(offset: int, wanted: int, size: int) -> ScaleDecodeError:
    """The input of ``size`` bytes ends before the bytes that are wanted at an offset."""
    return ScaleDecodeError(offset, f"{wanted} bytes wanted, {size - offset} left")
