"""Whoever can write an artifact decides what machine code runs: so it must be us alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from parahost.ports.validation import ExecutionKind, Returned, Undecided
from parahost.primitives.basic import ValidationCode
from parahost.validation import ValidationPool
from parahost.validation.artifacts import MAX_ARTIFACTS, ArtifactStore, unseal
from parahost.validation.errors import ArtifactError
from tests.validation.guests import ECHO, PARAMS, guest

HASH, OTHER = bytes(32), bytes(31) + b"\1"
NOBODY = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "artifacts")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "artifacts"


def content(store: ArtifactStore, code_hash: bytes = HASH) -> bytes | None:
    file = store.open(code_hash)
    if file is None:
        return None
    with open(file, "rb") as opened:
        return unseal(opened.read())


def test_what_was_written_is_read(store: ArtifactStore, directory: Path) -> None:
    assert content(store) is None
    store.write(HASH, b"machine code")
    assert content(store) == b"machine code" and content(store, OTHER) is None
    assert directory.stat().st_mode & 0o777 == 0o700
    [file] = directory.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    store.remove(HASH)
    store.remove(HASH)
    assert content(store) is None


@pytest.mark.parametrize("mode", [0o720, 0o702, 0o777, 0o1777])
def test_a_directory_that_others_can_write_is_not_used(
    store: ArtifactStore, directory: Path, mode: int
) -> None:
    store.write(HASH, b"machine code")
    directory.chmod(mode)
    with pytest.raises(ArtifactError, match="writable by nobody else"):
        store.open(HASH)
    with pytest.raises(ArtifactError, match="writable by nobody else"):
        store.write(HASH, b"machine code")


@needs_root
def test_a_directory_of_another_user_is_not_used(store: ArtifactStore, directory: Path) -> None:
    store.write(HASH, b"machine code")
    os.chown(directory, NOBODY, NOBODY)
    with pytest.raises(ArtifactError, match="must belong to this user"):
        store.open(HASH)


def test_a_link_to_a_directory_is_not_followed(tmp_path: Path, directory: Path) -> None:
    ArtifactStore(tmp_path / "elsewhere").write(HASH, b"machine code")
    directory.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ArtifactError, match="cannot be read"):
        ArtifactStore(directory).open(HASH)


@pytest.mark.parametrize("how", ["writable", "link", "directory", "too long"])
def test_a_file_that_is_not_plainly_ours_is_not_used(
    store: ArtifactStore, directory: Path, tmp_path: Path, how: str
) -> None:
    store.write(HASH, b"machine code")
    [file] = directory.iterdir()
    if how == "writable":
        file.chmod(0o622)
    elif how == "link":
        file.rename(tmp_path / "moved")
        file.symlink_to(tmp_path / "moved")
    elif how == "directory":
        file.unlink()
        file.mkdir()
    else:
        os.truncate(file, 65 << 20)
    assert content(store) is None


@needs_root
def test_a_file_of_another_user_is_not_used(store: ArtifactStore, directory: Path) -> None:
    store.write(HASH, b"machine code")
    [file] = directory.iterdir()
    os.chown(file, NOBODY, NOBODY)
    assert content(store) is None


async def test_in_a_directory_of_others_candidates_stay_undecided(directory: Path) -> None:
    directory.mkdir(mode=0o777)
    directory.chmod(0o777)
    async with ValidationPool(directory) as pool:
        code = ValidationCode(guest(ECHO))
        outcome = await pool.execute(code, PARAMS, ExecutionKind.BACKING)
        assert isinstance(outcome, Undecided) and str(directory) in outcome.reason
        directory.chmod(0o700)
        outcome = await pool.execute(code, PARAMS, ExecutionKind.BACKING)
        assert isinstance(outcome, Returned)


def test_the_least_lately_used_go_and_what_was_cut_off_too(
    store: ArtifactStore, directory: Path
) -> None:
    store.write(HASH, b"first")
    for number in range(1, MAX_ARTIFACTS):
        store.write(number.to_bytes(32, "big"), b"another")
    for age, file in enumerate(sorted(directory.iterdir())):
        os.utime(file, (age, age))
    no_process = 4194304 + 1  # beyond the largest pid
    (directory / f"x.artifact.{no_process}.tmp").write_bytes(b"half")
    mine = directory / f"y.artifact.{os.getpid()}.tmp"
    mine.write_bytes(b"half")
    assert content(store) == b"first"  # and so it is the latest used
    store.write(MAX_ARTIFACTS.to_bytes(32, "big"), b"one more")
    assert content(store) == b"first"
    assert content(store, (1).to_bytes(32, "big")) is None
    assert len(list(directory.glob("*.artifact"))) == MAX_ARTIFACTS
    assert list(directory.glob("*.tmp")) == [mine]
