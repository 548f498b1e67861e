"""A key store that is listened to."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from parahost.ports import KeyStore, KeyType
from parahost.ports.keystore import Said, VrfSignature
from parahost.ports.promises import Promise
from parahost.primitives.transcript import Transcript
from parahost.simulation.checkers.checker import SignatureMade

OnSignature = Callable[[SignatureMade], None]


class WatchedKeyStore:
    """``ports.KeyStore`` that tells of each signature it gives out."""

    def __init__(self, node: str, keys: KeyStore, on_signature: OnSignature) -> None:
        self._node = node
        self._keys = keys
        self._on_signature = on_signature

    def public_keys(self, key_type: KeyType) -> Sequence[bytes]:
        return self._keys.public_keys(key_type)

    def insert(self, key_type: KeyType, uri: str) -> bytes:
        return self._keys.insert(key_type, uri)

    def sign(
        self, key_type: KeyType, public: bytes, payload: bytes, promises: Sequence[Promise]
    ) -> bytes:
        signature = self._keys.sign(key_type, public, payload, promises)
        self._on_signature(SignatureMade(self._node, key_type, public, payload))
        return signature

    def said(
        self, key_type: KeyType, public: bytes, payload: bytes, promises: Sequence[Promise]
    ) -> Said:
        return self._keys.said(key_type, public, payload, promises)

    def vrf_sign(
        self,
        key_type: KeyType,
        public: bytes,
        transcript: Transcript,
        extra: Transcript | None = None,
    ) -> VrfSignature:
        return self._keys.vrf_sign(key_type, public, transcript, extra)

    def vrf_output(
        self, key_type: KeyType, public: bytes, transcript: Transcript, context: bytes, length: int
    ) -> bytes:
        return self._keys.vrf_output(key_type, public, transcript, context, length)
