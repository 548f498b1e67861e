"""Prepared code on disk: machine code that is loaded in a millisecond instead of compiled in
seconds.

A file is named by the engine's fingerprint and the code's hash, so that another wasmtime or
another machine never meets it. It begins with the blake2-256 of the rest. It is written aside and
renamed, so a kill leaves the old file or none; whatever the disk does to it later is noticed. The
directory must be writable by nobody else: its files are executed.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path

from parahost.validation.errors import ArtifactError

MAX_ARTIFACTS = 256
"""The most that are kept; beyond it the least lately used goes."""

_DIGEST_SIZE = 32
_SUFFIX = ".artifact"


class ArtifactCache:
    """Artifacts of one engine in a directory, which is made by the first write."""

    def __init__(self, directory: Path, fingerprint: str) -> None:
        self._directory = directory
        self._fingerprint = fingerprint

    def path(self, code_hash: bytes) -> Path:
        return self._directory / f"{self._fingerprint}-{code_hash.hex()}{_SUFFIX}"

    def read(self, code_hash: bytes) -> bytes:
        """:raises ArtifactError: when there is none, or it is damaged."""
        path = self.path(code_hash)
        try:
            content = path.read_bytes()
            os.utime(path)
        except OSError as error:
            raise ArtifactError(f"artifact {path} cannot be read: {error.strerror}") from None
        digest, artifact = content[:_DIGEST_SIZE], content[_DIGEST_SIZE:]
        if hashlib.blake2b(artifact, digest_size=_DIGEST_SIZE).digest() != digest:
            raise ArtifactError(f"artifact {path} is damaged: its checksum is wrong")
        return artifact

    def write(self, code_hash: bytes, artifact: bytes) -> None:
        """:raises ArtifactError: when the disk refuses."""
        path = self.path(code_hash)
        aside = path.with_suffix(f".{os.getpid()}.tmp")
        digest = hashlib.blake2b(artifact, digest_size=_DIGEST_SIZE).digest()
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            aside.write_bytes(digest + artifact)
            aside.replace(path)
            self._prune()
        except OSError as error:
            with suppress(OSError):
                aside.unlink(missing_ok=True)
            raise ArtifactError(f"artifact {path} cannot be written: {error.strerror}") from None

    def _prune(self) -> None:
        ages = []
        for path in self._directory.glob(f"*{_SUFFIX}"):
            with suppress(FileNotFoundError):  # another process prunes too
                ages.append((path.stat().st_mtime_ns, path))
        for _, path in sorted(ages)[:-MAX_ARTIFACTS]:
            path.unlink(missing_ok=True)
        for path in self._directory.glob("*.tmp"):
            if not _is_alive(int(path.suffixes[-2][1:])):
                path.unlink(missing_ok=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
