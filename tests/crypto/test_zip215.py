"""ed25519 by ZIP-215, against the group's arithmetic written out plainly."""

from __future__ import annotations

from hashlib import sha512

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parahost.crypto import ed25519

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
Point = tuple[int, int]


def x_of(y: int, sign: int) -> int | None:
    """The x of that parity on the curve; 0 has both."""
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * pow(2, (P - 1) // 4, P) % P
    if x * x % P != square:
        return None
    return x if x % 2 == sign else -x % P


def add(one: Point, other: Point) -> Point:
    (x1, y1), (x2, y2) = one, other
    k = D * x1 * x2 * y1 * y2 % P
    return (
        (x1 * y2 + x2 * y1) * pow(1 + k, -1, P) % P,
        (y1 * y2 + x1 * x2) * pow(1 - k, -1, P) % P,
    )


def times(scalar: int, point: Point) -> Point:
    total = (0, 1)
    while scalar:
        if scalar & 1:
            total = add(total, point)
        point, scalar = add(point, point), scalar >> 1
    return total


def encode(point: Point) -> bytes:
    return (point[1] | (point[0] & 1) << 255).to_bytes(32, "little")


def decode(encoded: bytes) -> Point | None:
    number = int.from_bytes(encoded, "little")
    y = number % 2**255 % P
    x = x_of(y, number >> 255)
    return None if x is None else (x, y)


def zip215(public: bytes, message: bytes, signature: bytes) -> bool:
    """8sB = 8R + 8kA."""
    key, commitment = decode(public), decode(signature[:32])
    scalar = int.from_bytes(signature[32:], "little")
    if key is None or commitment is None or scalar >= ORDER:
        return False
    return times(8, times(scalar, BASE)) == times(
        8, add(commitment, times(challenge(signature[:32], public, message), key))
    )


def challenge(commitment: bytes, public: bytes, message: bytes) -> int:
    return int.from_bytes(sha512(commitment + public + message).digest(), "little") % ORDER


def base_point() -> Point:
    y = 4 * pow(5, -1, P) % P
    x = x_of(y, 0)
    assert x is not None
    return x, y


def torsion_generator() -> Point:
    """A point of order 8."""
    for y in range(2, 100):
        x = x_of(y, 0)
        if x is not None:
            point = times(ORDER, (x, y))
            if times(4, point) != (0, 1):
                return point
    raise AssertionError


BASE = base_point()
TORSION = [times(multiple, torsion_generator()) for multiple in range(8)]


def small_order_encodings() -> list[bytes]:
    """All that decode to a point of order 8 or less: y may not be reduced, and 0 may be -0."""
    found = set()
    for x, y in TORSION:
        for number in (y, y + P):
            for sign in (0, 1) if x == 0 else (x & 1,):
                if number < 2**255:
                    found.add((number | sign << 255).to_bytes(32, "little"))
    return sorted(found)


SMALL = small_order_encodings()


def test_there_are_fourteen_encodings_of_small_order() -> None:
    assert len(SMALL) == 14
    assert bytes(32) in SMALL and b"\x01" + bytes(31) in SMALL
    assert (P + 1).to_bytes(32, "little") in SMALL
    assert (2**255 - 1).to_bytes(32, "little") not in SMALL


@pytest.mark.parametrize("public", SMALL)
def test_all_196_small_order_cases_hold(public: bytes) -> None:
    """As ed25519-zebra's own test has them: any A, any R, s = 0."""
    for commitment in SMALL:
        assert ed25519.verify(public, b"Zcash", commitment + bytes(32))
        assert not ed25519.verify(public, b"Zcash", commitment + b"\x01" + bytes(31))
        assert not ed25519.verify(public, b"Zcash", commitment + ORDER.to_bytes(32, "little"))


@settings(max_examples=20, deadline=None)
@given(
    secret=st.integers(1, ORDER - 1),
    nonce=st.integers(1, ORDER - 1),
    of_key=st.sampled_from(TORSION),
    of_commitment=st.sampled_from(TORSION),
    message=st.binary(max_size=50),
    mistake=st.sampled_from([0, 0, 1]),
)
def test_parts_of_small_order_change_no_verdict(
    secret: int,
    nonce: int,
    of_key: Point,
    of_commitment: Point,
    message: bytes,
    mistake: int,
) -> None:
    public = encode(add(times(secret, BASE), of_key))
    commitment = encode(add(times(nonce, BASE), of_commitment))
    k = challenge(commitment, public, message)
    scalar = (nonce + k * secret + mistake) % ORDER
    signature = commitment + scalar.to_bytes(32, "little")
    assert zip215(public, message, signature) == (not mistake)
    assert ed25519.verify(public, message, signature) == (not mistake)
    beyond = commitment + (scalar + ORDER).to_bytes(32, "little")
    assert not ed25519.verify(public, message, beyond)


@settings(max_examples=30, deadline=None)
@given(
    public=st.binary(min_size=32, max_size=32),
    signature=st.binary(min_size=64, max_size=64),
)
def test_garbage_is_judged_alike(public: bytes, signature: bytes) -> None:
    assert ed25519.verify(public, b"", signature) == zip215(public, b"", signature)


@pytest.mark.parametrize(("public", "signature"), [(31, 64), (33, 64), (32, 63), (32, 65), (0, 0)])
def test_other_lengths_are_no_signature(public: int, signature: int) -> None:
    assert not ed25519.verify(bytes(public), b"", bytes(signature))


def test_what_no_point_has_is_no_signature() -> None:
    """y = 2 has no x on the curve."""
    nothing = (2).to_bytes(32, "little")
    assert decode(nothing) is None
    for small in SMALL:
        assert not ed25519.verify(nothing, b"", small + bytes(32))
        assert not ed25519.verify(small, b"", nothing + bytes(32))
