"""Bans of collators fit the offence, and survive a restart (A82, D17)."""

from __future__ import annotations

from parahost.node.collation.bans import CollatorBans, ban_s
from parahost.ports import Batch
from parahost.primitives.basic import H256, CollatorId
from parahost.storage import MemoryDatabase


def key(number: int) -> CollatorId:
    return CollatorId(H256(number.to_bytes(32, "big")))


ONE, NOW = key(1), 1_800_000_000.0


def test_the_first_is_short_and_each_further_one_longer_up_to_ten_minutes() -> None:
    assert [ban_s(offence, 10) for offence in (1, 2, 3, 7, 8, 2**32 - 1)] == [
        10,
        20,
        40,
        600,
        600,
        600,
    ]
    assert ban_s(1, 3600) == ban_s(9, 3600) == 3600
    assert ban_s(9, 0) == 0, "for those who want none"


def test_offences_are_forgotten_ten_minutes_after_the_ban() -> None:
    bans = CollatorBans(MemoryDatabase())
    assert bans.left_s(ONE, NOW) == 0
    bans.add(ONE, NOW)
    assert bans.left_s(ONE, NOW) == 10 and bans.left_s(ONE, NOW + 10) == 0
    bans.add(ONE, NOW + 609)
    assert bans.left_s(ONE, NOW + 609) == 20
    bans.add(ONE, NOW + 629 + 600)
    assert bans.left_s(ONE, NOW + 629 + 600) == 10
    assert bans.left_s(key(2), NOW) == 0


def test_they_survive_a_restart_and_what_does_not_decode_does_not_matter() -> None:
    disk = MemoryDatabase()
    CollatorBans(disk, first_ban_s=60).add(ONE, NOW)
    batch = Batch()
    batch.put("collator-bans", bytes(key(2)), b"?")
    disk.write(batch, durable=True)
    again = CollatorBans(disk)
    assert again.left_s(ONE, NOW + 1) == 59
    again.add(ONE, NOW + 60)
    assert again.left_s(ONE, NOW + 60) == 20, "the second offence, as this node counts now"


def test_a_clock_that_was_set_back_bans_nobody_for_longer_than_the_longest_ban() -> None:
    bans = CollatorBans(MemoryDatabase())
    bans.add(ONE, NOW + 1e6)
    assert bans.left_s(ONE, NOW) == 600


def test_so_many_are_kept_and_the_one_that_ends_first_gives_way() -> None:
    disk = MemoryDatabase()
    bans = CollatorBans(disk)
    for number in range(1025):
        bans.add(key(number), NOW + number)
    for known in (bans, CollatorBans(disk)):
        assert known.left_s(key(0), NOW) == 0
        assert known.left_s(key(1), NOW) > 0 and known.left_s(key(1024), NOW) > 0
    assert len(list(disk.scan("collator-bans"))) == 1024
