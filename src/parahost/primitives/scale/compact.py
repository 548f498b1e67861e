"""Compact integers, which lengths are written as, too: small ones take fewer bytes."""

from __future__ import annotations

from parahost.primitives.scale.errors import ScaleDecodeError, ScaleEncodeError, truncated


def encode_compact(out: bytearray, value: int) -> None:
    """Append an integer below 2**536 in its shortest compact form."""
    if value < 0:
        raise ScaleEncodeError(f"{value} is negative")
    if value < 1 << 6:
        out.append(value << 2)
    elif value < 1 << 14:
        out += (value << 2 | 1).to_bytes(2, "little")
    elif value < 1 << 30:
        out += (value << 2 | 2).to_bytes(4, "little")
    else:
        size = (value.bit_length() + 7) // 8
        if size > 67:
            raise ScaleEncodeError(f"an integer of {value.bit_length()} bits is too large")
        out.append((size - 4) << 2 | 3)
        out += value.to_bytes(size, "little")


def decode_compact(data: bytes, offset: int) -> tuple[int, int]:
    """Read a compact integer, which must be in its shortest form."""
    first = data[offset]
    mode = first & 3
    if mode == 0:
        return first >> 2, offset + 1
    if mode == 3:
        size = (first >> 2) + 4
        start, shortest = offset + 1, 1 << 30 if first == 3 else 1 << (8 * (size - 1))
        end = start + size
        value = int.from_bytes(data[start:end], "little")
    else:
        size, shortest = (2, 1 << 6) if mode == 1 else (4, 1 << 14)
        end = offset + size
        value = int.from_bytes(data[offset:end], "little") >> 2
    if end > len(data):
        raise truncated(offset, end - offset, len(data))
    if value < shortest:
        raise ScaleDecodeError(offset, "a compact integer is not in its shortest form")
    return value, end
