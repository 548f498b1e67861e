"""The glossary says what the code says, and a name means one thing."""

from __future__ import annotations

import re

from tests.docs.glossary import PAGE, defined_twice, first_sentence, shown, table

TEXT = PAGE.read_text()


def test_the_classes_are_the_programs() -> None:
    assert shown(TEXT) == table(), "run `python -m tests.docs.glossary`"


def test_a_name_is_defined_twice_only_where_it_means_the_same() -> None:
    """Each such name stands in the page, with its one meaning; and none that is not one."""
    chapter = TEXT.split("## Names that several modules have\n")[1].split("\n## ")[0]
    explained = re.findall(r"^\| `(\w+)` \| \S", chapter, re.MULTILINE)
    assert explained == sorted(defined_twice()), defined_twice()


def test_what_names_mean_is_read_off_their_docstrings() -> None:
    assert first_sentence("A block. It has\na header.") == "A block."
    assert first_sentence("Of a\n:class:`.Chain`: all ``blocks``.") == "Of a `Chain`: all `blocks`."
