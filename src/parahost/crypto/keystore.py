"""The key store: keys from a directory or from seeds, and the protection log before each signature.

Holding keys (:class:`KeyRing`) and guarding them (:class:`ProtectionLog`) are apart;
:class:`ProtectedKeyStore` puts them together as the port ``KeyStore``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from parahost.crypto import ed25519, sr25519, vrf
from parahost.crypto.protection import ProtectionLog
from parahost.crypto.secret_uri import SecretUriError
from parahost.ports.database import Database
from parahost.ports.keystore import KeyType, Said, VrfSignature
from parahost.ports.promises import Promise
from parahost.primitives.errors import InputError
from parahost.primitives.transcript import Transcript

Keypair = sr25519.Keypair | ed25519.Keypair
Keep = Callable[[KeyType, str], None]
"""Keeps the key of that role that a secret URI names.

:raises KeysNotKept: when it cannot.
"""


class KeyFileError(InputError):
    """A file of the key directory cannot be read, or does not hold the key that its name says."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"key file {path}: {why}")
        self.path = path


def keypair_from_uri(key_type: KeyType, uri: str) -> Keypair:
    """The key of that role that a secret URI names: ed25519 for GRANDPA, else sr25519.

    :raises SecretUriError: when the URI names none.
    """
    if key_type is KeyType.GRANDPA:
        return ed25519.Keypair.from_uri(uri)
    return sr25519.Keypair.from_uri(uri)


@dataclass(slots=True)
class KeyRing:
    """Secret keys by role, each role's in the order in which they were added."""

    _keys: dict[KeyType, dict[bytes, Keypair]] = field(default_factory=dict)

    @classmethod
    def of(cls, uris: Iterable[tuple[KeyType, str]]) -> KeyRing:
        """Keys in memory from secret URIs, or seeds written ``0x...``.

        :raises SecretUriError: when a URI names no key.
        """
        ring = cls()
        for key_type, uri in uris:
            ring.add(key_type, keypair_from_uri(key_type, uri))
        return ring

    def add(self, key_type: KeyType, keypair: Keypair) -> None:
        self._keys.setdefault(key_type, {})[keypair.public] = keypair

    def without(self, roles: Iterable[KeyType]) -> KeyRing:
        """The keys of all other roles."""
        left_out = set(roles)
        return KeyRing({role: keys for role, keys in self._keys.items() if role not in left_out})

    def public_keys(self, key_type: KeyType) -> Sequence[bytes]:
        return tuple(self._keys.get(key_type, ()))

    def get(self, key_type: KeyType, public: bytes) -> Keypair:
        """:raises KeyError: when the key is not held."""
        try:
            return self._keys[key_type][public]
        except KeyError:
            name = key_type.value.decode()
            raise KeyError(f"no {name} key 0x{public.hex()} in this key store") from None


class KeyDirectory:
    """Secret keys on disk in Substrate's layout: a file per key, its name the hexadecimal key type
    and public key, its content the secret URI as a JSON string, readable for its owner only."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> KeyRing:
        """All keys of the roles that this host knows, ordered by file name. Other files are passed
        over: a node of another kind may keep its keys beside ours.

        :raises KeyFileError: when a file cannot be read or holds another key than its name says.
        """
        ring = KeyRing()
        if not self._path.is_dir():
            return ring
        for file in sorted(self._path.iterdir()):
            if (named := _parse_name(file.name)) is not None:
                key_type, public = named
                ring.add(key_type, _read_key(file, key_type, public))
        return ring

    def exposed(self) -> list[Path]:
        """The key files that others than their owner may read or change."""
        if not self._path.is_dir():
            return []
        files = (file for file in sorted(self._path.iterdir()) if _parse_name(file.name))
        return [file for file in files if file.stat().st_mode & 0o077]

    def insert(self, key_type: KeyType, uri: str) -> bytes:
        """Write a key, durably, and return its public key; inserting it again changes nothing.

        :raises SecretUriError: when the URI names no key.
        :raises KeyFileError: when the file cannot be written.
        """
        public = keypair_from_uri(key_type, uri).public
        file = self._path / (key_type.value + public).hex()
        draft = file.with_suffix(".new")
        try:
            self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
            draft.unlink(missing_ok=True)
            _write_secret(draft, json.dumps(uri).encode())
            draft.replace(file)
            _sync(self._path)
        except OSError as why:
            raise KeyFileError(file, f"cannot be written: {why.strerror}") from why
        return public


def keep_in_memory(key_type: KeyType, uri: str) -> None:
    """A new key is kept as long as the store is."""


class ProtectedKeyStore:
    """The port ``KeyStore``: a key ring whose signatures all pass the protection log."""

    def __init__(self, keys: KeyRing, database: Database, keep: Keep = keep_in_memory) -> None:
        """:param keep: puts a new key where it outlasts the store."""
        self._keys = keys
        self._log = ProtectionLog(database)
        self._keep = keep

    def public_keys(self, key_type: KeyType) -> Sequence[bytes]:
        return self._keys.public_keys(key_type)

    def insert(self, key_type: KeyType, uri: str) -> bytes:
        """See the port."""
        keypair = keypair_from_uri(key_type, uri)
        if keypair.public not in self._keys.public_keys(key_type):
            self._keep(key_type, uri)
            self._keys.add(key_type, keypair)
        return keypair.public

    def sign(
        self, key_type: KeyType, public: bytes, payload: bytes, promises: Sequence[Promise]
    ) -> bytes:
        """See the port.

        :raises DatabaseError: when the promises cannot be written; no signature is given out.
        """
        keypair = self._keys.get(key_type, public)
        return self._log.sign_once(
            key_type, public, payload, promises, lambda: _sign(keypair, payload)
        )

    def said(
        self, key_type: KeyType, public: bytes, payload: bytes, promises: Sequence[Promise]
    ) -> Said:
        """See the port."""
        return self._log.said(key_type, public, payload, promises)

    def vrf_sign(
        self,
        key_type: KeyType,
        public: bytes,
        transcript: Transcript,
        extra: Transcript | None = None,
    ) -> VrfSignature:
        """See the port. Needs no log: a VRF has one output, so two proofs contradict nothing.

        :raises TypeError: for a GRANDPA key, which is an ed25519 key.
        """
        return vrf.vrf_sign(self._vrf_key(key_type, public), transcript, extra)

    def vrf_output(
        self, key_type: KeyType, public: bytes, transcript: Transcript, context: bytes, length: int
    ) -> bytes:
        """See the port.

        :raises TypeError: for a GRANDPA key.
        """
        inout = vrf.vrf_evaluate(self._vrf_key(key_type, public), transcript)
        return vrf.make_bytes(inout, context, length)

    def _vrf_key(self, key_type: KeyType, public: bytes) -> sr25519.Keypair:
        keypair = self._keys.get(key_type, public)
        if not isinstance(keypair, sr25519.Keypair):
            raise TypeError(f"{key_type.name} keys are ed25519 keys and have no VRF")
        return keypair


def _sign(keypair: Keypair, payload: bytes) -> bytes:
    if isinstance(keypair, sr25519.Keypair):
        return sr25519.sign(keypair, payload)
    return ed25519.sign(keypair, payload)


def _parse_name(name: str) -> tuple[KeyType, bytes] | None:
    try:
        raw = bytes.fromhex(name)
        return (KeyType(raw[:4]), raw[4:]) if len(raw) == 36 else None
    except ValueError:
        return None


def _read_key(file: Path, key_type: KeyType, public: bytes) -> Keypair:
    try:
        uri = json.loads(file.read_text())
    except (OSError, ValueError) as why:
        raise KeyFileError(file, "cannot be read as a JSON string") from why
    if not isinstance(uri, str):
        raise KeyFileError(file, "must hold a secret URI as a JSON string")
    try:
        keypair = keypair_from_uri(key_type, uri)
    except SecretUriError as why:
        raise KeyFileError(file, str(why)) from why
    if keypair.public != public:
        raise KeyFileError(file, f"holds the key 0x{keypair.public.hex()}, not the one it is named")
    return keypair


def _write_secret(file: Path, content: bytes) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as out:
        out.write(content)
        out.flush()
        os.fsync(descriptor)


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
