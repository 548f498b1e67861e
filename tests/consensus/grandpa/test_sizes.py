"""What a thousand voters say fits (D35), and does not hold up the node."""

from __future__ import annotations

import itertools
from dataclasses import replace

import trio

from parahost.consensus.grandpa.catch_up import catch_up_of
from parahost.consensus.grandpa.commits import first_unsigned
from parahost.consensus.grandpa.justification import build_justification
from parahost.consensus.grandpa.messages import (
    CommitMessage,
    GossipMessage,
    SignedMessage,
    compact,
)
from parahost.consensus.grandpa.store import CompletedRound, GrandpaStore
from parahost.consensus.grandpa.voters import VoterSet
from parahost.consensus.grandpa.votes import RoundVotes, commit_of
from parahost.consensus.turns import in_turns
from parahost.primitives.basic import H256, H512, U64, GrandpaId, GrandpaSignature
from parahost.primitives.consensus import Precommit, Prevote
from parahost.primitives.header import Header
from parahost.primitives.limits import MAX_GRANDPA_MESSAGE_BYTES, MAX_JUSTIFICATION_BYTES
from parahost.primitives.scale import decode, encode
from parahost.storage.memory import MemoryDatabase
from tests.consensus.grandpa.world import GENESIS, SharedVerifier, Tree, chain_of, ref

IDS = [GrandpaId(H256(index.to_bytes(32, "big"))) for index in range(1000)]
VOTERS = VoterSet((voter, 1) for voter in IDS)
SIGNATURE = GrandpaSignature(H512(bytes(64)))
MAIN = chain_of(GENESIS, 1024, 1)
SIDE = chain_of(GENESIS, 3, 2)


def vote(kind: type[Prevote] | type[Precommit], block: Header, voter: GrandpaId) -> SignedMessage:
    return SignedMessage(kind(block.hash(), block.number), SIGNATURE, voter)


def tree() -> Tree:
    tree = Tree()
    for header in MAIN + SIDE:
        tree.add(header)
    return tree


def largest_round() -> RoundVotes:
    """As many as can be equivocate, and everybody else's vote is there."""
    votes = RoundVotes(1, VOTERS, ref(GENESIS), tree())
    for kind in (Prevote, Precommit):
        for index, voter in enumerate(IDS):
            votes.add(vote(kind, MAIN[0], voter))
            if index < 333:
                votes.add(vote(kind, SIDE[0], voter))
    return votes


def test_the_largest_round_can_be_told_kept_and_proven() -> None:
    votes = largest_round()
    final = votes.state.finalized
    assert final == ref(MAIN[0])
    catch_up = encode(catch_up_of(0, votes), GossipMessage)
    assert len(decode(GossipMessage, catch_up).prevotes) == 1333
    everything = CommitMessage(
        U64(1),
        U64(0),
        compact(commit_of(final, [one for one in votes if isinstance(one.message, Precommit)])),
    )
    commit = encode(everything, GossipMessage)
    for payload in (catch_up, commit):
        assert len(payload) <= MAX_GRANDPA_MESSAGE_BYTES == 520 * 1024
    store = GrandpaStore(MemoryDatabase())
    kept = CompletedRound(U64(0), U64(1), votes.base, votes.state, tuple(votes))
    store.save_completed(kept)
    assert store.completed() == kept


def test_everybody_may_equivocate_and_a_message_still_fits() -> None:
    """What the types let in is what the protocol lets in."""
    votes = largest_round()
    catch_up = catch_up_of(0, votes)
    twice = replace(
        catch_up,
        prevotes=(catch_up.prevotes * 2)[:2000],
        precommits=(catch_up.precommits * 2)[:2000],
    )
    payload = encode(twice, GossipMessage)
    assert 2 * 2000 * 132 < len(payload) <= MAX_GRANDPA_MESSAGE_BYTES


def test_a_justification_with_the_longest_ancestry_fits() -> None:
    high = [vote(Precommit, MAIN[-1], voter) for voter in IDS]
    proof = build_justification(1, commit_of(ref(GENESIS), high), VOTERS, tree())
    assert proof is not None
    assert 667 * 132 + 1024 * 100 < len(proof) <= MAX_JUSTIFICATION_BYTES


async def test_verifying_many_signatures_leaves_the_others_their_turns() -> None:
    """32 are verified in a turn, and two turns may follow one another, as trio draws the order."""
    verified = 0
    seen = [0]

    class Yes(SharedVerifier):
        def ed25519(self, public: bytes, message: bytes, signature: bytes) -> bool:
            nonlocal verified
            verified += 1
            return True

    async def watch() -> None:
        while True:
            seen.append(verified)
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch)
        votes = [vote(Precommit, MAIN[0], voter) for voter in IDS]
        assert await in_turns(first_unsigned(votes, 1, 0, Yes())) is None
        nursery.cancel_scope.cancel()
    assert verified == 1000
    seen.append(verified)
    assert max(b - a for a, b in itertools.pairwise(seen)) <= 2 * 32
