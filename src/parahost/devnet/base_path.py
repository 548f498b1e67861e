"""A devnet's base path: who has it, what a devnet has made there, and how that goes."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from parahost.devnet.errors import BadPlan
from parahost.devnet.plan_file import PLAN_FILE, PlanFile

SPEC_FILE = "chain-spec.json"
LOCK_FILE = "devnet.lock"
SOCKET_FILE = "devnet.sock"

_OWN_FILES = (SPEC_FILE, SOCKET_FILE)
"""Beside the plan, which goes last: as long as it is there, the rest can be named."""
_OF_A_NODE = re.compile(
    r"db|promises(?:[.-][A-Za-z0-9.-]+)?|keystore|artifacts|node-key|output\.log"
    r"|node\.log(?:[.-].*)?|development\.json"
)
"""What a node keeps in its folder, what `keys reset-promises` puts aside there, and its logs that
were moved away: who reads logs would take them for those of the new chain."""


@contextmanager
def base_path_taken(root: Path) -> Iterator[None]:
    """This devnet's alone while the block runs; made if it is not there.

    :raises BadPlan: when another devnet runs there, or it is a file.
    :raises OSError: when it cannot be written.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise BadPlan(f"{root}: not a directory; choose another --base-path") from None
    lock = os.open(root / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(lock, 32, 0).decode(errors="replace").strip()
            who = f" as process {holder}" if holder.isdecimal() else ""
            raise BadPlan(
                f"{root}: another devnet runs there{who}; end it, or choose another --base-path"
            ) from None
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(lock)


@contextmanager
def temporary_base_path() -> Iterator[Path]:
    """A new folder that goes with the block."""
    with tempfile.TemporaryDirectory(prefix="parahost-devnet-") as root:
        yield Path(root)


def clear(root: Path) -> None:
    """Delete what a devnet has made on this base path, which is to be taken. What it has not made
    stays, also in the folders of its nodes.

    :raises BadPlan: when it is not told what a devnet has made there.
    :raises OSError: when something cannot be deleted.
    """
    for name in () if (plan := PlanFile.read(root)) is None else plan.nodes:
        folder = root / name
        if folder.is_symlink() or not folder.is_dir():
            continue
        for entry in folder.iterdir():
            if _OF_A_NODE.fullmatch(entry.name):
                _delete(entry)
        if not any(folder.iterdir()):
            folder.rmdir()
    for name in (*_OWN_FILES, PLAN_FILE):
        (root / name).unlink(missing_ok=True)


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
