"""Peer ids of ed25519 keys, as libp2p's specification writes them.

A public key of this kind is short, so the id holds it whole: base58 of the identity multihash of
its protobuf form. Each key has one id, and each id one text.
"""

from __future__ import annotations

from parahost.primitives.basic import PeerId

_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_ED25519_MULTIHASH = bytes.fromhex("002408011220")
"""Identity multihash of 36 bytes: a protobuf public key of type ed25519 with 32 bytes."""
_LENGTH = 52
"""Characters: the multihash begins with one zero byte, for which base58 writes one ``1``."""


def peer_id_of(public: bytes) -> PeerId:
    """The peer id of an ed25519 public key, 32 bytes."""
    number = int.from_bytes(_ED25519_MULTIHASH + public, "big")
    digits = []
    while number:
        number, digit = divmod(number, 58)
        digits.append(_ALPHABET[digit])
    return PeerId("1" + "".join(reversed(digits)))


def public_key_of(text: str) -> bytes | None:
    """The 32 bytes of the key whose peer id the text is, in its one canonical form; ``None`` when
    it is none."""
    if len(text) != _LENGTH or text[0] != "1":
        return None
    number = 0
    for character in text:
        digit = _ALPHABET.find(character)
        if digit < 0:
            return None
        number = number * 58 + digit
    public = (number & (1 << 256) - 1).to_bytes(32, "big")
    return public if peer_id_of(public) == text else None


def is_peer_id(text: str) -> bool:
    """Whether the text is the peer id of an ed25519 key, in its one canonical form."""
    return public_key_of(text) is not None
