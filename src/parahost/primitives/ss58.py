"""SS58: accounts as people read and type them.

Base58 of a prefix that names the network, the account's 32 bytes, and the first two bytes of a hash
over both, so that a letter that is wrong is noticed.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from parahost.primitives.basic import H256
from parahost.primitives.errors import InputError

SS58_PREFIX: Final = 42
"""Substrate's own, which every chain without a prefix in the registry has, this one too."""
MAX_PREFIX: Final = (1 << 14) - 1
_RESERVED_PREFIXES: Final = (46, 47)
_ALPHABET: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_DIGITS: Final = {letter: digit for digit, letter in enumerate(_ALPHABET)}
_CHECKSUM_BYTES: Final = 2
_LONGEST: Final = 64
"""No account with its prefix and its checksum needs so many letters."""


class BadAddress(InputError):
    """The text is no account's address; ``reason`` says why."""

    def __init__(self, text: str, reason: str) -> None:
        super().__init__(f"{text[:_LONGEST]!r} is no address: {reason}")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Address:
    """An account and the network for which its address is written."""

    account: H256
    prefix: int


def ss58_encode(account: bytes, prefix: int = SS58_PREFIX) -> str:
    """An account's address on the network with that prefix.

    :raises ValueError: when the account has not 32 bytes, or no network may have the prefix.
    """
    if len(account) != 32:
        raise ValueError(f"an account has 32 bytes, not {len(account)}")
    body = _prefix_bytes(prefix) + account
    return _base58(body + _checksum(body))


def ss58_decode(text: str) -> Address:
    """What an address says.

    :raises BadAddress: when it is none.
    """
    if len(text) > _LONGEST:
        raise BadAddress(text, "it is too long")
    raw = _unbase58(text)
    if not raw:
        raise BadAddress(text, "it is empty")
    prefix, length = _prefix_of(text, raw)
    if len(raw) != length + 32 + _CHECKSUM_BYTES:
        raise BadAddress(text, "it does not hold 32 bytes")
    body, checksum = raw[:-_CHECKSUM_BYTES], raw[-_CHECKSUM_BYTES:]
    if _checksum(body) != checksum:
        raise BadAddress(text, "its checksum is wrong; a letter has been mistyped")
    return Address(H256(body[length:]), prefix)


def parse_account(text: str, prefix: int = SS58_PREFIX) -> H256:
    """The account that somebody has typed: an address of the network with that prefix, or 32 bytes
    in hex with 0x before them.

    :raises BadAddress: when it is neither.
    """
    if text.startswith("0x"):
        try:
            raw = bytes.fromhex(text[2:])
        except ValueError:
            raise BadAddress(text, "it is not hex") from None
        if len(raw) != 32:
            raise BadAddress(text, f"an account has 32 bytes, not {len(raw)}")
        return H256(raw)
    address = ss58_decode(text)
    if address.prefix != prefix:
        raise BadAddress(text, f"it is of network {address.prefix}, this one is {prefix}")
    return address.account


def _prefix_bytes(prefix: int) -> bytes:
    """One byte up to 63. Else two, that begin with 01: the lower six bits of the low byte are
    moved up so that two bits of the first byte are free for the mark."""
    if not 0 <= prefix <= MAX_PREFIX or prefix in _RESERVED_PREFIXES:
        raise ValueError(f"no network has the prefix {prefix}")
    if prefix < 64:
        return bytes((prefix,))
    return bytes(((prefix & 0xFC) >> 2 | 0x40, prefix >> 8 | (prefix & 3) << 6))


def _prefix_of(text: str, raw: bytes) -> tuple[int, int]:
    """The prefix, and how many bytes it has."""
    first = raw[0]
    if first < 64:
        prefix, length = first, 1
    elif first < 128 and len(raw) > 1:
        prefix, length = (first & 0x3F) << 2 | raw[1] >> 6 | (raw[1] & 0x3F) << 8, 2
    else:
        raise BadAddress(text, "its first byte is reserved")
    if prefix in _RESERVED_PREFIXES or (length == 2 and prefix < 64):
        raise BadAddress(text, f"no network's address begins with the prefix {prefix} so")
    return prefix, length


def _checksum(body: bytes) -> bytes:
    return blake2b(b"SS58PRE" + body, digest_size=64).digest()[:_CHECKSUM_BYTES]


def _base58(data: bytes) -> str:
    number, letters = int.from_bytes(data, "big"), []
    while number:
        number, digit = divmod(number, 58)
        letters.append(_ALPHABET[digit])
    zeros = len(data) - len(data.lstrip(b"\0"))
    return "1" * zeros + "".join(reversed(letters))


def _unbase58(text: str) -> bytes:
    number = 0
    for letter in text:
        if letter not in _DIGITS:
            raise BadAddress(text, f"{letter!r} is no letter of base58")
        number = number * 58 + _DIGITS[letter]
    zeros = len(text) - len(text.lstrip("1"))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")
