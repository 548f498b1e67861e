"""In which order collators are asked (D17)."""

from __future__ import annotations

from parahost.node.backing.collator_records import CollatorRecords, Standing
from parahost.primitives.basic import H256, CollatorId
from tests.node.harness import SeededRandom


def key(number: int) -> CollatorId:
    return CollatorId(H256(number.to_bytes(32, "big")))


A, B, C, D = (key(number) for number in range(1, 5))


def order(records: CollatorRecords, *waiting: CollatorId) -> list[CollatorId]:
    left, taken = list(waiting), []
    while left:
        taken.append(records.next(left, SeededRandom()))
        left.remove(taken[-1])
    return taken


def test_who_delivers_then_strangers_then_the_silent() -> None:
    records = CollatorRecords()
    records.note_missed(A)
    records.note_delivered(C)
    records.note_delivered(B)
    assert order(records, A, B, C, D) == [C, B, D, A], "who delivered least lately comes first"
    records.note_delivered(A)
    assert order(records, A, B, C, D) == [C, B, A, D]


def test_one_that_delivers_may_miss_two_turns_in_a_row() -> None:
    records = CollatorRecords()
    for _ in range(2):
        records.note_delivered(A)
        records.note_missed(A)
        records.note_missed(A)
        assert records.standing(A) is Standing.DELIVERS
    records.note_missed(A)
    assert records.standing(A) is Standing.SILENT


def test_the_latest_of_the_worst_gives_way() -> None:
    records = CollatorRecords()
    records.note_delivered(A)
    assert records.last([A, B, C]) == C
    records.note_missed(B)
    assert records.last([A, B, C]) == B
    records.note_delivered(C)
    records.note_delivered(B)
    assert records.last([A, B, C]) == C


def test_no_stranger_can_choose_to_be_first() -> None:
    random, records = SeededRandom(), CollatorRecords()
    strangers = [key(number) for number in range(10)]
    assert {records.next(strangers, random) for _ in range(200)} == set(strangers)


def test_a_bounded_number_of_each_kind_is_remembered() -> None:
    records = CollatorRecords()
    for number in range(1025):
        records.note_delivered(key(number))
        records.note_missed(key(10_000 + number))
    assert records.standing(key(0)) is Standing.UNKNOWN
    assert records.standing(key(1)) is Standing.DELIVERS, "the silent displace nobody who delivers"
    assert records.standing(key(10_000)) is Standing.UNKNOWN
    assert records.standing(key(10_001)) is Standing.SILENT


def test_who_is_forgotten_begins_anew() -> None:
    records = CollatorRecords()
    records.note_delivered(A)
    records.note_missed(B)
    records.forget(A)
    records.forget(B)
    assert records.standing(A) is records.standing(B) is Standing.UNKNOWN
