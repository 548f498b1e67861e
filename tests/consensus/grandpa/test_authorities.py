"""Authority changes: announced by forks, in effect by finality."""

from __future__ import annotations

from dataclasses import replace

import pytest

from parahost.consensus.grandpa.authorities import AuthorityState, signals
from parahost.consensus.grandpa.blocks import BlockRef
from parahost.consensus.grandpa.recovery import recover
from parahost.consensus.grandpa.store import GrandpaStore
from parahost.primitives.basic import H256, U32, U64, BlockNumber, GrandpaId, Hash
from parahost.primitives.consensus import (
    ForcedChange,
    GrandpaAuthorities,
    GrandpaConsensusLog,
    Pause,
    Resume,
    ScheduledChange,
)
from parahost.primitives.header import GRANDPA_ENGINE, Consensus, Header
from parahost.primitives.scale import decode, encode
from parahost.storage.memory import MemoryDatabase
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
            left = [] if due else [change(salt, delay)]
            assert [pending.signal for pending in state.pending] == left


def test_the_other_forks_change_is_forgotten() -> None:
    world = Forks(3)
    state = world.finalize(world.forks[0][0])
    assert len(world.state.pending) == 2
    assert [pending.announced_in for pending in state.pending] == [ref(world.forks[0][1])]


def test_the_same_announcement_twice_is_one_and_survives_the_disk() -> None:
    world = Forks(1)
    again = world.state.with_announced(ref(world.forks[0][1]), world.forks[0][1])
    assert again == world.state
    assert decode(AuthorityState, encode(world.state)) == world.state


def digest(*forms: bytes) -> Header:
    header = child(GENESIS)
    logs = tuple(Consensus(GRANDPA_ENGINE, form) for form in forms)
    return replace(header, digest=(*header.digest, *logs))


U32_7 = (7).to_bytes(4, "little")
ONE_VOTER = b"\x04" + bytes(32) + (1).to_bytes(8, "little")
SCHEDULED, FORCED = b"\x01" + ONE_VOTER + U32_7, b"\x02" + U32_7 + ONE_VOTER + U32_7
DISABLED, PAUSE, RESUME = b"\x03" + bytes(8), b"\x04" + U32_7, b"\x05" + U32_7
OF_7 = BlockNumber(U32(7))


def test_the_forms_of_all_signals() -> None:
    """As the specification lays them out. The first of a kind counts, and a forced change in
    place of a scheduled one."""
    scheduled = ScheduledChange(voters(0), OF_7)
    forced = ForcedChange(OF_7, voters(0), OF_7)
    assert signals(digest(SCHEDULED)) == [scheduled]
    assert signals(digest(SCHEDULED, FORCED)) == [forced]
    assert signals(digest(FORCED, SCHEDULED)) == [forced]
    assert signals(digest(PAUSE, RESUME)) == [Pause(OF_7), Resume(OF_7)]
    assert signals(digest(PAUSE, b"\x04" + bytes(4))) == [Pause(OF_7)]
    assert signals(digest(DISABLED)) == []


def test_what_is_no_signal() -> None:
    other_engine = Consensus(b"BABE", SCHEDULED)
    assert signals(child(GENESIS)) == []
    assert signals(digest(b"\x09", b"", SCHEDULED[:-1])) == []
    assert signals(replace(child(GENESIS), digest=(other_engine,))) == []


def test_a_delay_beyond_all_numbers_never_ends() -> None:
    header = child(GENESIS, change=change(1, 2**32 - 1))
    state = AuthorityState(U64(0), voters(0), ref(GENESIS)).with_announced(ref(header), header)
    assert decode(AuthorityState, encode(state)) == state
    assert state.pending[0].effective_number == 2**32 - 1


class Line:
    """One chain of ten blocks, some of which signal; the head moves up it."""

    def __init__(self, **forms: bytes) -> None:
        self.blocks = [GENESIS]
        self.state = AuthorityState(U64(0), voters(0), ref(GENESIS))
        signalled = {int(name.removeprefix("at_")): form for name, form in forms.items()}
        for number in range(1, 11):
            header = child(self.blocks[-1])
            if number in signalled:
                log = Consensus(GRANDPA_ENGINE, signalled[number])
                header = replace(header, digest=(*header.digest, log))
            self.blocks.append(header)
            self.announce(number)

    def announce(self, number: int) -> None:
        header = self.blocks[number]
        self.state = self.state.with_announced(ref(header), header)

    def descends(self, block: BlockRef, ancestor: BlockRef) -> bool:
        return block.number >= ancestor.number

    def best(self, number: int) -> AuthorityState:
        self.state = self.state.on_best(
            ref(self.blocks[number]), self.descends, lambda _, at: ref(self.blocks[at])
        )
        return self.state

    def final(self, number: int) -> AuthorityState:
        self.state = self.state.finalize(ref(self.blocks[number]), self.descends)
        return self.state


def forced(byte: int, last_final: int, delay: int) -> bytes:
    log = ForcedChange(BlockNumber(U32(last_final)), voters(byte), BlockNumber(U32(delay)))
    return encode(log, GrandpaConsensusLog)


def test_a_forced_change_needs_no_finality() -> None:
    line = Line(at_3=encode(change(1, 4), GrandpaConsensusLog), at_5=forced(2, 2, 3))
    assert line.best(7).set_id == 0
    state = line.best(8)
    assert (state.set_id, state.authorities) == (1, voters(2))
    assert state.base == ref(line.blocks[2])
    assert state.limit(ref(line.blocks[10]), line.descends) is None  # what was scheduled is gone
    for number in (3, 5):
        line.announce(number)  # after a restart, all blocks that are not final announce again
    assert line.best(10) == state
    assert decode(AuthorityState, encode(state)) == state
    after = line.final(6)
    assert (after.set_id, after.base, after.overtaken) == (1, None, ())


def test_a_forced_change_waits_for_what_was_scheduled_before_its_base() -> None:
    """Else those who have finalised that, and those who have not, would count sets differently."""
    line = Line(at_1=encode(change(1, 1), GrandpaConsensusLog), at_5=forced(2, 2, 0))
    assert line.best(8).set_id == 0
    assert line.final(2).set_id == 1
    state = line.best(9)
    assert (state.set_id, state.authorities) == (2, voters(2))


def test_a_pause_begins_with_finality_and_ends_without() -> None:
    line = Line(at_2=b"\x04" + (2).to_bytes(4, "little"), at_6=b"\x05" + bytes(4))
    assert line.state.limit(ref(line.blocks[5]), line.descends) == 4
    assert not line.best(5).paused
    assert not line.final(3).paused
    assert line.final(4).paused
    assert line.best(5).paused
    assert not line.best(6).paused
    line.announce(6)
    assert line.best(7).pending == ()


def test_a_pause_that_comes_after_its_end_is_none() -> None:
    line = Line(at_2=b"\x04" + bytes(4), at_6=b"\x05" + bytes(4))
    assert not line.best(6).paused
    assert not line.final(6).paused


class CountingTree(Tree):
    """Notes each header that is read."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0

    def header(self, block: Hash, /) -> Header | None:
        self.reads += 1
        return super().header(block)


def test_after_a_restart_each_block_that_is_not_final_is_read_once_however_many_forks() -> None:
    tree, head, announced = CountingTree(), GENESIS, []
    for number in range(1, 101):
        brings = change(number, 0) if number % 25 == 0 else None
        rival = child(head, 1, change=brings)
        head = child(head, change=brings)
        for block in (head, rival):
            tree.add(block)
        announced += [block for block in (head, rival) if brings is not None]
    assert len(tree.leaves()) == 101
    tree.reads = 0
    recovered = recover(GrandpaStore(MemoryDatabase()), tree, voters(0))
    assert tree.reads < 4 * 200
    pending = {signal.announced_in for signal in recovered.authorities.pending}
    assert pending == set(map(ref, announced))
