"""Lines of logs: a node's, or those about one candidate."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest

from parahost.devnet.candidate_life import NoSuchCandidate, SeveralCandidates
from parahost.devnet.logs import READ_AGAIN_S, NoSuchNode, lines_about
from parahost.primitives.errors import InputError

ALICE = """\
2026-11-27T10:00:01.000Z backing.valid candidate=0x2a2beb8d validator=1
2026-11-27T10:00:02.000Z statement.contradiction candidate=0x77777777 other=0x2a2beb8d
2026-11-27T10:00:03.000Z chain.imported block=0x2a2beb8d number=7
a line that is no event, though it has candidate=0x2a2beb8d
"""
BOB = """\
2026-11-27T10:00:00.500Z collation.made candidate=0x2a2beb8d para=2000
2026-11-27T10:00:01.500Z backing.valid candidate=0x2a77aaaa validator=1
2026-11-27T10:00:04.000Z chain.included candidate=0x2a2beb8d number=8
"""

LONG = "longer than the log that it follows " * 20


@pytest.fixture
def base(tmp_path: Path) -> Path:
    for name, text in [("alice", ALICE), ("bob", BOB)]:
        (tmp_path / name).mkdir()
        (tmp_path / name / "node.log").write_text(text)
    return tmp_path


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def test_a_nodes_log_is_as_it_is(base: Path) -> None:
    assert list(lines_about("alice", base)) == ALICE.splitlines()
    assert list(lines_about("bob", base / "bob")) == BOB.splitlines()


@pytest.mark.parametrize("subject", ["0x2a2b", "2A2B", "0x2a2beb8d", "0x2a2beb8d" + "ff" * 28])
def test_what_all_nodes_tell_of_a_candidate_is_in_the_order_of_time(
    base: Path, subject: str
) -> None:
    told = list(lines_about(subject, base))
    assert [line.split()[0] for line in told] == ["bob", "alice", "alice", "bob"]
    assert [line.split()[2] for line in told] == [
        "collation.made",
        "backing.valid",
        "statement.contradiction",
        "chain.included",
    ]


def test_what_is_asked_for_has_to_be_there(base: Path) -> None:
    with pytest.raises(NoSuchNode, match=r"carol is no node in .*; there are alice, bob") as error:
        list(lines_about("carol", base))
    assert error.value.names == ["alice", "bob"]
    with pytest.raises(NoSuchNode):
        list(lines_about("0x", base))
    with pytest.raises(NoSuchCandidate, match="0x99"):
        list(lines_about("99", base))
    with pytest.raises(SeveralCandidates) as several:
        list(lines_about("0x2a", base))
    assert set(several.value.hashes) == {"0x2a2beb8d", "0x2a77aaaa"}
    with pytest.raises(InputError, match=r"there is no node\.log"):
        list(lines_about("alice", base / "elsewhere"))


def test_a_log_is_followed_into_the_file_that_takes_its_place(base: Path) -> None:
    log = base / "alice/node.log"
    steps: list[Callable[[], object]] = [
        lambda: append(log, "one\ntw"),
        lambda: append(log, "o\n"),
        lambda: (log.rename(base / "alice/node.log.1"), log.write_text(f"three\n{LONG}\n")),
        lambda: append(log, "four\n"),
    ]
    waited = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        steps.pop(0)()

    told = lines_about("alice", base, follow=True, wait=wait)
    assert list(islice(told, 9))[4:] == ["one", "two", "three", LONG, "four"]
    assert waited == [READ_AGAIN_S] * 4


def test_what_was_moved_away_is_told_too(base: Path) -> None:
    old = "2026-11-27T09:00:00.000Z backing.seconded candidate=0x2a2beb8d validator=1\n"
    (base / "alice/node.log.1").write_text(old)
    assert "\n".join(lines_about("alice", base)) + "\n" == old + ALICE
    first, *others = lines_about("0x2a2b", base)
    assert first.split()[:3] == ["alice", "2026-11-27T09:00:00.000Z", "backing.seconded"]
    assert len(others) == 4


def test_a_candidate_is_followed_through_nodes_that_come_later(base: Path) -> None:
    def later() -> None:
        (base / "carol").mkdir()
        append(
            base / "carol/node.log",
            "2026-11-27T10:00:06.000Z checking.valid candidate=0x2a2beb8d\n"
            "2026-11-27T10:00:06.500Z checking.valid candidate=0x11111111\n",
        )
        append(
            base / "bob/node.log", "2026-11-27T10:00:05.000Z chain.accepted candidate=0x2a2beb8d\n"
        )

    steps = [later]
    told = lines_about("0x2a2b", base, follow=True, wait=lambda _: steps.pop()())
    assert [line.split()[2] for line in islice(told, 6)][4:] == ["chain.accepted", "checking.valid"]


def test_who_has_read_enough_ends_it_quietly(base: Path) -> None:
    append(base / "alice/node.log", "and so on\n" * 100_000)
    command = "import sys; from parahost.cli.main import run; sys.exit(run(sys.argv[1:]))"
    argv = [sys.executable, "-c", command, "logs", "alice", "--from", str(base)]
    with subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(os.environ)
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline().decode() == ALICE.splitlines(keepends=True)[0]
        process.stdout.close()
        assert process.stderr.read() == b""
