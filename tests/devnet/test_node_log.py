"""A node's log is read as far back as its base path keeps it."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
from pathlib import Path

import pytest

from parahost.devnet.node_log import NodeLog, UnreadableLog, log_files


def line(second: int, word: str = "chain.imported") -> str:
    return f"2026-11-27T10:00:{second:02}.000Z {word} number={second}"


def lines(first: int, last: int) -> list[str]:
    return [line(second) for second in range(first, last)]


def write(path: Path, texts: list[str], mtime: float = 1000.0) -> None:
    text = "".join(f"{each}\n" for each in texts).encode()
    match path.suffix:
        case ".gz":
            text = gzip.compress(text)
        case ".bz2":
            text = bz2.compress(text)
        case ".xz":
            text = lzma.compress(text)
    path.write_bytes(text)
    os.utime(path, (mtime, mtime))


def read(folder: Path) -> list[str]:
    return list(NodeLog(folder / "node.log").texts())


@pytest.mark.parametrize(
    "names",
    [
        ("node.log.2.gz", "node.log.1", "node.log"),
        ("node.log-20261126.xz", "node.log-20261127.bz2", "node.log"),
        ("node.log.old", "node.log.another", "node.log"),
        ("node.log.10", "node.log.9"),
    ],
)
def test_what_was_moved_away_is_read_first(tmp_path: Path, names: tuple[str, ...]) -> None:
    for age, name in enumerate(names):
        write(tmp_path / name, lines(10 * age, 10 * age + 10))
    assert read(tmp_path) == lines(0, 10 * len(names))
    assert log_files(tmp_path) == {tmp_path.name: tmp_path / "node.log"}


def test_copies_and_parts_of_copies_are_no_news(tmp_path: Path) -> None:
    write(tmp_path / "node.log", lines(10, 30))
    write(tmp_path / "node.log.1", lines(0, 10))
    write(tmp_path / "node.log.backup", lines(0, 20))
    write(tmp_path / "node.log.1.gz", [])
    assert read(tmp_path) == lines(0, 30)


def test_what_a_node_said_twice_stays_said_twice(tmp_path: Path) -> None:
    twice = [line(1), line(1), "no event", "no event", line(2)]
    write(tmp_path / "node.log", [*twice, line(3)])
    assert read(tmp_path) == [*twice, line(3)]
    write(tmp_path / "node.log.1", twice)
    assert read(tmp_path) == [*twice, line(3)]


def test_files_that_end_and_begin_at_one_moment(tmp_path: Path) -> None:
    write(tmp_path / "node.log.2", [line(1), line(5, "a.first")], mtime=1000.0)
    write(tmp_path / "node.log.1", [line(5, "a.second"), line(5, "a.third")], mtime=2000.0)
    write(tmp_path / "node.log", [line(5, "a.fourth"), line(6)])
    events = [text.split()[1] for text in read(tmp_path)]
    assert events[1:5] == ["a.first", "a.second", "a.third", "a.fourth"]


def test_a_clock_that_was_put_back_disorders_no_file(tmp_path: Path) -> None:
    put_back = [line(5), line(3), line(4), line(6)]
    write(tmp_path / "node.log", [*put_back, line(7)])
    write(tmp_path / "node.log.1", put_back)
    assert read(tmp_path) == [*put_back, line(7)]


def test_afterwards_only_what_comes_is_read(tmp_path: Path) -> None:
    log = NodeLog(tmp_path / "node.log")
    write(tmp_path / "node.log", lines(10, 12))
    write(tmp_path / "node.log.1", lines(0, 10))
    assert list(log.texts()) == lines(0, 12)
    assert list(log.texts()) == []
    write(tmp_path / "node.log", lines(10, 13))
    assert list(log.texts()) == [line(12)]


def test_what_was_written_before_the_log_was_moved_away_is_not_lost(tmp_path: Path) -> None:
    """Nor what the node writes to it afterwards, until it is told to begin another."""
    path, moved = tmp_path / "node.log", tmp_path / "node.log.1"
    write(path, lines(0, 2))
    log = NodeLog(path)
    assert list(log.texts()) == lines(0, 2)
    write(path, lines(0, 4))
    path.rename(moved)
    assert list(log.texts()) == lines(2, 4)
    write(moved, lines(0, 5))
    write(path, lines(5, 7))
    assert list(log.texts()) == lines(4, 7)
    assert list(log.texts()) == []


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz"])
@pytest.mark.parametrize("damage", ["cut", "spoilt"])
def test_a_damaged_file_is_named(tmp_path: Path, suffix: str, damage: str) -> None:
    path = tmp_path / f"node.log.1{suffix}"
    write(path, lines(0, 60))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if damage == "cut" else b"spoilt" + whole)
    with pytest.raises(UnreadableLog, match=f"node.log.1{suffix} cannot be read") as error:
        read(tmp_path)
    assert error.value.path == path
