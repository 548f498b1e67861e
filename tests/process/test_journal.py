"""What is written to a journal can be read back."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from parahost.process.journal import JournalFile, parse_line, short

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
