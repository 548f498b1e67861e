"""The lines of nodes' logs: one node's, or of all nodes those about one candidate."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from parahost.devnet.candidate_life import (
    NoSuchCandidate,
    SeveralCandidates,
    in_full,
    is_called,
    may_begin_hash,
)
from parahost.devnet.node_log import NodeLog, log_files
from parahost.primitives.errors import InputError
from parahost.process.journal import SHORT_DIGITS, parse_line

READ_AGAIN_S = 0.2
_CANDIDATE_FIELDS = ("candidate", "other")

Wait = Callable[[float], None]
"""Waits so many seconds."""


class NoSuchNode(InputError):
    """No log is of a node of that name, and it is no candidate's hash either."""

    def __init__(self, asked: str, names: list[str], source: Path) -> None:
        super().__init__(
            f"{asked} is no node in {source}, and no candidate's hash; there are {', '.join(names)}"
        )
        self.names = names


def lines_about(
    subject: str, source: Path, *, follow: bool = False, wait: Wait = lambda _: None
) -> Iterator[str]:
    """The lines of a node's log, or those about a candidate whose hash begins so, in the order of
    time and with each line's node: as far back as they are kept. To ``follow``: those that come,
    without end, too.

    :param source: the base path of a devnet or of a node.
    :raises NoSuchNode: when it is neither.
    :raises NoSuchCandidate: when nothing is told of such a candidate.
    :raises SeveralCandidates: when it is not the only one.
    :raises InputError: when there are no logs, or one is unreadable.
    """
    files = log_files(source)
    if subject in files:
        return _of_node(files[subject], follow, wait)
    if not _may_be_hash(subject):
        raise NoSuchNode(subject, list(files), source)
    return _AboutCandidate(source, in_full(subject)).lines(follow, wait)


def _may_be_hash(subject: str) -> bool:
    return in_full(subject) != in_full("") and may_begin_hash(subject)


def _of_node(path: Path, follow: bool, wait: Wait) -> Iterator[str]:
    log = NodeLog(path)
    yield from log.texts()
    while follow:
        wait(READ_AGAIN_S)
        yield from log.texts()


class _AboutCandidate:
    """Looks through all logs, and through those of nodes that come later."""

    def __init__(self, source: Path, beginning: str) -> None:
        self._source = source
        self._beginning = beginning
        self._mark = f"={beginning[: SHORT_DIGITS + 2]}"
        self._logs: dict[str, NodeLog] = {}
        self._hashes: dict[str, None] = {}

    def lines(self, follow: bool, wait: Wait) -> Iterator[str]:
        found = self._news()
        if not self._hashes:
            raise NoSuchCandidate(f"nothing is told of a candidate {self._beginning}")
        while True:
            if len(self._hashes) > 1:
                raise SeveralCandidates(self._beginning, self._hashes)
            yield from found
            if not follow:
                return
            wait(READ_AGAIN_S)
            found = self._news()

    def _news(self) -> list[str]:
        """Lines since the last time, in their order."""
        for name, path in log_files(self._source).items():
            self._logs.setdefault(name, NodeLog(path))
        width = max(map(len, self._logs))
        told = [
            (at, f"{name:<{width}}  {text}")
            for name, log in self._logs.items()
            for at, text in self._about_it(log)
        ]
        return [text for _, text in sorted(told, key=lambda line: line[0])]

    def _about_it(self, log: NodeLog) -> Iterator[tuple[float, str]]:
        for text in log.texts():
            line = parse_line(text) if self._mark in text else None
            if line is None:
                continue
            named = [line.fields[name] for name in _CANDIDATE_FIELDS if name in line.fields]
            its_own = [hash for hash in named if is_called(hash, self._beginning)]
            if its_own:
                self._hashes.update(dict.fromkeys(its_own))
                yield line.at, text
