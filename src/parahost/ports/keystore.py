"""Signing, as the node sees it (D16)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from parahost.ports.promises import Promise
from parahost.primitives.transcript import Transcript


class KeyType(Enum):
    """The roles that a key may have; the values are Substrate's four-letter key types."""

    BABE = b"babe"
    GRANDPA = b"gran"
    PARACHAIN = b"para"
    COLLATOR = b"coll"
    ACCOUNT = b"acco"


class ContradictionRefused(Exception):
    """A signature was asked for that contradicts one that may already be out."""

    def __init__(self, promise: Promise) -> None:
        super().__init__(f"already said something else of {promise}")
        self.promise = promise


class Said(Enum):
    """What a key store knows of a payload that one of its keys has signed."""

    BY_US = "it was signed here, or as good as: what it binds was said here"
    OTHERWISE = "something else was said here of what it binds"
    NOT_BY_US = "nothing was said here of what it binds"
    UNKNOWN = "nothing since this store was opened, and of before it has no record of the key"


class KeysNotKept(Exception):
    """The store cannot keep a new key; says why."""


@dataclass(frozen=True, slots=True)
class VrfSignature:
    """A VRF's pre-output (32 bytes) and its proof (64 bytes)."""

    pre_output: bytes
    proof: bytes


class KeyStore(Protocol):
    """Holds the node's secret keys. Public keys are 32 bytes, signatures 64."""

    def public_keys(self, key_type: KeyType) -> Sequence[bytes]:
        """The public keys of that role, in the order in which they were added (keys from a
        directory: in the order of their file names)."""
        ...

    def insert(self, key_type: KeyType, uri: str) -> bytes:
        """Take in the key that a secret URI names, and keep it where this store keeps its keys;
        gives the public key. It may sign at once. One that is held already is held once.

        :raises SecretUriError: when the URI names no key.
        :raises KeysNotKept: when the store cannot keep it; nothing changes.
        """
        ...

    def sign(
        self, key_type: KeyType, public: bytes, payload: bytes, promises: Sequence[Promise]
    ) -> bytes:
        """Sign a payload (sr25519 with the context ``substrate``, or ed25519 for GRANDPA).

        Each of its promises (``ports.promises``) is written durably before the signature is
        returned. The same payload again gives the same signature again.

        :raises ContradictionRefused: when this key has said something else of a subject; nothing
            changes.
        :raises KeyError: when the key is not held.
        """
        ...

    def said(
        self, key_type: KeyType, public: bytes, payload: bytes, promises: Sequence[Promise]
    ) -> Said:
        """Whether it was here that the key has signed the payload, which binds these promises."""
        ...

    def vrf_sign(
        self,
        key_type: KeyType,
        public: bytes,
        transcript: Transcript,
        extra: Transcript | None = None,
    ) -> VrfSignature:
        """VRF-sign a transcript with an sr25519 key; ``extra`` is bound into the proof.

        :raises KeyError: when the key is not held.
        """
        ...

    def vrf_output(
        self, key_type: KeyType, public: bytes, transcript: Transcript, context: bytes, length: int
    ) -> bytes:
        """That many bytes of the VRF's output, others for each context, as anybody gets them from
        a :meth:`vrf_sign` of the transcript. To see whether one has won, at a third of the cost.

        :raises KeyError: when the key is not held.
        """
        ...
