"""The group ristretto255, from libsodium: points are 32 bytes, scalars integers below ``ORDER``.

Every function gives ``None`` for bytes that are no point, and for a product that is the identity,
so that what came from a stranger needs no further check.
"""

from __future__ import annotations

from parahost.crypto.sodium import rbcl

ORDER = 2**252 + 27742317777372353535851937790883648493
"""The number of elements of the group."""


def scalar_from_wide(uniform: bytes) -> int:
    """A scalar from 64 uniform bytes, reduced."""
    return int.from_bytes(uniform, "little") % ORDER


def scalar_from_canonical(encoded: bytes) -> int | None:
    """A scalar from its 32 bytes; ``None`` if it is not below the group's order."""
    scalar = int.from_bytes(encoded, "little")
    return scalar if len(encoded) == 32 and scalar < ORDER else None


def scalar_bytes(scalar: int) -> bytes:
    return scalar.to_bytes(32, "little")


def multiply_base(scalar: int) -> bytes | None:
    """``scalar`` times the group's generator."""
    try:
        return bytes(rbcl.crypto_scalarmult_ristretto255_base(scalar_bytes(scalar)))
    except RuntimeError:
        return None


def multiply(scalar: int, point: bytes) -> bytes | None:
    try:
        return bytes(rbcl.crypto_scalarmult_ristretto255(scalar_bytes(scalar), point))
    except (RuntimeError, ValueError):
        return None


def add(left: bytes, right: bytes) -> bytes:
    """The sum of two valid points, such as the functions above return."""
    return bytes(rbcl.crypto_core_ristretto255_add(left, right))


def point_from_uniform(uniform: bytes) -> bytes:
    """A point from 64 uniform bytes, whose logarithm nobody knows."""
    return bytes(rbcl.crypto_core_ristretto255_from_hash(uniform))


def is_point(encoded: bytes) -> bool:
    """Whether these bytes are the canonical encoding of a point other than the identity."""
    return (
        len(encoded) == 32
        and encoded != bytes(32)
        and bool(rbcl.crypto_core_ristretto255_is_valid_point(encoded))
    )
