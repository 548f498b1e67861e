"""When a clock is off, the journal says by how much."""

from __future__ import annotations

import pytest

from parahost.consensus.babe.digests import pre_digest_item, pre_digest_of
from parahost.node.clock_watch import ClockWatch
from parahost.primitives.basic import H256, U32, U64, BabeId, BlockNumber, Hash, Slot
from parahost.primitives.consensus import SecondaryPlainPreDigest
from parahost.primitives.header import Header
from tests.chain.world import ManualClock
from tests.consensus.babe.world import PARAMETERS
from tests.node.harness import ListJournal

SLOT_S = PARAMETERS.slot_duration_s
ZERO = Hash(H256(bytes(32)))
HONEST = (0, 1, 2, 3, 4)
STRANGER = 99


def header(author: int, slot: int) -> Header:
    claim = SecondaryPlainPreDigest(U32(author), Slot(U64(slot)))
    return Header(ZERO, BlockNumber(U32(1)), ZERO, ZERO, (pre_digest_item(claim),))


def sealed_by(header: Header) -> tuple[BabeId, Slot] | None:
    """The test's seals: the index in the claim, if it is an authority's."""
    claim = pre_digest_of(header)
    index = claim.authority_index
    return None if index == STRANGER else (BabeId(H256(bytes((index,)) * 32)), claim.slot)


class Authors:
    """Five authors take turns; we hear each block 0.2 s after its slot began."""

    def __init__(self) -> None:
        self.clock, self.journal = ManualClock(), ListJournal()
        self.watch = ClockWatch(self.clock, self.journal, PARAMETERS, sealed_by)
        self.slot = 1000

    def blocks(self, count: int, off_s: float) -> None:
        for _ in range(count):
            self.slot += 1
            self.clock.time = self.slot * SLOT_S + 0.2 + off_s
            self.watch.heard(header(HONEST[self.slot % 5], self.slot))


def test_a_clock_that_is_right_gets_no_line() -> None:
    network = Authors()
    network.blocks(20, off_s=0.0)
    network.blocks(20, off_s=SLOT_S)
    assert network.journal.events == []


@pytest.mark.parametrize(("off_s", "direction"), [(300.0, "ahead"), (-300.0, "behind")])
def test_off_by_minutes_and_right_again_is_told_once_each(off_s: float, direction: str) -> None:
    network = Authors()
    network.blocks(20, off_s)
    ((name, fields),) = network.journal.events
    assert name == "clock.off" and fields["direction"] == direction
    assert fields["seconds"] == pytest.approx(300, abs=0.3)
    network.blocks(20, off_s=0.0)
    assert network.journal.names() == ["clock.off", "clock.right"]


def test_two_lying_authors_of_five_and_strangers_steer_nothing() -> None:
    network = Authors()
    for _ in range(40):
        network.slot += 1
        network.clock.time = network.slot * SLOT_S
        author = HONEST[network.slot % 5]
        network.watch.heard(header(author, network.slot + (10_000 if author > 2 else 0)))
        network.clock.time += SLOT_S / 2
        network.watch.heard(header(STRANGER, network.slot + 20_000))
    assert network.journal.events == []


def test_many_headers_at_once_tell_nothing_about_the_time() -> None:
    """After a cut, blocks of minutes come within a moment."""
    network = Authors()
    network.blocks(5, off_s=0.0)
    network.clock.time += 600
    for slot in range(network.slot + 1, network.slot + 50):
        network.watch.heard(header(HONEST[slot % 5], slot))
    assert network.journal.events == []
