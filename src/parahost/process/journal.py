"""A node's log file: one line per event, ``name=value`` fields, hashes cut short.

A line reads ``2026-11-22T12:31:05.123Z backing.seconded relay_parent=0x1b2c3d4e candidate=...``.
Hashes are written as their first eight digits, so that one grep for a candidate's tells its life
over all nodes.
"""

from __future__ import annotations

import json
import logging
import os
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from parahost.ports import Clock, Journal

SHORT_DIGITS = 8


def short(hash_: bytes) -> str:
    """A hash as people and logs call it."""
    return "0x" + hash_.hex()[:SHORT_DIGITS]


class JournalFile:
    """Appends to a file, line by line. Failing to write it never stops a node."""

    def __init__(self, path: Path, clock: Clock) -> None:
        """:raises OSError: when the file cannot be opened."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._clock = clock
        self._file = self._open()

    def record(self, event: str, **fields: object) -> None:
        at = datetime.fromtimestamp(self._clock.now(), UTC)
        stamp = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        texts = {name: field_text(value) for name, value in fields.items()}
        try:
            self._file.write(f"{stamp} {_words(event, texts)}\n")
        except OSError:
            return

    def reopen(self) -> None:
        """Go on in the file that has the name now: who rotates logs has moved the old one away.
        When it cannot be opened, the old one goes on."""
        try:
            file = self._open()
        except OSError as error:
            self.record("log.not_reopened", path=self.path, why=error.strerror)
            return
        self._file.close()
        self._file = file

    def close(self) -> None:
        self._file.close()

    def _open(self) -> TextIO:
        file: TextIO = self.path.open("a", buffering=1, encoding="utf-8")
        if not _ends_whole(self.path):  # the one before was killed while it wrote
            file.write("\n")
        return file


def _ends_whole(path: Path) -> bool:
    """Whether the last line of the file has its end."""
    with path.open("rb") as file:
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
        return file.read() in (b"", b"\n")


def field_text(value: object) -> str:
    """A field's value as logs tell it."""
    if isinstance(value, bytes):
        return short(value)
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _words(event: str, fields: Mapping[str, str]) -> str:
    return " ".join([event, *(f"{name}={_quoted(text)}" for name, text in fields.items())])


def _quoted(text: str) -> str:
    plain = text and text.isprintable() and not any(mark in text for mark in ' "=')
    return text if plain else json.dumps(text)


@dataclass(frozen=True, slots=True)
class JournalLine:
    """One line, read back. ``at`` in seconds since the Unix epoch; values as text."""

    at: float
    event: str
    fields: dict[str, str]

    def __str__(self) -> str:
        """As it stands in the log, without the time."""
        return _words(self.event, self.fields)


def time_of(line: str) -> float | None:
    """When a line of a log file was written, in seconds since the Unix epoch; ``None`` when it does
    not tell."""
    try:
        return datetime.fromisoformat(line.rstrip("\n").partition(" ")[0]).timestamp()
    except ValueError:
        return None


def parse_line(line: str) -> JournalLine | None:
    """A line of a log file; ``None`` when it is no event (a warning, a traceback)."""
    at = time_of(line)
    _, _, rest = line.rstrip("\n").partition(" ")
    event, _, rest = rest.partition(" ")
    if at is None or not event or "." not in event:
        return None
    fields: dict[str, str] = {}
    while rest:
        name, equals, rest = rest.partition("=")
        if not equals:
            return None
        if rest.startswith('"'):
            try:
                value, end = json.JSONDecoder().raw_decode(rest)
            except ValueError:
                return None
            rest = rest[end:].lstrip(" ")
        else:
            value, _, rest = rest.partition(" ")
        fields[name] = str(value)
    return JournalLine(at, event, fields)


class JournalHandler(logging.Handler):
    """Brings what modules log into the journal: ``log.info``, ``log.warning`` and so on, with the
    traceback where there is one."""

    def __init__(self, journal: Journal) -> None:
        super().__init__(logging.INFO)
        self._journal = journal

    def emit(self, record: logging.LogRecord) -> None:
        fields = {"of": record.name, "text": record.getMessage()}
        if record.exc_info:
            fields["traceback"] = "".join(traceback.format_exception(*record.exc_info))
        self._journal.record(f"log.{record.levelname.lower()}", **fields)
