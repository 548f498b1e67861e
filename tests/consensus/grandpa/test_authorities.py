"""Authority changes: announced by forks, in effect by finality."""

from __future__ import annotations

import pytest

from parahost.consensus.grandpa.authorities import AuthorityState, scheduled_change
from parahost.consensus.grandpa.blocks import BlockRef
from parahost.primitives.basic import H256, U32, U64, BlockNumber, GrandpaId
from parahost.primitives.consensus import GrandpaAuthorities, ScheduledChange
from parahost.primitives.header import GRANDPA_ENGINE, Consensus, Header
from parahost.primitives.scale import decode, encode
from tests.consensus.grandpa.world import GENESIS, Tree, chain_of, child, ref


def voters(byte: int) -> GrandpaAuthorities:
    return ((GrandpaId(H256(bytes([byte]) * 32)), U64(1)),)


def change(byte: int, delay: int) -> ScheduledChange:
    return ScheduledChange(voters(byte), BlockNumber(U32(delay)))


class Forks:
    """Two forks at genesis, that announce different changes in their second blocks."""

    def __init__(self, delay: int) -> None:
        self.tree = Tree()
        self.forks: list[list[Header]] = []
        self.state = AuthorityState(U64(0), voters(0), ref(GENESIS))
        for salt in (1, 2):
            first = child(GENESIS, salt)
            second = child(first, salt, change=change(salt, delay))
            fork = [first, second, *chain_of(second, 5, salt)]
            self.forks.append(fork)
            for header in fork:
                self.tree.add(header)
                self.state = self.state.with_announced(ref(header), header)

    def descends(self, block: BlockRef, ancestor: BlockRef) -> bool:
        return self.tree.is_ancestor(ancestor.hash, block.hash)

    def finalize(self, header: Header) -> AuthorityState:
        return self.state.finalize(ref(header), self.descends)


@pytest.mark.parametrize("delay", [0, 1, 3])
def test_a_change_takes_effect_with_its_own_fork(delay: int) -> None:
    world = Forks(delay)
    for salt, fork in enumerate(world.forks, start=1):
        assert world.state.limit(ref(fork[-1]), world.descends) == 2 + delay
        assert world.state.limit(ref(fork[0]), world.descends) is None
        for header in fork:
            state = world.finalize(header)
            due = header.number >= 2 + delay
            assert (state.set_id, state.authorities) == (
                (1, voters(salt)) if due else (0, voters(0))
            )
            assert state.finalized == ref(header)
            assert [p.next_authorities for p in state.pending] == ([] if due else [voters(salt)])


def test_the_other_forks_change_is_forgotten() -> None:
    world = Forks(3)
    state = world.finalize(world.forks[0][0])
    assert len(world.state.pending) == 2
    assert [pending.signal for pending in state.pending] == [ref(world.forks[0][1])]


def test_the_same_announcement_twice_is_one_and_survives_the_disk() -> None:
    world = Forks(1)
    again = world.state.with_announced(ref(world.forks[0][1]), world.forks[0][1])
    assert again == world.state
    assert decode(AuthorityState, encode(world.state)) == world.state


def test_digests_without_a_change() -> None:
    unknown = Consensus(GRANDPA_ENGINE, b"\x09")
    other = Consensus(b"BABE", encode(change(1, 0)))
    header = Header(GENESIS.hash(), BlockNumber(U32(1)), H256(bytes(32)), H256(bytes(32)))
    assert scheduled_change(header) is None
    with_logs = Header(
        header.parent_hash,
        header.number,
        header.state_root,
        header.extrinsics_root,
        (unknown, other),
    )
    assert scheduled_change(with_logs) is None
