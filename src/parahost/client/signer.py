"""Who signs an extrinsic: a key from a secret URI, in one of the three schemes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from parahost.crypto import ecdsa, ed25519, sr25519
from parahost.primitives.basic import H256, H512
from parahost.primitives.errors import InputError
from parahost.primitives.scale import encode
from parahost.runtime.origin import AccountId
from parahost.runtime.signers import (
    EcdsaSignature,
    Ed25519Signature,
    MultiSignature,
    Sr25519Signature,
)


class BadKeyFile(InputError):
    """The file holds no secret."""


class Scheme(StrEnum):
    """How a key signs."""

    SR25519 = "sr25519"
    ED25519 = "ed25519"
    ECDSA = "ecdsa"


@dataclass(frozen=True, slots=True)
class Signer:
    """An account with the key that signs for it."""

    account: AccountId
    _sign: Callable[[bytes], MultiSignature] = field(repr=False)

    @classmethod
    def from_uri(cls, uri: str, scheme: Scheme = Scheme.SR25519) -> Signer:
        """The key that a secret URI such as ``//Alice`` names.

        :raises SecretUriError: when it names none.
        """
        match scheme:
            case Scheme.SR25519:
                one = sr25519.Keypair.from_uri(uri)
                return cls(
                    AccountId(H256(one.public)),
                    lambda message: Sr25519Signature(H512(sr25519.sign(one, message))),
                )
            case Scheme.ED25519:
                other = ed25519.Keypair.from_uri(uri)
                return cls(
                    AccountId(H256(other.public)),
                    lambda message: Ed25519Signature(H512(ed25519.sign(other, message))),
                )
            case Scheme.ECDSA:
                third = ecdsa.Keypair.from_uri(uri)
                return cls(
                    AccountId(H256(ecdsa.account_of(third.public))),
                    lambda message: EcdsaSignature(ecdsa.sign(third, message)),
                )

    @classmethod
    def from_file(cls, path: Path, scheme: Scheme = Scheme.SR25519) -> Signer:
        """The key whose secret URI is in a file: in its first line, or as a JSON string, which is
        how a node keeps its keys.

        :raises BadKeyFile: when there is none.
        """
        try:
            line = path.read_text().strip().split("\n", 1)[0].strip()
            uri = json.loads(line) if line.startswith('"') else line
        except (OSError, ValueError) as error:
            raise BadKeyFile(f"{path}: {error}") from error
        if not uri:
            raise BadKeyFile(f"{path}: one line with the secret belongs there")
        return cls.from_uri(uri, scheme)

    def sign(self, payload: bytes) -> bytes:
        """The ``MultiSignature`` of a payload, in SCALE."""
        return encode(self._sign(payload), MultiSignature)
