"""Arithmetic of block numbers."""

from __future__ import annotations

from parahost.primitives.basic import LAST_BLOCK, block_at


def test_a_block_number_is_one_that_can_be() -> None:
    assert LAST_BLOCK == 4_294_967_295
    given = (-1, 0, 7, 4_294_967_295, 4_294_967_296, 2**70)
    assert [block_at(number) for number in given] == [0, 0, 7, LAST_BLOCK, LAST_BLOCK, LAST_BLOCK]
