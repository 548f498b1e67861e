"""ECDSA on secp256k1, as Substrate signs with it: over blake2-256 of the message, with a recovery
id, so that a signature names its key."""

from __future__ import annotations

from dataclasses import dataclass, field

import coincurve

from parahost.crypto.hashing import blake2_256
from parahost.crypto.secret_uri import SecretUriError, parse_secret_uri
from parahost.primitives.scale import encode

GROUP_ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
MAX_RECOVERY_ID = 3


class Unrecoverable(Exception):
    """No key has made the signature."""


class BadRecoveryId(Unrecoverable):
    """It is none of 0 to 3, nor 27 to 30, which are the same."""


class BadScalars(Unrecoverable):
    """r or s is not below the group's order."""


@dataclass(frozen=True, slots=True)
class Keypair:
    """A compressed public key of 33 bytes and the secret key behind it."""

    public: bytes
    secret: coincurve.PrivateKey = field(repr=False, compare=False)

    @classmethod
    def from_seed(cls, seed: bytes) -> Keypair:
        """:raises ValueError: when the 32 bytes are no secret key."""
        secret = coincurve.PrivateKey(seed)
        return cls(bytes(secret.public_key.format(compressed=True)), secret)

    @classmethod
    def from_uri(cls, uri: str) -> Keypair:
        """The key that a secret URI such as ``//Alice`` names.

        :raises SecretUriError: when it names none; ECDSA has hard junctions only.
        """
        secret = parse_secret_uri(uri)
        seed = secret.seed
        for junction in secret.junctions:
            if not junction.hard:
                raise SecretUriError("ECDSA keys have no soft junctions: write //name")
            seed = blake2_256(encode("Secp256k1HDKD") + seed + junction.chain_code)
        return cls.from_seed(seed)


def sign(keypair: Keypair, message: bytes) -> bytes:
    """Sign; 65 bytes (r, s, recovery id), the same for the same key and message."""
    return bytes(keypair.secret.sign_recoverable(blake2_256(message), hasher=None))


def recover(digest: bytes, signature: bytes) -> coincurve.PublicKey:
    """The key that has signed a digest of 32 bytes; the signature has 65.

    :raises Unrecoverable: when there is none; a subclass says why.
    """
    recovery_id = signature[64] - 27 if signature[64] > 26 else signature[64]
    if recovery_id > MAX_RECOVERY_ID:
        raise BadRecoveryId(f"the recovery id is {signature[64]}")
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
    if max(r, s) >= GROUP_ORDER:
        raise BadScalars("r or s is not below the group's order")
    recoverable = signature[:64] + bytes([recovery_id])
    try:
        return coincurve.PublicKey.from_signature_and_message(recoverable, digest, hasher=None)
    except Exception as why:  # coincurve raises bare Exception for a signature without a public key
        raise Unrecoverable("the signature leads to no point") from why


def account_of(public: bytes) -> bytes:
    """The account of a compressed key: the key has a byte too many, so its hash stands for it."""
    return blake2_256(public)


def verify(account: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the account's key has signed the message. Never raises for what bytes say."""
    if len(signature) != 65:
        return False
    try:
        public = recover(blake2_256(message), signature)
    except Unrecoverable:
        return False
    return account_of(bytes(public.format(compressed=True))) == account
