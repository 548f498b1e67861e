"""ed25519 signatures, and Substrate's derivation of their keys."""

from __future__ import annotations

from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from parahost.crypto.hashing import blake2_256
from parahost.crypto.secret_uri import SecretUriError, parse_secret_uri
from parahost.primitives.scale import encode


@dataclass(frozen=True, slots=True)
class Keypair:
    """A public key of 32 bytes and the secret key behind it."""

    public: bytes
    secret: Ed25519PrivateKey = field(repr=False, compare=False)

    @classmethod
    def from_seed(cls, seed: bytes) -> Keypair:
        """:raises ValueError: when the seed has not 32 bytes."""
        secret = Ed25519PrivateKey.from_private_bytes(seed)
        return cls(secret.public_key().public_bytes_raw(), secret)

    @classmethod
    def from_uri(cls, uri: str) -> Keypair:
        """The key that a secret URI such as ``//Alice`` names.

        :raises SecretUriError: when it names none; ed25519 has hard junctions only.
        """
        secret = parse_secret_uri(uri)
        seed = secret.seed
        for junction in secret.junctions:
            if not junction.hard:
                raise SecretUriError("ed25519 keys have no soft junctions: write //name")
            seed = blake2_256(encode("Ed25519HDKD") + seed + junction.chain_code)
        return cls.from_seed(seed)


def sign(keypair: Keypair, message: bytes) -> bytes:
    """Sign; 64 bytes, the same for the same key and message."""
    return keypair.secret.sign(message)


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the signature is that key's for that message. Never raises for what bytes say."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
