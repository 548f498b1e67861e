"""The sponge under STROBE: cSHAKE128 with the customisation string ``STROBEv1.0.2``.

OpenSSL, which Python's ``hashlib`` brings, has the sponge of KMAC128, which is cSHAKE128's: what is
absorbed first, because of the customisation, is absorbed once and copied. It is nine times as fast
as pycryptodome, which stands in where OpenSSL is older, and which tests compare it with.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, Final

from Crypto.Hash import cSHAKE128

RATE: Final = 168
"""Bytes of one block."""
_CUSTOM: Final = b"STROBEv1.0.2"

Squeeze = Callable[[bytes | bytearray, int], bytes]
"""The first bytes that come out after these went in: so many."""


def of_pycryptodome(absorbed: bytes | bytearray, length: int) -> bytes:
    return bytes(cSHAKE128.new(data=absorbed, custom=_CUSTOM).read(length))


def of_openssl() -> Squeeze | None:
    """``None`` where OpenSSL is older than 3."""
    try:
        start: Any = hashlib.new("KECCAK-KMAC-128", usedforsecurity=False)
    except ValueError:
        return None
    start.update(_customised())

    def squeeze(absorbed: bytes | bytearray, length: int) -> bytes:
        sponge = start.copy()
        sponge.update(absorbed)
        digest: bytes = sponge.digest(length)
        return digest

    return squeeze


def _customised() -> bytes:
    """What cSHAKE128 absorbs before the data: ``bytepad(encode_string("") || encode_string(custom),
    168)`` of NIST SP 800-185, whose numbers of one byte come after a 1, the lengths in bits."""
    first = bytes((1, RATE, 1, 0, 1, 8 * len(_CUSTOM))) + _CUSTOM
    return first + bytes(RATE - len(first))


squeeze: Final[Squeeze] = of_openssl() or of_pycryptodome
