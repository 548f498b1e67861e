"""Points of edwards25519 as ZIP-215 reads them, and their doubles as elements of ristretto255.

ZIP-215 takes every encoding of every point: also those whose y is not reduced, the "negative"
zero, and points with a part of small order. For libsodium's group they are doubled: the doubles of
two points are the same element of ristretto255 exactly if the points differ by one of the eight
points of small order, which is what a cofactored equation asks.
"""

from __future__ import annotations

from parahost.crypto import ristretto

_P = 2**255 - 19
_D = -121665 * pow(121666, -1, _P) % _P
_SQRT_M1 = pow(2, (_P - 1) // 4, _P)
_INVSQRT_A_MINUS_D = 54469307008909316920995813868745141605393597292927456921205312896311721017578
"""1 / sqrt(-1 - d), from RFC 9496, section 4.1."""

IDENTITY = bytes(32)
"""The double of a point of small order."""


def double(encoded: bytes) -> bytes | None:
    """Twice the point that 32 bytes encode, as an element of ristretto255; ``None`` when they
    encode none."""
    point = _decode(encoded)
    return None if point is None else _encode_double(*point)


def times(scalar: int, element: bytes) -> bytes:
    """A multiple of an element, which may be the identity."""
    return ristretto.multiply(scalar, element) or IDENTITY


def times_base(scalar: int) -> bytes:
    """A multiple of the base point."""
    return ristretto.multiply_base(scalar) or IDENTITY


def _decode(encoded: bytes) -> tuple[int, int] | None:
    number = int.from_bytes(encoded, "little")
    y, sign = (number & ((1 << 255) - 1)) % _P, number >> 255
    x = _sqrt_ratio(y * y - 1, _D * y * y + 1)
    if x is None:
        return None
    return (-x % _P if x & 1 != sign else x), y


def _encode_double(x: int, y: int) -> bytes:
    """The encoding of RFC 9496, section 4.3.2, of (x, y) + (x, y)."""
    xx, yy, dxxyy = x * x % _P, y * y % _P, _D * x * x * y * y % _P
    e, f, g, h = 2 * x * y % _P, 1 + dxxyy, xx + yy, 1 - dxxyy
    x0, y0, z0, t0 = e * h % _P, f * g % _P, f * h % _P, e * g % _P
    u1, u2 = (z0 + y0) * (z0 - y0) % _P, x0 * y0 % _P
    root = _sqrt_ratio(1, u1 * u2 * u2)
    if root is None:
        return IDENTITY  # u1 or u2 is 0: the double has order 4 or less
    den1, den2 = root * u1 % _P, root * u2 % _P
    z_inverse = den1 * den2 * t0 % _P
    if _is_negative(t0 * z_inverse):
        x0, y0 = y0 * _SQRT_M1 % _P, x0 * _SQRT_M1 % _P
        den = den1 * _INVSQRT_A_MINUS_D % _P
    else:
        den = den2
    if _is_negative(x0 * z_inverse):
        y0 = -y0
    s = den * (z0 - y0) % _P
    return (-s % _P if _is_negative(s) else s).to_bytes(32, "little")


def _is_negative(element: int) -> bool:
    return bool(element % _P & 1)


def _sqrt_ratio(u: int, v: int) -> int | None:
    """The square root of u / v that is not negative; ``None`` when there is none, or v is 0 and
    u is not."""
    u, v = u % _P, v % _P
    root = u * pow(v, 3, _P) * pow(u * pow(v, 7, _P), (_P - 5) // 8, _P) % _P
    square = v * root * root % _P
    if square == -u % _P:
        root = root * _SQRT_M1 % _P
    elif square != u:
        return None
    return -root % _P if _is_negative(root) else root
