"""Bit vectors as parachains use them: least significant bit first, in bytes (D11)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from parahost.primitives.values import dataclass


@dataclass(frozen=True, slots=True)
class BitVec:
    """``length`` bits; bit i is bit ``i % 8`` of byte ``i // 8``. Spare bits of the last byte
    are zero, so that equal vectors have equal bytes."""

    data: bytes
    length: int

    def __post_init__(self) -> None:
        if len(self.data) != (self.length + 7) // 8:
            raise ValueError(f"{self.length} bits do not fill {len(self.data)} bytes")
        spare = self.length % 8
        if spare and self.data[-1] >> spare:
            raise ValueError("a spare bit of the last byte is set")

    @classmethod
    def zeros(cls, length: int) -> BitVec:
        return cls(bytes((length + 7) // 8), length)

    @classmethod
    def of(cls, bits: Iterable[bool]) -> BitVec:
        """From the bits themselves, first bit first."""
        listed = list(bits)
        number = 0
        for index, bit in enumerate(listed):
            if bit:
                number |= 1 << index
        return cls(number.to_bytes((len(listed) + 7) // 8, "little"), len(listed))

    @classmethod
    def with_ones(cls, length: int, ones: Iterable[int]) -> BitVec:
        """All zeros but for the bits at the given indices, each below ``length``."""
        number = 0
        for index in ones:
            if not 0 <= index < length:
                raise IndexError(f"bit {index} of {length}")
            number |= 1 << index
        return cls(number.to_bytes((length + 7) // 8, "little"), length)

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> bool:
        if not 0 <= index < self.length:
            raise IndexError(f"bit {index} of {self.length}")
        return bool(self.data[index >> 3] >> (index & 7) & 1)

    def __iter__(self) -> Iterator[bool]:
        number = int.from_bytes(self.data, "little")
        return (bool(number >> index & 1) for index in range(self.length))

    def ones(self) -> list[int]:
        """The indices of the set bits, ascending."""
        number = int.from_bytes(self.data, "little")
        found = []
        while number:
            lowest = number & -number
            found.append(lowest.bit_length() - 1)
            number ^= lowest
        return found

    def count(self) -> int:
        """How many bits are set."""
        return int.from_bytes(self.data, "little").bit_count()

    def with_bit(self, index: int) -> BitVec:
        """The same vector with one bit set."""
        if not 0 <= index < self.length:
            raise IndexError(f"bit {index} of {self.length}")
        data = bytearray(self.data)
        data[index >> 3] |= 1 << (index & 7)
        return BitVec(bytes(data), self.length)

    def __or__(self, other: BitVec) -> BitVec:
        if self.length != other.length:
            raise ValueError(f"{self.length} bits and {other.length} bits")
        joined = int.from_bytes(self.data, "little") | int.from_bytes(other.data, "little")
        return BitVec(joined.to_bytes(len(self.data), "little"), self.length)
