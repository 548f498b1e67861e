"""What shows that our head is left behind, and what does not."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest

from parahost.chain.chain import Chain
from parahost.chain.sync.downloads import Downloads
from parahost.primitives.basic import H256
from parahost.primitives.header import Block, Header
from parahost.runtime.errors import InvalidBlock
from tests.chain.world import PARAMETERS, Forge, ManualClock, open_chain

FORGE = Forge()
FIRST, SECOND = FORGE.line(FORGE.genesis, 2)
OTHER = FORGE.block(FORGE.genesis, b"another")
BAD = FORGE.block(FIRST.header.hash(), b"bad", poisoned=True)


def chain_at(*blocks: Block) -> Chain:
    chain = open_chain()
    for block in blocks:
        chain.import_block(block)
    return chain


@pytest.mark.parametrize(
    ("header", "counts"),
    [
        (SECOND.header, True),
        (replace(SECOND.header, state_root=H256(bytes(32))), False),
        (OTHER.header, False),
        (FIRST.header, False),
        (BAD.header, False),
    ],
    ids=["the next", "without its seal", "on another block", "known", "of an invalid block"],
)
def test_a_header_that_an_authority_sealed_on_our_head(header: Header, counts: bool) -> None:
    chain, clock = chain_at(FIRST), ManualClock()
    with suppress(InvalidBlock):
        chain.import_block(BAD)
    assert chain.is_bad(BAD.header.hash())
    downloads = Downloads(chain, clock)
    downloads.begin().showed(header)
    assert downloads.leave_us_behind is counts


def test_a_block_that_has_become_our_head() -> None:
    chain = chain_at(FIRST, SECOND, OTHER)
    assert chain.best == SECOND.header
    downloads = Downloads(chain, ManualClock())
    download = downloads.begin()
    download.gave(OTHER.header.hash())
    assert not downloads.leave_us_behind, "a fork leaves our head where it is"
    download.gave(SECOND.header.hash())
    assert downloads.leave_us_behind
    downloads.end(download)
    assert not downloads.leave_us_behind, "nothing more is on its way"


def test_eight_slots_without_a_better_head_are_enough() -> None:
    chain, clock = chain_at(FIRST), ManualClock()
    downloads = Downloads(chain, clock)
    downloads.begin().showed(SECOND.header)
    clock.time += 7.9 * PARAMETERS.slot_duration_s
    assert downloads.leave_us_behind
    clock.time += 0.2 * PARAMETERS.slot_duration_s
    assert not downloads.leave_us_behind
    downloads.note_better()
    assert downloads.leave_us_behind


def test_a_head_of_eight_slots_ago_is_not_old() -> None:
    chain, clock = chain_at(FIRST), ManualClock()
    slot = chain.slot(FIRST.header.hash())
    assert slot is not None
    clock.time = PARAMETERS.start_of(slot + 8)
    downloads = Downloads(chain, clock)
    downloads.begin().showed(SECOND.header)
    assert not downloads.leave_us_behind
    clock.time = PARAMETERS.start_of(slot + 9)
    assert downloads.leave_us_behind
