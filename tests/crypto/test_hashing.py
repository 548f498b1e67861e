from collections.abc import Callable

import pytest

from parahost.crypto import hashing

# From the hash functions' own specifications and from Substrate's storage keys.
KNOWN = [
    (
        hashing.blake2_256,
        b"",
        "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8",
    ),
    (hashing.blake2_128, b"", "cae66941d9efbd404e4d88758ea67670"),
    (hashing.twox_64, b"", "99e9d85137db46ef"),
    (hashing.twox_128, b"System", "26aa394eea5630e07c48ae0c9558cef7"),
    (hashing.twox_128, b"Account", "b99d880ec681799c0cf30e8886371da9"),
    (
        hashing.keccak_256,
        b"",
        "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470",
    ),
    (
        hashing.sha2_256,
        b"abc",
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    ),
]


@pytest.mark.parametrize(("function", "data", "expected"), KNOWN)
def test_known_answers(function: Callable[[bytes], bytes], data: bytes, expected: str) -> None:
    assert function(data).hex() == expected


def test_blake2_512_is_the_hash_of_the_rfc() -> None:
    """RFC 7693, appendix A."""
    digest = hashing.blake2_512(b"abc").hex()
    assert digest.startswith("ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1")
    assert len(digest) == 128


def test_the_lengthened_forms() -> None:
    assert hashing.twox_64_concat(b"key") == hashing.twox_64(b"key") + b"key"
    assert hashing.blake2_128_concat(b"key") == hashing.blake2_128(b"key") + b"key"
    assert hashing.twox_256(b"key")[:16] == hashing.twox_128(b"key")
    assert hashing.twox_128(b"key")[:8] == hashing.twox_64(b"key")
    assert len(hashing.twox_256(b"key")) == 32
