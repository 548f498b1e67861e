"""When the verdict on who took part in a dispute falls."""

from __future__ import annotations

from dataclasses import replace

import pytest

from parahost.node.validity.disputes.verdict_time import VerdictTime
from parahost.primitives.basic import U32, BlockNumber, SessionIndex
from parahost.primitives.disputes import DisputeOutcome, DisputeState
from parahost.primitives.scale import BitVec
from parahost.runtime.parachains.windows import CandidateKey

from .world import SESSION, key_of, receipt

ONE, OTHER = key_of(receipt(1)), key_of(receipt(2))


def undecided() -> DisputeState:
    nobody = BitVec.zeros(3)
    return DisputeState(nobody, nobody, nobody, start=BlockNumber(U32(1)), opened_by=None)


def concluded(*, closed: bool = False) -> DisputeState:
    return replace(undecided(), outcome=DisputeOutcome.VALID, is_closed=closed)


def told(time: VerdictTime, *fork: tuple[CandidateKey, DisputeState]) -> list[CandidateKey]:
    return [key for key, _ in time.closed(fork)]


@pytest.mark.guide("A64", "A109")
def test_it_falls_when_no_more_votes_are_taken_and_only_once() -> None:
    time = VerdictTime()
    assert told(time, (ONE, undecided()), (OTHER, concluded())) == []
    assert told(time, (ONE, concluded()), (OTHER, concluded(closed=True))) == [OTHER]
    assert told(time, (ONE, concluded(closed=True)), (OTHER, concluded(closed=True))) == [ONE]


def test_another_fork_that_closes_it_later_tells_nothing_new() -> None:
    time = VerdictTime()
    told(time, (ONE, concluded()))
    assert told(time, (ONE, concluded(closed=True))) == [ONE]
    assert told(time, (ONE, concluded())) == []
    assert told(time, (ONE, concluded(closed=True))) == []


def test_what_was_closed_before_a_start_or_without_an_outcome_tells_nothing() -> None:
    assert told(VerdictTime(), (ONE, concluded(closed=True)), (OTHER, undecided())) == []


def test_what_is_not_judged_any_more_is_forgotten() -> None:
    time = VerdictTime()
    told(time, (ONE, concluded()))
    time.forget(SessionIndex(U32(SESSION + 1)))
    assert told(time, (ONE, concluded(closed=True))) == []
