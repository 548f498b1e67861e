"""To how many peers a message of somebody else is passed on."""

from __future__ import annotations

import pytest

from parahost.consensus.fanout import FULL_MESH_FANOUT, RELAY_FANOUT, relay_fanout


@pytest.mark.parametrize(
    ("connected", "authorities", "fanout"),
    [
        (9, 10, FULL_MESH_FANOUT),  # we are one of them
        (10, 10, FULL_MESH_FANOUT),  # we are none of them
        (8, 10, RELAY_FANOUT),  # somebody is missing
        (0, 1, FULL_MESH_FANOUT),
        (0, 2, RELAY_FANOUT),
    ],
)
def test_one_copy_more_where_all_authorities_are_connected(
    connected: int, authorities: int, fanout: int
) -> None:
    assert relay_fanout(connected, authorities) == fanout
