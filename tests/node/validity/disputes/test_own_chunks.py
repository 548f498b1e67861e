"""Which own chunks are obtained for disputes from another fork, and how often."""

from __future__ import annotations

import pytest

from parahost.node.validity.disputes.own_chunks import OBTAINING, OwnChunks
from parahost.primitives.basic import U32, BlockNumber, SessionIndex
from parahost.runtime.parachains.windows import CandidateKey

from .world import SESSION, key_of, receipt

LATER = SessionIndex(U32(SESSION + 1))
ROOM = OBTAINING.at_once
KEYS = sorted(key_of(receipt(each)) for each in range(1, ROOM + 4))


def lacking(*keys: CandidateKey, is_included: bool = True, until: int = 20) -> OwnChunks:
    made = OwnChunks()
    also(made, *keys, is_included=is_included, until=until)
    return made


def also(made: OwnChunks, *keys: CandidateKey, is_included: bool = True, until: int = 20) -> None:
    for key in keys:
        made.lacks(key, BlockNumber(U32(until)), is_included=is_included)


def taken(made: OwnChunks, now: float = 0.0) -> list[CandidateKey]:
    found = []
    while (key := made.take(now)) is not None:
        found.append(key)
    return found


@pytest.mark.guide("A60")
def test_so_many_are_obtained_at_a_time_and_the_next_when_one_is_there() -> None:
    made = lacking(*KEYS)
    assert taken(made) == KEYS[:ROOM]
    made.ended(KEYS[1], 1.0, found=True)
    assert taken(made, 1.0) == [KEYS[ROOM]]


def test_what_blocks_have_included_comes_before_what_may_be_made_up() -> None:
    """Then what ends first."""
    made = lacking(KEYS[0], is_included=False, until=1)
    also(made, KEYS[1], until=30)
    also(made, KEYS[2], until=29)
    assert taken(made) == [KEYS[2], KEYS[1], KEYS[0]]


def test_what_nobody_has_is_tried_so_often_and_then_no_more() -> None:
    made, now, tries = lacking(KEYS[0]), 0.0, 0
    while now < 1000.0:
        also(made, KEYS[0])
        for key in taken(made, now):
            made.ended(key, now, found=False)
            assert taken(made, now + OBTAINING.again_s - 1) == [], "not at once"
            tries += 1
        now += OBTAINING.again_s
    assert tries == OBTAINING.max_tries == 3


def test_liars_inventions_leave_room_for_the_rest() -> None:
    """Those that failed are not tried again before others are tried at all."""
    made = lacking(*KEYS[:ROOM], is_included=False)
    for key in taken(made):
        made.ended(key, 0.0, found=False)
    also(made, KEYS[-1], is_included=False)
    assert taken(made) == [KEYS[-1]]


def test_what_no_fork_asks_for_any_more_is_not_tried() -> None:
    made = lacking(*KEYS)
    made.asked({KEYS[0]})
    assert taken(made) == KEYS[:1]


def test_who_asks_again_on_another_fork_gets_no_more_tries() -> None:
    made = lacking(KEYS[0])
    for now in (0.0, 100.0, 200.0):
        assert taken(made, now) == [KEYS[0]]
        made.ended(KEYS[0], now, found=False)
        made.asked(set())
        also(made, KEYS[0])
    assert taken(made, 300.0) == []


def test_what_is_under_way_for_a_session_that_is_over_takes_no_room() -> None:
    made = lacking(*KEYS)
    taken(made)
    made.forget(LATER)
    of_later = [(LATER, candidate) for _, candidate in KEYS[:ROOM]]
    also(made, *of_later)
    assert taken(made) == of_later
