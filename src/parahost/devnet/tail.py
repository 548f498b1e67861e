"""Reading a node's log file as it grows."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

from parahost.process.journal import JournalLine, parse_line

READ_AT_ONCE = 1 << 20
"""Bytes."""
MOVED = "[.-]*"
"""How the name of a log goes on that was moved away, as a pattern."""


class JournalTail:
    """Reads what is appended to a log file; when another file has taken its place, all of that."""

    def __init__(self, path: Path) -> None:
        """Begins at the present end of the file: what is older was another run's."""
        self._path = path
        self._position, self._file = 0, 0
        if path.exists():
            found = path.stat()
            self._position, self._file = found.st_size, found.st_ino
        self._rest = b""

    @classmethod
    def whole(cls, path: Path) -> Self:
        """Begins at the file's start."""
        tail = cls(path)
        tail._position = 0
        return tail

    def go_back(self, count: int) -> None:
        """Begin so many bytes before."""
        self._position = max(0, self._position - count)

    def texts(self) -> Iterator[str]:
        """The whole lines since the last call. What was moved away is read to its end first: a node
        writes to it until it is told."""
        for path in (*self._moved_away(), self._path):
            yield from self._read(path)

    def _moved_away(self) -> Iterator[Path]:
        """The file that was read last, when it stands beside under a longer name."""
        for path in self._path.parent.glob(f"{self._path.name}{MOVED}"):
            with suppress(FileNotFoundError):
                if path.stat().st_ino == self._file:
                    yield path

    def _read(self, path: Path) -> Iterator[str]:
        try:
            file = path.open("rb")
        except FileNotFoundError:
            return
        with file:
            self._look_whether_it_is_the_same(os.fstat(file.fileno()))
            file.seek(self._position)
            while data := file.read(READ_AT_ONCE):
                self._position += len(data)
                *whole, self._rest = (self._rest + data).split(b"\n")
                for line in whole:
                    yield line.decode(errors="replace")

    def lines(self) -> Iterator[JournalLine]:
        """The events since the last call."""
        for text in self.texts():
            event = parse_line(text)
            if event is not None:
                yield event

    def _look_whether_it_is_the_same(self, found: os.stat_result) -> None:
        if found.st_ino != self._file or found.st_size < self._position:
            if self._file:
                self._position, self._rest = 0, b""
            self._file = found.st_ino
