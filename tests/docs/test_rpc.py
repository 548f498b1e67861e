"""docs/RPC.md has the methods and limits that the program has."""

from __future__ import annotations

from tests.docs.rpc import PAGE, written


def test_methods_and_limits_are_the_programs() -> None:
    page = PAGE.read_text()
    assert page == written(page), "run `python -m tests.docs.rpc`"
