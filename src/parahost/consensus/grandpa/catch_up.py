"""Catching up: a completed round in one message."""

from __future__ import annotations

from parahost.consensus.grandpa.blocks import BlockRef, ChainView, descends, finalized_of
from parahost.consensus.grandpa.graph import NotInGraph
from parahost.consensus.grandpa.messages import CatchUp, PlainPrevote, SignedPrevote
from parahost.consensus.grandpa.rounds import PriorRound, Rounds
from parahost.consensus.grandpa.validity import catch_up_votes
from parahost.consensus.grandpa.votes import RoundVotes, commit_of
from parahost.primitives.basic import U64
from parahost.primitives.consensus import Precommit, Prevote

MAX_BELOW_FINAL = 1024
"""How far the base of a round may lie below what is final here: the way from the votes to it is
walked, and final headers are read from disk."""


def catch_up_of(set_id: int, votes: RoundVotes) -> CatchUp:
    """The message for a completed round."""
    return CatchUp(
        U64(set_id),
        U64(votes.number),
        tuple(
            SignedPrevote(
                PlainPrevote(vote.target.hash, vote.target.number), vote.signature, vote.id
            )
            for vote in votes
            if isinstance(vote.message, Prevote)
        ),
        commit_of(
            votes.base, [vote for vote in votes if isinstance(vote.message, Precommit)]
        ).precommits,
        votes.base.hash,
        votes.base.number,
    )


def round_of(message: CatchUp, rounds: Rounds, chain: ChainView) -> PriorRound | None:
    """The round that a catch-up, whose signatures were checked, completes, together with the
    votes that we have of it; ``None`` when it does not, for what we know of the blocks, or when
    its base, which nobody has signed, lies too far below what is final."""
    base, final = BlockRef(message.base_hash, message.base_number), finalized_of(chain)
    if base.number + MAX_BELOW_FINAL < final.number:
        return None
    if not descends(chain, base, final) and not descends(chain, final, base):
        return None
    votes = RoundVotes(message.round, rounds.voters, base, chain)
    for vote in (*catch_up_votes(message), *(rounds.votes(message.round) or ())):
        try:
            votes.add(vote)
        except NotInGraph:
            continue
    if not votes.state.completable:
        return None
    return PriorRound(votes.number, votes.state, votes)
