"""Where a voter goes on after a restart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from parahost.consensus.grandpa.authorities import AuthorityState
from parahost.consensus.grandpa.blocks import (
    BlockRef,
    ChainView,
    ancestor_at,
    descends,
    finalized_of,
)
from parahost.consensus.grandpa.graph import NotInGraph
from parahost.consensus.grandpa.rounds import PriorRound
from parahost.consensus.grandpa.store import GrandpaStore
from parahost.consensus.grandpa.voters import VoterSet
from parahost.consensus.grandpa.votes import RoundState, RoundVotes
from parahost.primitives.basic import U64, Hash
from parahost.primitives.consensus import GrandpaAuthorities
from parahost.primitives.header import Header


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a voter knows at its start: who votes, and the last completed round of that set."""

    authorities: AuthorityState
    round: PriorRound


def recover(store: GrandpaStore, chain: ChainView, genesis: GrandpaAuthorities) -> Recovered:
    """What an earlier life has left on disk, or the beginning with the voters of set 0."""
    authorities = _recover_authorities(store, chain, genesis)
    return Recovered(authorities, _recover_round(store, chain, authorities))


def _recover_authorities(
    store: GrandpaStore, chain: ChainView, genesis: GrandpaAuthorities
) -> AuthorityState:
    """The authority set as of the chain's final block, with the changes that the blocks after it
    announce. The chain may know of finality that the store does not: it was stopped in between.
    """
    final = finalized_of(chain)
    state = store.authorities()
    if state is None:
        state = AuthorityState(U64(0), genesis, ancestor_at(chain, final, 0))
    for block, header in _blocks_after(chain, state.finalized, chain.finalized_hash):
        state = state.with_announced(block, header)
    if state.finalized != final:
        state = state.finalize(final, lambda block, of: descends(chain, block, of))
        store.save_authorities(state)
    read: set[Hash] = set()
    for leaf in chain.leaves():
        for block, header in _blocks_after(chain, final, leaf):
            if block.hash in read:
                break  # and so are those below
            read.add(block.hash)
            state = state.with_announced(block, header)
    return state


def _recover_round(
    store: GrandpaStore, chain: ChainView, authorities: AuthorityState
) -> PriorRound:
    """The last completed round of the present set, with its votes."""
    record = store.completed()
    if record is None or record.set_id != authorities.set_id:
        return begin_set(authorities)
    if record.number == 0:
        return PriorRound(0, record.state)
    votes = RoundVotes(record.number, VoterSet(authorities.authorities), record.base, chain)
    for vote in record.votes:
        try:
            votes.add(vote)
        except NotInGraph:
            continue  # for a block of a fork that finality has left
    return PriorRound(record.number, record.state, votes)


def begin_set(authorities: AuthorityState) -> PriorRound:
    """What the first round of a set follows: the block that brought the set in."""
    return PriorRound(0, RoundState.settled(authorities.base or authorities.finalized))


def _blocks_after(
    chain: ChainView, start: BlockRef, end: Hash
) -> Iterator[tuple[BlockRef, Header]]:
    """The blocks after ``start`` up to ``end``, from the last to the first."""
    header = chain.header(end)
    while header is not None and header.number > start.number:
        yield BlockRef(end, header.number), header
        end = header.parent_hash
        header = chain.header(end)
