"""What comes before its topic is opened waits in bounded room, and nobody crowds out others."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from parahost.node.gossip.early import MAX_EARLY_BLOCKS, MAX_EARLY_BYTES, OVERHEAD_BYTES, Early
from parahost.primitives.basic import H256, Hash, PeerId
from tests.node.gossip.world import block

ONE, TWO = (Hash(H256(bytes([number]) * 32)) for number in (1, 2))
P, Q, R = PeerId("p"), PeerId("q"), PeerId("r")


def test_what_was_said_of_a_block_comes_out_as_it_came_in() -> None:
    early = Early()
    for peer, about, payload in ((P, ONE, b"1"), (Q, ONE, b"2"), (P, TWO, b"3"), (P, ONE, b"4")):
        early.keep(peer, about, payload)
    assert early.take(ONE) == [(P, b"1"), (Q, b"2"), (P, b"4")]
    assert early.take(ONE) == [] and len(early) == 1
    assert early.take(TWO) == [(P, b"3")]


def test_a_peer_that_leaves_or_moves_on_leaves_nothing_behind() -> None:
    early = Early()
    for peer in (P, Q):
        early.keep(peer, ONE, b"one")
        early.keep(peer, TWO, b"two")
    early.drop(P)
    early.drop(R)
    early.drop(Q, over=lambda block: block == ONE)
    assert early.take(ONE) == [] and early.take(TWO) == [(Q, b"two")]


def test_who_sends_too_much_loses_its_own() -> None:
    early = Early()
    size = MAX_EARLY_BYTES // 8 - OVERHEAD_BYTES
    early.keep(P, ONE, b"early" + bytes(size))
    for number in range(20):
        early.keep(Q, block(number), bytes(size))
    assert [payload[:5] for _, payload in early.take(ONE)] == [b"early"]
    kept = [number for number in range(20) if early.take(block(number))]
    assert kept == [14, 15, 16, 17, 18, 19], "its newest, in what room there is"


def test_a_peer_speaks_of_so_many_blocks() -> None:
    """Else each new view of its would have us look at thousands."""
    early = Early()
    early.keep(P, ONE, b"")
    for number in range(MAX_EARLY_BLOCKS + 2):
        early.keep(Q, block(number), b"")
    assert len(early) == MAX_EARLY_BLOCKS + 1 and early.take(ONE) == [(P, b"")]
    assert early.take(block(1)) == [] and early.take(block(2)) == [(Q, b"")]


@given(
    st.lists(
        st.tuples(
            st.sampled_from((P, Q, R)),
            st.sampled_from((ONE, TWO)),
            st.integers(0, MAX_EARLY_BYTES // 3),
        ),
        max_size=30,
    )
)
def test_what_waits_is_bounded(arrivals: list[tuple[PeerId, Hash, int]]) -> None:
    early = Early()
    for peer, about, size in arrivals:
        early.keep(peer, about, bytes(size))
    kept = [*early.take(ONE), *early.take(TWO)]
    assert sum(len(payload) + OVERHEAD_BYTES for _, payload in kept) <= MAX_EARLY_BYTES
    sent = sum(size + OVERHEAD_BYTES for _, _, size in arrivals)
    if sent <= MAX_EARLY_BYTES:
        assert len(kept) == len(arrivals)
    assert len(early) == 0
