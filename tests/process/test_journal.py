"""What is written to a journal can be read back."""

from __future__ import annotations

import logging
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from parahost.process.journal import JournalFile, parse_line, short
from parahost.process.run_node import heard_in

FIELDS = st.dictionaries(
    st.from_regex(r"[a-z_]{1,8}", fullmatch=True),
    st.text(st.characters(codec="utf-8", exclude_characters="\n\r"), max_size=20)
    | st.integers()
    | st.binary(min_size=4, max_size=32),
    max_size=4,
)


class StillClock:
    def now(self) -> float:
        return 1_795_350_665.123

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("a journal never waits")


def expected(value: object) -> str:
    return short(value) if isinstance(value, bytes) else str(value)


@given(fields=FIELDS)
def test_a_line_reads_back(fields: dict[str, object], tmp_path_factory: object) -> None:
    path = Path(tmp_path_factory.mktemp("journal")) / "node.log"  # type: ignore[attr-defined]
    journal = JournalFile(path, StillClock())
    journal.record("backing.seconded", **fields)
    journal.close()
    (text,) = path.read_text(encoding="utf-8").splitlines(keepends=True)
    line = parse_line(text)
    assert line is not None
    assert line.event == "backing.seconded"
    assert abs(line.at - StillClock().now()) < 0.002
    assert line.fields == {name: expected(value) for name, value in fields.items()}


@given(st.text(max_size=60))
def test_other_lines_are_no_events_or_parse_without_harm(text: str) -> None:
    line = parse_line(text)
    assert line is None or "." in line.event


def test_a_log_that_was_moved_away_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "node.log"
    journal = JournalFile(path, StillClock())
    journal.record("first.event")
    path.rename(tmp_path / "node.log.1")
    journal.record("second.event")
    journal.reopen()
    journal.record("third.event")
    journal.close()
    assert (tmp_path / "node.log.1").read_text().count("event") == 2
    assert "third.event" in path.read_text()


def test_a_log_that_cannot_be_reopened_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "node.log"
    journal = JournalFile(path, StillClock())
    path.parent.rename(tmp_path / "moved")
    journal.reopen()
    journal.record("next.event")
    journal.close()
    text = (tmp_path / "moved" / "node.log").read_text()
    assert "log.not_reopened" in text and "next.event" in text


def test_what_modules_log_is_in_the_journal(tmp_path: Path) -> None:
    journal = JournalFile(tmp_path / "node.log", StillClock())
    with heard_in(journal):
        logging.getLogger("parahost.some.module").info("so much")
        try:
            raise ValueError("why")
        except ValueError:
            logging.getLogger("parahost.some.module").exception("it failed")
    journal.close()
    lines = [parse_line(line) for line in (tmp_path / "node.log").read_text().splitlines()]
    events = {line.event: line.fields for line in lines if line is not None}
    assert events["log.info"] == {"of": "parahost.some.module", "text": "so much"}
    assert "ValueError: why" in events["log.error"]["traceback"]
    assert "node.stopped" in events
