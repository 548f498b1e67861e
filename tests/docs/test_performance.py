"""What the page on performance derives from the program's figures is derived from today's."""

from __future__ import annotations

from pathlib import Path

from parahost.runtime.parachains.approval_weight import (
    APPROVAL,
    ASSIGNMENT,
    CHECKED_CANDIDATE,
    MAX_CHECKS_WEIGHT,
)
from parahost.runtime.parachains.validity import MAX_UNACCEPTED

PAGE = Path("docs/PERFORMANCE.md").read_text()


def row(name: str) -> list[int]:
    line = next(line for line in PAGE.splitlines() if line.startswith(f"| {name} |"))
    return [int(cell) for cell in line.split("|")[2:-1]]


def accepted_a_block(checkers: int) -> int:
    of_one = CHECKED_CANDIDATE + (ASSIGNMENT + APPROVAL) * checkers
    return MAX_CHECKS_WEIGHT.ref_time // of_one.ref_time


def test_what_a_blocks_checks_allow_follows_from_their_weights() -> None:
    needed = row("needed approvals")
    assert row("candidates a block") == [accepted_a_block(each) for each in needed]
    assert f"{MAX_UNACCEPTED:,} candidates (`MAX_UNACCEPTED`)" in PAGE
    waiting = -(-MAX_UNACCEPTED // accepted_a_block(30))
    assert f"that is {waiting} blocks of waiting" in PAGE
    assert accepted_a_block(6) >= 100 > accepted_a_block(7), "at most six checkers each"
