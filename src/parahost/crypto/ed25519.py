"""ed25519 signatures as ZIP-215 judges them, and Substrate's derivation of their keys.

Implementations of ed25519 disagree on points with a part of small order and on encodings that are
not reduced. Where a verdict is consensus, it must be one: Polkadot's is ZIP-215, so it is ours.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha512

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from parahost.crypto import edwards, ristretto
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
    """Whether the signature is that key's for that message, by ZIP-215. Never raises for what
    bytes say.

    OpenSSL accepts less, and nothing that ZIP-215 does not: it finds R = sB - kA, which implies
    the equation below. So its answer is enough where it is yes, as it is for every signature that
    was honestly made.
    """
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return _satisfies_zip215(public, message, signature)
    return True


def _satisfies_zip215(public: bytes, message: bytes, signature: bytes) -> bool:
    """The cofactored equation, 8sB = 8R + 8kA, where R and A may be encoded in any way but s in
    one only."""
    if len(public) != 32 or len(signature) != 64:
        return False
    scalar = ristretto.scalar_from_canonical(signature[32:])
    key, commitment = edwards.double(public), edwards.double(signature[:32])
    if scalar is None or key is None or commitment is None:
        return False
    k = ristretto.scalar_from_wide(sha512(signature[:32] + public + message).digest())
    left = edwards.times_base(2 * scalar % ristretto.ORDER)
    return left == ristretto.add(commitment, edwards.times(k, key))
