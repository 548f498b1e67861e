"""Merlin on a plain STROBE-128, byte by byte as its specification has it, to compare with."""

from __future__ import annotations

_RATE = 166


def _round_constants() -> list[int]:
    """Keccak's round constants, from its linear feedback shift register."""
    constants, register = [], 1
    for _ in range(24):
        constant = 0
        for exponent in range(7):
            if register & 1:
                constant |= 1 << ((1 << exponent) - 1)
            register = register << 1 ^ (0x171 if register & 0x80 else 0)
        constants.append(constant)
    return constants


def _rotate(lane: int, by: int) -> int:
    by %= 64
    return (lane << by | lane >> (64 - by)) & (1 << 64) - 1


def keccak_f1600(state: bytearray) -> None:
    lanes = [
        [int.from_bytes(state[8 * (x + 5 * y) :][:8], "little") for y in range(5)] for x in range(5)
    ]
    for constant in _round_constants():
        parity = [a[0] ^ a[1] ^ a[2] ^ a[3] ^ a[4] for a in lanes]
        for x in range(5):
            change = parity[x - 1] ^ _rotate(parity[(x + 1) % 5], 1)
            lanes[x] = [lane ^ change for lane in lanes[x]]
        x, y, current = 1, 0, lanes[1][0]
        for step in range(24):
            x, y = y, (2 * x + 3 * y) % 5
            current, lanes[x][y] = lanes[x][y], _rotate(current, (step + 1) * (step + 2) // 2)
        for y in range(5):
            row = [lanes[x][y] for x in range(5)]
            for x in range(5):
                lanes[x][y] = row[x] ^ (~row[(x + 1) % 5] & row[(x + 2) % 5])
        lanes[0][0] ^= constant
    for x in range(5):
        for y in range(5):
            state[8 * (x + 5 * y) : 8 * (x + 5 * y) + 8] = lanes[x][y].to_bytes(8, "little")


class PlainMerlin:
    def __init__(self, label: bytes) -> None:
        self.state = bytearray(200)
        self.state[:18] = bytes((1, _RATE + 2, 1, 0, 1, 96)) + b"STROBEv1.0.2"
        keccak_f1600(self.state)
        self.position = self.begin = 0
        self._operate(0x12, b"Merlin v1.0")
        self.append(b"dom-sep", label)

    def append(self, label: bytes, message: bytes) -> None:
        self._operate(0x12, label + len(message).to_bytes(4, "little"))
        self._operate(0x02, message)

    def challenge(self, label: bytes, length: int) -> bytes:
        self._operate(0x12, label + length.to_bytes(4, "little"))
        self._operate(0x07, b"")
        if self.position:
            self._permute()
        output = bytearray()
        for _ in range(length):
            output.append(self.state[self.position])
            self.state[self.position] = 0
            self._advance()
        return bytes(output)

    def _operate(self, flags: int, data: bytes) -> None:
        previous, self.begin = self.begin, self.position + 1
        for byte in bytes((previous, flags)) + data:
            self.state[self.position] ^= byte
            self._advance()

    def _advance(self) -> None:
        self.position += 1
        if self.position == _RATE:
            self._permute()

    def _permute(self) -> None:
        self.state[self.position] ^= self.begin
        self.state[self.position + 1] ^= 0x04
        self.state[_RATE + 1] ^= 0x80
        keccak_f1600(self.state)
        self.position = self.begin = 0
