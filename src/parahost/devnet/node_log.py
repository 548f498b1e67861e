"""A node's log as far as its base path keeps it: the file that grows, and those that were moved
away.

Who rotates logs names the files, ``node.log.1`` or ``node.log-20261127.gz``, so their order is that
of the times in them. Copies are no news: a line that stands in two files is read once.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from heapq import merge
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import IO

from parahost.devnet.tail import MOVED, JournalTail
from parahost.primitives.errors import InputError
from parahost.process.journal import time_of

NODE_LOG = "node.log"
_MOVED = f"{NODE_LOG}{MOVED}"
_COMPRESSED = (".gz", ".bz2", ".xz")


class UnreadableLog(InputError):
    """A log that was moved away cannot be read: it is not ours to read, or no whole archive."""

    def __init__(self, path: Path, why: Exception) -> None:
        super().__init__(f"{path} cannot be read: {why}")
        self.path = path


def log_files(source: Path) -> dict[str, Path]:
    """The logs in a node's or a devnet's base path, by node: the files that grow, which may have
    been moved away just now.

    :raises InputError: when there are none.
    """
    found = [
        log
        for name in (NODE_LOG, _MOVED)
        for log in (*source.glob(name), *source.glob(f"*/{name}"))
    ]
    if not found:
        raise InputError(f"{source}: there is no {NODE_LOG}, neither there nor one folder deeper")
    return {
        folder.resolve().name: folder / NODE_LOG for folder in sorted(log.parent for log in found)
    }


class NodeLog:
    """Reads one node's log.

    :param path: of the file that grows.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._tail = JournalTail.whole(path)
        self._has_begun = False

    def texts(self) -> Iterator[str]:
        """The whole lines since the last call; in the first, all that are kept, the oldest first.

        :raises UnreadableLog: when a file that was moved away cannot be read.
        """
        new = self._tail.texts()
        older = [] if self._has_begun else [_lines(path) for path in _moved(self._path.parent)]
        self._has_begun = True
        return _each_once([*older, new]) if older else new


def _moved(folder: Path) -> list[Path]:
    """The files that were moved away, the one first that was written to least lately; of a file and
    what it is just compressed to, the file."""
    paths = set(folder.glob(_MOVED))
    found = [
        path
        for path in paths
        if path.suffix not in _COMPRESSED or path.with_suffix("") not in paths
    ]
    return sorted(found, key=lambda path: (path.stat().st_mtime, path.name))


def _lines(path: Path) -> Iterator[str]:
    try:
        with _opened(path) as lines:
            for line in lines:
                yield line.decode(errors="replace").rstrip("\n")
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as why:
        raise UnreadableLog(path, why) from why


def _opened(path: Path) -> IO[bytes] | gzip.GzipFile | bz2.BZ2File | lzma.LZMAFile:
    match path.suffix:
        case ".gz":
            return gzip.GzipFile(path)
        case ".bz2":
            return bz2.BZ2File(path)
        case ".xz":
            return lzma.LZMAFile(path)
        case _:
            return path.open("rb")


def _each_once(logs: Sequence[Iterator[str]]) -> Iterator[str]:
    """Lines of several files by time; what more than one file has, as often as the one that has it
    most often."""
    timed = [_timed(log, place) for place, log in enumerate(logs)]
    for _, lines in groupby(merge(*timed, key=itemgetter(0)), key=itemgetter(0)):
        told = Counter[str]()
        told_by = defaultdict[int, Counter[str]](Counter)
        for _, place, text in lines:
            told_by[place][text] += 1
            if told_by[place][text] > told[text]:
                told[text] += 1
                yield text


def _timed(log: Iterator[str], place: int) -> Iterator[tuple[float, int, str]]:
    """A file's lines, each with its time: that of the last event up to it, and none earlier than
    the line before, as clocks may be put back."""
    at = 0.0
    for text in log:
        at = max(at, time_of(text) or at)
        yield at, place, text
