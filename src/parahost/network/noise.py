"""libp2p's noise: who the other side is, and the ciphers, without a socket.

Noise ``XX`` over X25519, ChaCha20-Poly1305 and SHA-256, by the noiseprotocol library. What is
libp2p's own stands here: each side's payload proves with its identity key that the noise key of
this connection is its own (https://github.com/libp2p/specs/tree/master/noise).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidTag
from noise.connection import Keypair, NoiseConnection
from noise.exceptions import NoiseHandshakeError, NoiseInvalidMessage, NoiseValueError

from parahost.crypto import ed25519
from parahost.network.errors import PeerError
from parahost.network.identity import Identity
from parahost.primitives.basic import PeerId
from parahost.primitives.peer_ids import peer_id_of

MAX_MESSAGE = 65_535
"""One noise message, in bytes, its tag included."""
TAG = 16

_PROTOCOL = b"Noise_XX_25519_ChaChaPoly_SHA256"
_SIGNED = b"noise-libp2p-static-key:"
_KEY_FORM = bytes.fromhex("08011220")
"""A protobuf public key of type ed25519 begins so; its 32 bytes follow."""
_IDENTITY_KEY, _IDENTITY_SIGNATURE = 1, 2
"""Fields of the protobuf payload."""
_UNREADABLE = (InvalidTag, NoiseHandshakeError, NoiseInvalidMessage, NoiseValueError, ValueError)
"""``ValueError``: a key with which no secret can be shared."""
_BYTES = 2
"""protobuf's wire type of a byte string."""


@dataclass(frozen=True, slots=True)
class _Payload:
    identity_key: bytes
    signature: bytes


class Noise:
    """One connection's noise, from the first handshake message on. Messages are without their
    length prefix. What the peer sends that does not fit raises :class:`PeerError`."""

    def __init__(self, identity: Identity, *, initiator: bool) -> None:
        self._identity = identity
        self._noise: Any = NoiseConnection.from_name(_PROTOCOL)
        if initiator:
            self._noise.set_as_initiator()
        else:
            self._noise.set_as_responder()
        self._noise.set_keypair_from_private_bytes(Keypair.STATIC, os.urandom(32))
        self._noise.start_handshake()
        self._handshake = self._noise.noise_protocol.handshake_state

    def greeting(self) -> bytes:
        """The initiator's first message."""
        return bytes(self._noise.write_message())

    def read_greeting(self, message: bytes) -> None:
        """:raises PeerError: when it is none."""
        self._read(message)

    def proof(self) -> bytes:
        """The handshake message in which this side proves who it is.

        :raises PeerError: when the other side's key is one with which no secret can be shared.
        """
        static = self._handshake.s.public_bytes
        signature = self._identity.sign(_SIGNED + static)
        key = _KEY_FORM + self._identity.public
        payload = _field(_IDENTITY_KEY, key) + _field(_IDENTITY_SIGNATURE, signature)
        try:
            return bytes(self._noise.write_message(payload))
        except ValueError as error:
            raise PeerError("no secret can be shared with the peer's key") from error

    def read_proof(self, message: bytes) -> PeerId:
        """Who the other side is, by the handshake message in which it proves that.

        :raises PeerError: when it does not.
        """
        payload = _parse_payload(self._read(message))
        if not payload.identity_key.startswith(_KEY_FORM) or len(payload.identity_key) != 36:
            raise PeerError("the peer's identity is no ed25519 key")
        public = payload.identity_key[len(_KEY_FORM) :]
        static = self._handshake.rs.public_bytes
        if not ed25519.verify(public, _SIGNED + static, payload.signature):
            raise PeerError("the peer does not prove its identity")
        return peer_id_of(public)

    def encrypt(self, data: bytes) -> bytes:
        """A message of at most :data:`MAX_MESSAGE` - :data:`TAG` bytes, after the handshake."""
        encrypted: bytes = self._noise.encrypt(data)
        return encrypted

    def decrypt(self, message: bytes) -> bytes:
        """:raises PeerError: when the message was tampered with."""
        try:
            data: bytes = self._noise.decrypt(message)
        except (InvalidTag, NoiseInvalidMessage) as error:
            raise PeerError("not a noise message of this connection") from error
        return data

    def _read(self, message: bytes) -> bytes:
        try:
            return bytes(self._noise.read_message(message))
        except _UNREADABLE as error:
            raise PeerError(f"not a noise handshake message: {type(error).__name__}") from error


def _field(number: int, content: bytes) -> bytes:
    return bytes((number << 3 | _BYTES, len(content))) + content


def _parse_payload(data: bytes) -> _Payload:
    """The two fields that count; others, which the specification allows, are passed over.

    :raises PeerError: when it is not protobuf, or a field is missing.
    """
    fields: dict[int, bytes] = {}
    position = 0
    try:
        while position < len(data):
            tag, position = _varint(data, position)
            if tag & 7 != _BYTES:
                raise PeerError("a field of the noise payload is no byte string")
            length, position = _varint(data, position)
            end = position + length
            if end > len(data):
                raise PeerError("the noise payload is cut off")
            fields[tag >> 3] = data[position:end]
            position = end
        return _Payload(fields[_IDENTITY_KEY], fields[_IDENTITY_SIGNATURE])
    except (IndexError, KeyError) as error:
        raise PeerError("the noise payload is cut off or lacks a field") from error


def _varint(data: bytes, position: int) -> tuple[int, int]:
    """A protobuf integer of at most 3 bytes, which is more than a noise message holds."""
    value = 0
    for count in range(3):
        byte = data[position + count]
        value |= (byte & 0x7F) << 7 * count
        if byte < 0x80:
            return value, position + count + 1
    raise PeerError("an integer of the noise payload is too large")
