"""To how many peers a message of somebody else is passed on, and to whom."""

from __future__ import annotations

from collections import Counter
from math import isqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parahost.consensus.fanout import RELAY_FANOUT, a_few, is_full_mesh, relay_fanout, sample
from parahost.primitives.basic import PeerId
from tests.consensus.grandpa.world import SeededRandom

PEERS = [PeerId(f"p{index}") for index in range(12)]


@pytest.mark.parametrize(
    ("connected", "authorities", "full"),
    [
        (9, 10, True),  # we are one of them
        (10, 10, True),  # we are none of them
        (8, 10, False),  # somebody is missing
        (0, 1, True),
        (0, 2, False),
    ],
)
def test_a_mesh_is_full_where_all_authorities_are_connected(
    connected: int, authorities: int, full: bool
) -> None:
    assert is_full_mesh(connected, authorities) is full
    random = SeededRandom("mesh")
    fanouts = {relay_fanout(random, connected, authorities) for _ in range(200)}
    assert fanouts <= {0, 1} if full else fanouts == {RELAY_FANOUT}


@pytest.mark.parametrize("authorities", [1, 3, 4, 10, 100, 1000])
def test_in_a_full_mesh_about_the_root_of_all_pass_a_message_on(authorities: int) -> None:
    """Each with probability 1 / isqrt(n), so that n receivers make about sqrt(n) copies."""
    random, tries = SeededRandom("root"), 20_000
    passed_on = sum(relay_fanout(random, authorities - 1, authorities) for _ in range(tries))
    expected = tries / isqrt(authorities)
    assert abs(passed_on - expected) <= 5 * expected**0.5
    if authorities < 4:
        assert passed_on == tries, "where the root is 1, everybody does"


@given(st.integers(0, 14), st.integers())
def test_a_sample_has_what_is_there_and_nothing_twice(count: int, seed: int) -> None:
    chosen = sample(SeededRandom(str(seed)), iter(PEERS), count)
    assert len(chosen) == len(set(chosen)) == min(count, len(PEERS))
    assert set(chosen) <= set(PEERS)


def test_a_sample_is_fair() -> None:
    random = SeededRandom("fair")
    counts = Counter(peer for _ in range(6000) for peer in sample(random, PEERS, 3))
    assert set(counts) == set(PEERS)
    assert all(1300 < count < 1700 for count in counts.values())


@given(st.integers(0, 14), st.sets(st.sampled_from(PEERS)), st.integers())
def test_a_few_are_wanted_ones_and_as_many_as_asked(
    count: int, wanted: set[PeerId], seed: int
) -> None:
    chosen = a_few(SeededRandom(str(seed)), PEERS, count, wanted.__contains__)
    assert len(chosen) == len(set(chosen)) == min(count, len(wanted))
    assert set(chosen) <= wanted
    assert a_few(SeededRandom(str(seed)), (), count, wanted.__contains__) == []


def test_a_few_may_be_any_and_no_more_are_looked_at_than_must_be() -> None:
    random = SeededRandom("walk")
    looked: list[PeerId] = []

    def wanted(peer: PeerId) -> bool:
        looked.append(peer)
        return True

    firsts = Counter(a_few(random, PEERS, 1, wanted)[0] for _ in range(2400))
    assert set(firsts) == set(PEERS) and min(firsts.values()) > 140
    assert len(looked) == 2400
    assert a_few(random, PEERS, 0, wanted) == [] and len(looked) == 2400
