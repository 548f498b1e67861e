"""What a VRF signs: a Merlin transcript as plain data (D30)."""

from __future__ import annotations

from parahost.primitives.values import dataclass


@dataclass(frozen=True, slots=True)
class Transcript:
    """A protocol label and the messages appended after it, each with its own label, in order.
    Integers are appended as little-endian bytes, as ``append_u64`` does."""

    label: bytes
    items: tuple[tuple[bytes, bytes], ...] = ()

    def append(self, label: bytes, message: bytes) -> Transcript:
        """The same transcript with one message more."""
        return Transcript(self.label, (*self.items, (label, message)))

    def append_u64(self, label: bytes, value: int) -> Transcript:
        return self.append(label, value.to_bytes(8, "little"))
