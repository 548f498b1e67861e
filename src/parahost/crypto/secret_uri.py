"""Secret URIs: how Substrate writes secret keys down (``//Alice``, ``0x12..//x``, ``phrase/a//b``).

A URI is ``[phrase or 0x-seed]`` then any number of junctions ``/soft`` or ``//hard``, then
``///password`` if there is one. Without a phrase it means the development phrase, whose keys
everybody knows. The source is Substrate's ``sp_core::crypto`` and ``substrate-bip39``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import pbkdf2_hmac

from mnemonic import Mnemonic

from parahost.crypto.hashing import blake2_256
from parahost.primitives.errors import InputError
from parahost.primitives.scale import encode

DEV_PHRASE = "bottom drive obey lake curtain smoke basket hold race lonely fit walk"

_URI = re.compile(
    r"(?P<phrase>[0-9A-Za-z_ ]+)?(?P<path>(//?[^/]+)*)(///(?P<password>.*))?", re.ASCII | re.DOTALL
)
_JUNCTION = re.compile(r"/(/?[^/]+)")
_ENGLISH = Mnemonic("english")


class SecretUriError(InputError):
    """A secret URI that means no key. The message never repeats the secret."""


@dataclass(frozen=True, slots=True)
class Junction:
    """One step of derivation: ``//hard`` needs the secret key, ``/soft`` would do with the public.
    ``chain_code`` is 32 bytes."""

    hard: bool
    chain_code: bytes


@dataclass(frozen=True, slots=True)
class SecretUri:
    """A 32-byte seed and the junctions to walk from it."""

    seed: bytes = field(repr=False)
    junctions: tuple[Junction, ...]


def parse_secret_uri(uri: str) -> SecretUri:
    """Read a secret URI.

    :raises SecretUriError: when it is not one, or its phrase is no valid English BIP-39 phrase.
    """
    match = _URI.fullmatch(uri)
    if match is None:
        raise SecretUriError(
            "not a secret URI: write a phrase or a 0x-seed, then junctions like //hard or /soft"
        )
    phrase = match["phrase"] or DEV_PHRASE
    if phrase.startswith("0x"):
        seed = _seed_from_hex(phrase[2:])
    else:
        seed = seed_from_phrase(phrase, match["password"] or "")
    return SecretUri(seed, tuple(map(_junction, _JUNCTION.findall(match["path"]))))


@lru_cache(maxsize=8)
def seed_from_phrase(phrase: str, password: str = "") -> bytes:
    """The 32-byte seed of a BIP-39 phrase in English. Unlike BIP-39, Substrate stretches the
    phrase's entropy, not its letters.

    :raises SecretUriError: when a word or the checksum is wrong.
    """
    try:
        entropy = bytes(_ENGLISH.to_entropy(phrase.split()))
    except (ValueError, LookupError) as why:
        raise SecretUriError("not a BIP-39 phrase: a word or the checksum is wrong") from why
    return pbkdf2_hmac("sha512", entropy, b"mnemonic" + password.encode(), 2048)[:32]


def phrase_from_entropy(entropy: bytes) -> str:
    """The BIP-39 phrase of 16 bytes (12 words) to 32 bytes (24 words) of entropy.

    :raises ValueError: for a length that is no multiple of 4 between these.
    """
    return str(_ENGLISH.to_mnemonic(entropy))


def _seed_from_hex(digits: str) -> bytes:
    try:
        seed = bytes.fromhex(digits)
    except ValueError:
        seed = b""
    if len(seed) != 32:
        raise SecretUriError("a seed has 64 hexadecimal digits after 0x")
    return seed


def _junction(text: str) -> Junction:
    """A junction that is a number counts as a u64, any other as a string, both in SCALE."""
    hard, name = text.startswith("/"), text.removeprefix("/")
    if name.isascii() and name.isdigit() and int(name) < 2**64:
        code = int(name).to_bytes(8, "little")
    else:
        code = encode(name)
    return Junction(hard, blake2_256(code) if len(code) > 32 else code.ljust(32, b"\0"))
