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
