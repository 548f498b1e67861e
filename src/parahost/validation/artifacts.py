"""Prepared code on disk: machine code that is loaded in a millisecond instead of compiled in
seconds.

A file is named by what it was made with and the code's hash. It begins with the blake2-256 of the
rest, so that damage is noticed, and it is written aside and renamed, so a kill leaves the old file
or none. Whoever can write such a file decides what machine code runs here. So the directory and its
files must belong to this user and be writable by nobody else, or they are not used.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import ELOOP
from pathlib import Path

from parahost.validation.errors import ArtifactError
from parahost.validation.wire import MAX_ARTIFACT_SIZE

MAX_ARTIFACTS = 256
"""The most that are kept; beyond it the least lately used goes."""

_FORM = 4
"""Goes up when the same code is compiled to something else by the same engine."""
_DIGEST_SIZE = 32
_SUFFIX = ".artifact"
_ASIDE = ".tmp"
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


class ArtifactStore:
    """Artifacts in a directory, which is made by the first write."""

    def __init__(self, directory: Path) -> None:
        from importlib.metadata import version  # takes a worker too long, which needs no store

        self._directory = directory
        # Artifacts of another processor or of other settings the engine itself refuses.
        self._made_with = f"{_FORM}-w{version('wasmtime')}"

    def _name(self, code_hash: bytes) -> str:
        return f"{self._made_with}-{code_hash.hex()}{_SUFFIX}"

    def open(self, code_hash: bytes) -> int | None:
        """A descriptor to read the file with; ``None`` when there is none that may be used. It is
        the caller's to close.

        :raises ArtifactError: when the directory is not this user's alone.
        """
        try:
            with self._opened() as directory:
                return _open_own(self._name(code_hash), directory)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._error("cannot be read", error) from None

    def write(self, code_hash: bytes, artifact: bytes) -> None:
        """:raises ArtifactError: when the disk refuses, or the directory is another's too."""
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._opened() as directory:
                _write(self._name(code_hash), _seal(artifact), directory)
                _prune(directory)
        except OSError as error:
            raise self._error("cannot be written", error) from None

    def remove(self, code_hash: bytes) -> None:
        """Whether or not there is one."""
        with suppress(OSError, ArtifactError), self._opened() as directory:
            os.unlink(self._name(code_hash), dir_fd=directory)

    @contextmanager
    def _opened(self) -> Iterator[int]:
        """The directory itself, whatever its name may lead to a moment later."""
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        directory = os.open(self._directory, flags)
        try:
            if not _is_ours_alone(os.fstat(directory)):
                raise ArtifactError(
                    f"artifact directory {self._directory} must belong to this user and be "
                    "writable by nobody else; remove it"
                )
            yield directory
        finally:
            os.close(directory)

    def _error(self, what: str, error: OSError) -> ArtifactError:
        return ArtifactError(f"artifact directory {self._directory} {what}: {error.strerror}")


def unseal(content: bytes) -> bytes:
    """The artifact in a file's content.

    :raises ArtifactError: when it is damaged.
    """
    artifact = content[_DIGEST_SIZE:]
    if _digest(artifact) != content[:_DIGEST_SIZE]:
        raise ArtifactError("the artifact is damaged: its checksum is wrong")
    return artifact


def _seal(artifact: bytes) -> bytes:
    return _digest(artifact) + artifact


def _digest(artifact: bytes) -> bytes:
    return hashlib.blake2b(artifact, digest_size=_DIGEST_SIZE).digest()


def _is_ours_alone(status: os.stat_result) -> bool:
    return status.st_uid == os.geteuid() and not status.st_mode & _WRITABLE_BY_OTHERS


def _open_own(name: str, directory: int) -> int | None:
    try:
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    except OSError as error:
        if error.errno == ELOOP:  # it is a link
            return None
        raise
    status = os.fstat(file)
    if (
        stat.S_ISREG(status.st_mode)
        and _is_ours_alone(status)
        and status.st_size <= MAX_ARTIFACT_SIZE + _DIGEST_SIZE
    ):
        with suppress(OSError):
            os.utime(file)
        return file
    os.close(file)
    return None


def _write(name: str, content: bytes, directory: int) -> None:
    aside = f"{name}.{os.getpid()}{_ASIDE}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with open(os.open(aside, flags, 0o600, dir_fd=directory), "wb") as file:
            file.write(content)
        os.replace(aside, name, src_dir_fd=directory, dst_dir_fd=directory)
    except OSError:
        with suppress(OSError):
            os.unlink(aside, dir_fd=directory)
        raise


def _prune(directory: int) -> None:
    ages = []
    for name in os.listdir(directory):
        with suppress(FileNotFoundError):  # another process prunes too
            if name.endswith(_SUFFIX):
                ages.append((os.stat(name, dir_fd=directory).st_mtime_ns, name))
            elif name.endswith(_ASIDE) and not _is_alive(name.split(".")[-2]):
                os.unlink(name, dir_fd=directory)
    for _, name in sorted(ages)[:-MAX_ARTIFACTS]:
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=directory)


def _is_alive(pid: str) -> bool:
    return pid.isdecimal() and os.path.exists(f"/proc/{pid}")
