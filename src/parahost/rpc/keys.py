"""The node's key store, as callers who may change it do."""

from __future__ import annotations

from parahost.crypto.secret_uri import SecretUriError, phrase_from_entropy
from parahost.ports import KeysNotKept, KeyStore, KeyType, Random
from parahost.runtime.api_trait import KeyNotGenerated

_ENTROPY_BYTES = 16


class NodeKeys:
    """The ``RuntimeHost`` of a node."""

    def __init__(self, keystore: KeyStore, random: Random) -> None:
        self._keystore = keystore
        self._random = random

    def generate_key(self, key_type: bytes, seed: bytes | None) -> bytes:
        """See the port. A new secret is a phrase of twelve words."""
        try:
            secret = phrase_from_entropy(self._random.bytes(_ENTROPY_BYTES))
            if seed is not None:
                secret = seed.decode()
            return self._keystore.insert(KeyType(key_type), secret)
        except UnicodeDecodeError:
            raise KeyNotGenerated("the seed is not UTF-8") from None
        except (SecretUriError, KeysNotKept) as why:
            raise KeyNotGenerated(str(why)) from None

    def holds(self, public: bytes, key_type: bytes) -> bool:
        """Whether the store has the secret of a public key, for a four-letter purpose."""
        try:
            return public in self._keystore.public_keys(KeyType(key_type))
        except ValueError:  # Of a purpose for which this node has no keys.
            return False
